"""An answer's Markdown as Telegram messages: plain text with entities, split where it hurts least."""

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

import pyromark
from telegramify_markdown import RenderConfig, convert

LIMIT = 4096  # UTF-16 units of one message, https://core.telegram.org/bots/api#sendmessage
STYLES = frozenset(
    "bold italic underline strikethrough spoiler code pre text_link blockquote expandable_blockquote".split()
)
OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_MATH
)


@dataclass(frozen=True, slots=True)
class Entity:
    """`offset` and `length` are in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What one message says."""

    text: str
    entities: tuple[Entity, ...] = ()


def split(markdown: str, limit: int = LIMIT) -> list[Part]:
    """The whole answer as messages, in order; at least one."""
    markdown = clean(markdown)
    text, entities = _render(markdown)
    if not text.strip():
        text, entities = markdown, ()
    parts = []
    offsets = _offsets(text)
    start = 0
    while start < len(text):
        end = _cut(text, offsets, entities, start, limit)
        part = _part(text, offsets, entities, start, end)
        if part.text:
            parts.append(part)
        start = end
    return parts or [Part("…")]


def clean(text: str) -> str:
    """Without what Telegram strips from messages itself, which would shift every entity behind it."""
    return text.encode("utf-8", "replace").decode().translate(_STRIPPED)


_STRIPPED = {code: " " for code in range(32) if chr(code) not in "\t\n\r"} | {
    ord("\r"): None,
    **dict.fromkeys(range(8232, 8239)),  # line separators and bidirectional overrides
}


def _render(markdown: str) -> tuple[str, tuple[Entity, ...]]:
    rendered, found = convert(_literal(markdown), latex_escape=False, config=_symbols())
    entities = [
        Entity(e.type, e.offset, e.length, e.url, e.language)
        for e in found
        if e.type in STYLES and e.length > 0 and (e.url is None or e.url.startswith(("http://", "https://")))
    ]
    return rendered, (*entities, *_mentions(rendered))


def _symbols() -> RenderConfig:
    config = RenderConfig.isolated()
    symbol = config.markdown_symbol
    symbol.heading_level_1 = symbol.heading_level_2 = symbol.heading_level_3 = symbol.heading_level_4 = ""
    symbol.unordered_list_item = "•"
    symbol.task_uncompleted = "☐"
    return config


_MENTION = re.compile(r"(?<![\w@])@[A-Za-z]\w{3,}")


def _mentions(text: str) -> list[Entity]:
    """Telegram makes mentions of every @name outside code; words read from a picture must not ping anybody."""
    offsets = _offsets(text) if "@" in text else []
    return [
        Entity("code", offsets[found.start()], offsets[found.end()] - offsets[found.start()])
        for found in _MENTION.finditer(text)
    ]


def _literal(markdown: str) -> str:
    """The same Markdown with a backslash before what a renderer would drop or change: HTML, link definitions, and
    numbers of lists that do not count up."""
    markdown = re.sub(r"^((?:[ >\t]|[-+*] |\d{1,9}[.)] )*)(?=\[[^\]\n]+\]:)", r"\1\\", markdown, flags=re.MULTILINE)
    for _ in range(50):
        places = _dropped(markdown)
        if not places:
            return markdown
        data = markdown.encode()
        bounds = [0, *sorted(places), len(data)]
        markdown = b"\\".join(data[a:b] for a, b in pairwise(bounds)).decode()
    return re.sub(r"(?<!\\)<", "&lt;", markdown)


def _dropped(markdown: str) -> set[int]:
    """Where in the UTF-8 bytes a backslash is missing. HTML shows its next one only after the first is gone."""
    data = markdown.encode()
    places: set[int] = set()
    lists: list[int | None] = []
    for event, span in pyromark.events_with_range(markdown, options=OPTIONS):
        start, end = span["start"], span["end"]
        match event:
            case {"InlineHtml": _} | {"Start": "HtmlBlock"}:
                places.add(data.index(b"<", start, end))
            case {"InlineMath": _} if b"<" in data[start:end]:  # the renderer may see prices there, and HTML between
                places.add(start)
            case {"Start": {"List": number}}:
                lists.append(number)
            case {"End": {"List": _}}:
                lists.pop()
            case {"Start": "Item"} if lists and (expected := lists[-1]) is not None:
                written = re.match(rb"\s*(\d+)[.)]", data[start:end])
                if written and int(written[1]) != expected:
                    places.add(start + written.end(1))
                lists[-1] = expected + 1
    return places


def _offsets(text: str) -> list[int]:
    """The UTF-16 offset of each character, and of the end."""
    offsets, offset = [0], 0
    for character in text:
        offset += 2 if character > "\uffff" else 1
        offsets.append(offset)
    return offsets


_BORDERS = (
    re.compile(r"\n\s*\n"),  # paragraph
    re.compile(r"\n"),
    re.compile(r"[。!?！？；]|[.;:](?=\s)"),  # sentence
    re.compile(r"\s|(?<=[、,，])"),
)


def _cut(text: str, offsets: list[int], entities: tuple[Entity, ...], start: int, limit: int) -> int:
    """Where the part that begins at `start` ends: the last paragraph, line, sentence or word in its second half."""
    end = start
    while end < len(text) and offsets[end + 1] - offsets[start] <= limit:
        end += 1
    if end == len(text):
        return end
    half = offsets[start] + limit // 2
    within = [e for e in entities if e.offset < offsets[end] < e.offset + e.length and e.offset > half]
    for border in _BORDERS:
        places = [found.end() for found in border.finditer(text, start, end)]
        for place in reversed(places):
            if offsets[place] <= half:
                break
            if not any(e.offset < offsets[place] < e.offset + e.length for e in (*within, *_uncut(entities, limit))):
                return place
    first = min((e.offset for e in within), default=None)
    if first is not None:
        return offsets.index(first)
    nearest = range(end, max(start, end - LONGEST_CHARACTER), -1)
    return next((place for place in nearest if _breakable(text, place)), end)


def _uncut(entities: tuple[Entity, ...], limit: int) -> list[Entity]:
    """Entities short enough to stay whole."""
    return [e for e in entities if e.length <= limit // 4 or e.type in ("code", "text_link")]


LONGEST_CHARACTER = 64  # code points; a pile of marks higher than that is cut
_JOINERS = {"\u200d", "\ufe0f", "\ufe0e"}


def _breakable(text: str, place: int) -> bool:
    """Whether no character as a person sees it (combining marks, joined emoji, flags) lies across `place`."""
    before, after = text[place - 1], text[place]
    if after in _JOINERS or before == "\u200d" or unicodedata.category(after).startswith("M"):
        return False
    if "\U0001f3fb" <= after <= "\U0001f3ff":
        return False
    letters = place
    while letters and _is_flag_letter(after) and _is_flag_letter(text[letters - 1]):
        letters -= 1
    return (place - letters) % 2 == 0  # a flag is two letters


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _part(text: str, offsets: list[int], entities: tuple[Entity, ...], start: int, end: int) -> Part:
    """Without the white space that Telegram trims; code keeps its indentation."""
    while end > start and text[end - 1].isspace():
        end -= 1
    code = any(e.type == "pre" and e.offset <= offsets[start] < e.offset + e.length for e in entities)
    while start < end and (text[start] == "\n" if code else text[start].isspace()):
        start += 1
    first, last = offsets[start], offsets[end]
    inside = []
    for e in entities:
        a, b = max(e.offset, first), min(e.offset + e.length, last)
        if a < b:
            inside.append(Entity(e.type, a - first, b - a, e.url, e.language))
    return Part(text[start:end], tuple(inside))

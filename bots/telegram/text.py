"""Turn an answer's Markdown into Telegram messages: plain text with entities, split at the best places."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import regex
from telegramify_markdown import RenderConfig, convert

from core.answers.markdown import code_and_tables, protected, within

MESSAGE_UTF16_UNITS = 4096  # https://core.telegram.org/bots/api#sendmessage
STYLES = frozenset(
    "bold italic underline strikethrough spoiler code pre text_link blockquote expandable_blockquote".split()
)


@dataclass(frozen=True, slots=True)
class Entity:
    """A formatted range. `offset` and `length` are in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class TextPart:
    """The content of one message."""

    text: str
    entities: tuple[Entity, ...] = ()


def split(markdown: str, limit: int = MESSAGE_UTF16_UNITS) -> list[TextPart]:
    """Return the whole answer as messages, in order; at least one."""
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
    return parts or [TextPart("…")]


def clean(text: str) -> str:
    """Return the text without characters that Telegram strips, which would shift every later entity."""
    return text.encode("utf-8", "replace").decode().translate(_STRIPPED)


_STRIPPED = {code: " " for code in range(32) if chr(code) not in "\t\n\r"} | {
    ord("\r"): None,
    **dict.fromkeys(range(8232, 8239)),  # line separators and bidirectional overrides
}


def _render(markdown: str) -> tuple[str, tuple[Entity, ...]]:
    rendered, found = convert(_literal(protected(markdown)), latex_escape=False, config=_symbols())
    entities = [
        Entity(e.type, e.offset, e.length, e.url, e.language)
        for e in found
        if e.type in STYLES and e.length > 0 and (e.url is None or e.url.startswith(("http://", "https://")))
    ]
    return rendered, (*entities, *_mentions(rendered, entities))


def _symbols() -> RenderConfig:
    config = RenderConfig.isolated()
    symbol = config.markdown_symbol
    symbol.heading_level_1 = symbol.heading_level_2 = symbol.heading_level_3 = symbol.heading_level_4 = ""
    symbol.unordered_list_item = "•"
    symbol.task_uncompleted = "☐"
    return config


_MENTION = re.compile(r"(?<![\w@])@[A-Za-z]\w{3,}")


def _mentions(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """Return the places of @names outside code.

    Telegram would turn words from a picture into mentions that ping people.
    """
    offsets = _offsets(text) if "@" in text else []
    code = [(e.offset, e.offset + e.length) for e in entities if e.type in ("code", "pre")]
    return [
        Entity("code", offsets[found.start()], offsets[found.end()] - offsets[found.start()])
        for found in _MENTION.finditer(text)
        if not within(offsets[found.start()], code)
    ]


_OWN_MARK = re.compile(rb"\$|\|(?=\|)")


def _literal(markdown: str) -> str:
    """Return the Markdown without marks that only this renderer knows: `$` for formulas and `||` for spoilers."""
    data = markdown.encode()
    code, tables = code_and_tables(data)

    def mended(found: re.Match[bytes]) -> bytes:
        if within(found.start(), code):
            return found[0]
        return b"| " if found[0] == b"|" and within(found.start(), tables) else b"\\" + found[0]

    return _OWN_MARK.sub(mended, data).decode()


def _offsets(text: str) -> list[int]:
    """Return the UTF-16 offset of each character, and of the end."""
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
    """Return where the part that begins at `start` ends.

    It ends after the last paragraph, line, sentence or word in its second half.
    """
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
    begun = max(found.start() for found in _CHARACTER.finditer(text, start, end + 1))
    return begun if begun > max(start, end - CHARACTER_CODE_POINTS) else end


def _uncut(entities: tuple[Entity, ...], limit: int) -> list[Entity]:
    """Return the entities that are short enough to stay whole."""
    return [e for e in entities if e.length <= limit // 4 or e.type in ("code", "text_link")]


_CHARACTER = regex.compile(r"\X")  # as people see it: a family, a flag, a letter with its accents
CHARACTER_CODE_POINTS = 64  # of one character; a longer pile of marks is cut


def _part(text: str, offsets: list[int], entities: tuple[Entity, ...], start: int, end: int) -> TextPart:
    """Return a part without the white space that Telegram trims. Code keeps its indentation."""
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
    return TextPart(text[start:end], tuple(inside))

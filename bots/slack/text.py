"""Translate between Slack's markup and ours: mentions, escapes, and Markdown cut into messages."""

import re

from core.answers.markdown import protected, unescaped

MESSAGE_CHARACTERS = 3_800  # `chat.update` stops at 4,000, and every answer may have to end with one
ZERO_WIDTH = "\u200b"

# What Slack turns into a ping or a link. The end of a text counts as the worst that may follow, so that a growing text
# keeps its beginning.
_PING = re.compile(r"<(?=!(?:[cehds]|$)|@(?:[UWB]|$)|#(?:[CGD]|$))|@(?=channel\b|here\b|everyone\b)")
_LINK = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)(.*)$", re.MULTILINE)
_BEGINS_BLOCK = re.compile(r"\s*(?:[-+*>#=|~]|\d{1,9}[.)])")
_BORDERS = ("\n\n", "\n", ". ", "。", "！", "？", "；", "，", " ")


def plain(text: str, bot: str) -> str:
    """Return what a person typed, without Slack's markup and without the mention of the bot itself."""

    def name(match: re.Match[str]) -> str:
        kind, target, label = match.groups()
        if kind == "@":
            return "" if target == bot else f"@{target}"  # the id even with a label, because people are blocked by id
        if kind:
            return ("#" if kind == "#" else "@") + (label or target).lstrip("@#")
        return label or target

    text = _LINK.sub(name, text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def defuse(markdown: str) -> str:
    """Return a text that reads the same and pings no one. Inside code `&lt;` would be shown as it is."""
    return _PING.sub(lambda match: match.group() + ZERO_WIDTH, markdown)


def messages(markdown: str) -> list[str]:
    """Return what a model wrote as messages in Slack's Markdown. No one is pinged, and print keeps its marks."""
    return split(protected(defuse(markdown)))


def escape(markdown: str) -> str:
    """Escape text for the `text` of a message, which notifications show, by Slack's own rule."""
    return unescaped(markdown).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def split(markdown: str, limit: int = MESSAGE_CHARACTERS) -> list[str]:
    """Return messages of at most `limit` characters, cut at paragraphs, lines, sentences or words.

    Open code fences continue in the next message. The end of a message does not depend on later text, so a growing text
    only changes its last message.
    """
    parts, rest = [], markdown.strip()
    while len(rest) > limit:
        longest = min(limit // 8, max((len(marks) for marks, _ in _FENCE.findall(rest[:limit])), default=0))
        room = limit - longest - 2  # for a closing fence
        cut = _border(rest[:limit], room) or room
        if (len(rest[:cut]) - len(rest[:cut].rstrip("\\"))) % 2:
            cut -= 1  # a backslash stays with its character
        part, rest = rest[:cut].rstrip(), rest[cut:]
        if fence := _open_fence(part, longest):
            part, rest = f"{part}\n{fence[0]}", f"{fence[0]}{fence[1]}\n{rest.lstrip(chr(10))}"
        parts.append(part)
        rest = rest.lstrip()
    return [*parts, rest] if rest else parts


def _border(text: str, room: int) -> int:
    """Return the last good place to cut in the second half of the room, or 0.

    What follows a cut begins a line, and must not look like the beginning of a list or a heading.
    """
    for border in _BORDERS:
        place = room
        while (place := text.rfind(border, room // 2, place)) >= 0:
            if border.endswith("\n") or not _BEGINS_BLOCK.match(text, place + len(border)):
                return place + len(border)
    return 0


def _open_fence(text: str, longest: int) -> tuple[str, str] | None:
    """Return the fence and its language if `text` ends inside a code block. It is short, as each message repeats it."""
    fence: tuple[str, str] | None = None
    for marks, info in _FENCE.findall(text):
        if fence is None:
            fence = (marks[:longest], info if len(info) < len(text) // 8 else "")
        elif marks.startswith(fence[0]) and not info.strip():
            fence = None
    return fence

"""Text as Slack writes it and as it may be written to Slack: mentions, escapes, and Markdown cut into messages."""

import re

LIMIT = 3_800  # characters of a message: `chat.update` stops at 4,000, and every answer may have to end with one
ZERO_WIDTH = "\u200b"

# What Slack turns into a ping or a link of its own. The end of the text counts as the worst that may follow, so that a
# text that grows keeps its beginning.
_PING = re.compile(r"<(?=!(?:[cehds]|$)|@(?:[UWB]|$)|#(?:[CGD]|$))|@(?=channel\b|here\b|everyone\b)")
_LINK = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)(.*)$", re.MULTILINE)
_BORDERS = ("\n\n", "\n", ". ", "。", "！", "？", "；", "，", " ")


def plain(text: str, bot: str) -> str:
    """What a person typed, out of Slack's markup; the mention of the bot itself is left out."""

    def name(match: re.Match[str]) -> str:
        kind, target, label = match.groups()
        if kind == "@":
            return "" if target == bot else f"@{target}"  # the id also where there is a label: it is who is blocked
        if kind:
            return ("#" if kind == "#" else "@") + (label or target).lstrip("@#")
        return label or target

    text = _LINK.sub(name, text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def defuse(markdown: str) -> str:
    """The same to read, but nobody is pinged: `&lt;` would be shown as it stands inside code."""
    return _PING.sub(lambda match: match.group() + ZERO_WIDTH, markdown)


def escape(text: str) -> str:
    """For the `text` of a message, which notifications show; Slack's own rule."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def split(markdown: str, limit: int = LIMIT) -> list[str]:
    """Messages of at most `limit` characters, cut at paragraphs, lines, sentences or words; open code fences go on.

    Where a message ends depends on nothing behind its limit, so a text that grows changes its last message only.
    """
    parts, rest = [], markdown.strip()
    while len(rest) > limit:
        room = limit - 8  # for the fence that may have to be closed
        cut = _border(rest[:room]) or room
        part, rest = rest[:cut].rstrip(), rest[cut:]
        if fence := _open_fence(part):
            part, rest = f"{part}\n{fence[0]}", f"{fence[0]}{fence[1]}\n{rest.lstrip(chr(10))}"
        parts.append(part)
        rest = rest.lstrip()
    return [*parts, rest] if rest else parts


def _border(text: str) -> int:
    """Behind the last good place to cut in the second half of `text`; 0 where there is none."""
    for border in _BORDERS:
        if (place := text.rfind(border, len(text) // 2)) >= 0:
            return place + len(border)
    return 0


def _open_fence(text: str) -> tuple[str, str] | None:
    """The fence and its language, if `text` ends inside a code block; short, as each message opens it again."""
    fence: tuple[str, str] | None = None
    for marks, info in _FENCE.findall(text):
        if fence is None:
            fence = (marks[:6], info if len(info) < len(text) // 8 else "")
        elif marks.startswith(fence[0]) and not info.strip():
            fence = None
    return fence

"""Make Markdown safe to take away: nothing in it is HTML or loads a picture, in any program and next to any text."""

import re
from itertools import pairwise

import pyromark

from core.answers.markdown import MOST_ROUNDS, protected, verbatim

# Some code is only code for a parser that knows tables, and some only for one that does not.
DIALECTS = (pyromark.Options(0), pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH)
_LINE_END = re.compile(r"\r\n?")  # other parsers take these for line ends, ours does not
_TAG = re.compile(rb"<(?=[A-Za-z/!?])")
_FENCE = re.compile(rb"`{3,}|~{3,}")
_NEXT = b"\n\n# next\n"


def inert(text: str) -> str:
    """Return the Markdown with a backslash before each mark that is print, and with every code block closed."""
    text = _LINE_END.sub("\n", text)
    data = protected(text).encode()
    for _ in range(MOST_ROUNDS):
        if not (places := {place for dialect in DIALECTS for place in _live(data, dialect)}):
            return (data + _missing_end(data)).decode()
        bounds = [0, *sorted(places), len(data)]
        data = b"\\".join(data[start:end] for start, end in pairwise(bounds))
    return verbatim(text)


def inert_line(text: str) -> str:
    """Return the Markdown as one line, for a place that does not begin a line."""
    begin = "A "  # no block can begin after a word
    return inert(begin + " ".join(text.split())).removeprefix(begin)


def _live(data: bytes, dialect: pyromark.Options) -> list[int]:
    """Return where pictures and HTML begin."""
    places: list[int] = []
    for event, span in pyromark.events_with_range(data.decode(), options=dialect):
        start, end = span["start"], span["end"]
        match event:
            case {"Start": {"Image": _}}:
                places.append(start)
            case {"InlineHtml": _} | {"Start": "HtmlBlock"}:
                places += [start + found.start() for found in _TAG.finditer(data[start:end])]
    return places


def _missing_end(data: bytes) -> bytes:
    """Return the fence that closes a code block which would run on through all following text."""
    last = b""
    for event, span in pyromark.events_with_range((data + _NEXT).decode(), options=DIALECTS[-1]):
        match event:
            case {"Start": {"CodeBlock": _}}:
                last = data[span["start"] :]
            case {"Start": {"Heading": _}} if span["start"] >= len(data):
                return b""
    found = _FENCE.match(last)
    return b"\n" + found[0] if found else b""

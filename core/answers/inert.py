"""Markdown that people take away: nothing in it is HTML or loads a picture, whichever program shows it among what."""

import re
from itertools import pairwise

import pyromark

from core.answers.markdown import ROUNDS, protected, verbatim

# What is code where tables are known may be none where they are not, and the other way round.
DIALECTS = (pyromark.Options(0), pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH)
_LINE_END = re.compile(r"\r\n?")  # of which our parser knows less than others
_TAG = re.compile(rb"<(?=[A-Za-z/!?])")
_FENCE = re.compile(rb"`{3,}|~{3,}")
_NEXT = b"\n\n# next\n"


def inert(text: str) -> str:
    """Return it with a backslash before each mark that is print, and all that begins code also ended."""
    text = _LINE_END.sub("\n", text)
    data = protected(text).encode()
    for _ in range(ROUNDS):
        if not (places := {place for dialect in DIALECTS for place in _live(data, dialect)}):
            return (data + _missing_end(data)).decode()
        bounds = [0, *sorted(places), len(data)]
        data = b"\\".join(data[start:end] for start, end in pairwise(bounds))
    return verbatim(text)


def inert_line(text: str) -> str:
    """Return it as one line, for a place where lines begin with something else."""
    begin = "A "  # no block of its own begins behind a word
    return inert(begin + " ".join(text.split())).removeprefix(begin)


def _live(data: bytes, dialect: pyromark.Options) -> list[int]:
    """Where a picture or HTML begins."""
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
    """The fence of a code block that would go on through all that follows."""
    last = b""
    for event, span in pyromark.events_with_range((data + _NEXT).decode(), options=DIALECTS[-1]):
        match event:
            case {"Start": {"CodeBlock": _}}:
                last = data[span["start"] :]
            case {"Start": {"Heading": _}} if span["start"] >= len(data):
                return b""
    found = _FENCE.match(last)
    return b"\n" + found[0] if found else b""

r"""Tell print that looks like Markdown from Markdown that a model meant.

A model writes emphasis, lists, headings, tables and code on purpose. It also reads "- 320", `2*3*4`, `__init__` and
`C:\_tmp\(new)` from pictures, and a renderer would remove their marks. A parser finds what a renderer would take for a
mark. Each mark that is not written the way models write it gets a backslash. When a person asked for the text itself,
it is shown as a code block, which no renderer changes.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import pyromark

OPTIONS = pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH | pyromark.Options.ENABLE_TASKLISTS
Span = tuple[int, int]  # start and end
MOST_ROUNDS = 8  # when a mark becomes print, its neighbours may become marks

_RUN = re.compile("`+")
_DEFINITION = re.compile(rb"^(?:[ >\t]|[-+*] |\d{1,9}[.)] )*(?=\[[^\]]+\]:)", re.MULTILINE)
_ALWAYS_PRINT = re.compile(rb"\\(?!\|)|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_ESCAPED_BAR = re.compile(rb"\\(?=\|)")
_NUMBER = re.compile(r"\(?[$€£¥￥]?\s?[.,]?\d")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_BULLET = re.compile(r"([-+*])[ \t]*(.*)")
_COUNTED = re.compile(r"(\d{1,9})([.)])[ \t]*(.*)")
_QUOTED = re.compile(r">\s*(?:$|[>=]|" + _NUMBER.pattern + ")", re.MULTILINE)
_HEADING = re.compile(r"(#{1,6})[ \t]*(.*)")
_CLOSING = re.compile(r"[ \t](#+)[ \t]*$")
_BAR = re.compile(rb"(?<!\\)\|")
_BEGUN_LINE = re.compile(r"[ \t]*(?:[-+*>#=_ ]*|\d{1,9}[.)]?[ ]*).{0,2}")
_MARKS = frozenset("*_`[]()<>&~|\\!")


def protected(text: str) -> str:
    """Return the same Markdown with a backslash before each mark that is print."""
    data = _inserted(text.encode("utf-8", "replace"), _always_print(text))
    for _ in range(MOST_ROUNDS):
        places = set(_print_marks(data))
        if not places:
            break
        data = _inserted(data, places)
    return data.decode()


def verbatim(text: str, growing: bool = False) -> str:
    """Return Markdown that shows the text character for character; `growing` leaves it open for more."""
    text = text.strip("\n")
    if not text.strip():
        return ""
    fence = "`" * max(3, 1 + max(map(len, _RUN.findall(text)), default=0))
    return f"{fence}\n{text}" if growing else f"{fence}\n{text}\n{fence}"


def settled(growing: str) -> str:
    """Return the beginning of a growing text whose marks keep their meaning, whatever follows."""
    line = growing.rfind("\n") + 1
    if _BEGUN_LINE.fullmatch(growing, line):
        return growing[:line]
    word = len(growing)
    while word > line and "!" <= growing[word - 1] <= "~":
        word -= 1
    return growing[:word] if _MARKS.intersection(growing[word:]) else growing


def unescaped(markdown: str) -> str:
    """Return the text without backslash escapes, for places that read no Markdown."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def parts_by_code(text: str) -> Iterator[tuple[str, bool]]:
    """Yield a model's Markdown in its order, each part with whether it is code."""
    data = text.encode("utf-8", "replace")
    place = 0
    for start, end in sorted(_code_and_tables_of_model(data)[0]):
        yield data[place:start].decode(), False
        yield data[start:end].decode(), True
        place = end
    yield data[place:].decode(), False


def code_and_tables(data: bytes) -> tuple[list[Span], list[Span]]:
    """Return where code and tables are in the UTF-8 of some Markdown."""
    code, tables = [], []
    for event, start, end in _events(data):
        match event:
            case {"Code": _} | {"Start": {"CodeBlock": _}}:
                code.append((start, end))
            case {"Start": {"Table": _}}:
                tables.append((start, end))
    return code, tables


def within(place: int, spans: Iterable[Span]) -> bool:
    return any(start <= place < end for start, end in spans)


def _inserted(data: bytes, places: Iterable[int]) -> bytes:
    bounds = [0, *sorted(set(places)), len(data)]
    return b"\\".join(data[start:end] for start, end in pairwise(bounds))


def _events(data: bytes) -> Iterator[tuple[Any, int, int]]:
    for event, span in pyromark.events_with_range(data.decode(), options=OPTIONS):
        yield event, span["start"], span["end"]


def _code_and_tables_of_model(data: bytes) -> tuple[list[Span], list[Span]]:
    """Return where code and tables are, where marks that are always print neither hide code nor make any."""
    return code_and_tables(_ALWAYS_PRINT.sub(b",", data))


def _always_print(text: str) -> Iterator[int]:
    """Yield the places of backslashes, HTML, entities and link definitions outside code: no model means these."""
    data = text.encode("utf-8", "replace")
    code, tables = _code_and_tables_of_model(data)
    for pattern, where in ((_ALWAYS_PRINT, code), (_DEFINITION, code), (_ESCAPED_BAR, code + tables)):
        for found in pattern.finditer(data):
            place = found.end() if pattern is _DEFINITION else found.start()
            if not within(place, where):
                yield place


def _print_marks(data: bytes) -> Iterator[int]:
    """Yield the places where a backslash is missing."""
    lists: list[int | None] = []  # for each open list, the number that its next item must have
    columns = 0
    quoted = 0  # the end of a quotation that is print; its content is parsed again in the next round
    for event, start, end in _events(data):
        match event:
            case {"Start": "Emphasis" | "Strong" as kind}:
                width = 1 if kind == "Emphasis" else 2
                if _is_print_between_marks(data, start, end, width):
                    yield from (*range(start, start + width), *range(end - width, end))
            case {"Start": "Strikethrough"} if data[start : start + 2] != b"~~":
                yield from (start, end - 1)
            case {"Start": {"Heading": _}}:
                yield from _heading(data, start, end)
            case "Rule" if data[start:end].strip() not in (b"---", b"***"):
                yield start + len(data[start:end]) - len(data[start:end].lstrip())
            case {"Start": {"List": number}}:
                lists.append(number)
            case {"End": {"List": _}}:
                lists.pop()
            case {"Start": "Item"}:
                lists[-1], places = _item(data[start:end].decode(), lists[-1])
                yield from (start + place for place in places)
            case {"Start": {"BlockQuote": _}} if start >= quoted and _QUOTED.match(data[start:end].decode()):
                quoted = end
                yield start
            case {"Start": {"Link": link}} if not _ADDRESS.match(link["dest_url"]):
                yield start
            case {"Start": {"Image": _}}:
                yield start
            case {"Start": {"Table": alignments}}:
                columns = len(alignments)
            case {"Start": "TableRow"}:
                yield from _surplus_bars(data, start, end, columns)


def _is_print_between_marks(data: bytes, start: int, end: int, width: int) -> bool:
    inner, before = data[start + width : end - width].decode(), data[max(0, start - 1) : start]
    if before.isalnum() or before == b"\\":
        return True  # 2*3*4
    if data[start : start + 1] == b"_":
        return re.fullmatch(r"\w+", inner) is not None  # __init__
    return width == 1 and not inner.startswith("*") and not any(map(str.isalpha, inner))  # *5*


def _heading(data: bytes, start: int, end: int) -> Iterator[int]:
    raw = data[start:end].decode()
    found = _HEADING.match(raw)
    if found is None:  # a line of print that is underlined
        drawn = raw.rstrip()
        yield start + len(drawn.rstrip(drawn[-1]).encode())
        return
    marks, words = found.groups()
    if not words.strip("# \t") or (marks == "#" and _NUMBER.match(words)) or not any(map(str.isalpha, words)):
        yield start
    if closing := _CLOSING.search(raw.rstrip()):
        yield start + len(raw[: closing.start(1)].encode())


def _item(raw: str, expected: int | None) -> tuple[int | None, list[int]]:
    """Return the number that the next item must have, and the places of this item's marker if it is print."""
    if found := _BULLET.match(raw):
        marker, words = found.groups()
        return None, [0] if not words or (marker != "*" and _NUMBER.match(words)) else []
    if not (found := _COUNTED.match(raw)):
        return expected, []
    digits, mark, words = found.groups()
    meant = mark == "." and digits == str(expected) and words and not _NUMBER.match(words)
    return int(digits) + 1, [] if meant else [len(digits)]


def _surplus_bars(data: bytes, start: int, end: int, columns: int) -> Iterator[int]:
    """Yield the bars of cells beyond the header's.

    A renderer drops such cells. With their bars as print, the text stays in the last cell.
    """
    row = data[start:end].rstrip()
    bars = [found.start() for found in _BAR.finditer(row)]
    if bars and not row[: bars[0]].strip():
        del bars[0]
    if bars and bars[-1] == len(row) - 1:
        del bars[-1]
    yield from (start + bar for bar in bars[columns - 1 :])

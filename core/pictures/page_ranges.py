"""Find which pages a question names, in English and Chinese: "pages 2-4", "the last page", "第2到4页"."""

import re

Range = tuple[int, int]  # first and last page, from 1; negative counts from the end, as -1 is the last page

_DIGITS = "零〇一二三四五六七八九"
_NUMBER = r"(?:\d{1,4}|[一二两三四五六七八九十百零〇]{1,5})"
_WORDS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
_TO = r"\s*(?:-|–|—|~|～|to|through|until|到|至)\s*"
_AND = r"\s*(?:,\s*and|,|，|、|&|and|和|与|及)\s*"
_ENGLISH = re.compile(
    rf"\b(?:pages?|pp?\.)\s*(?P<list>\d{{1,4}}(?:{_TO}\d{{1,4}})?(?:{_AND}(?:pages?\s*)?\d{{1,4}}(?:{_TO}\d{{1,4}})?)*)\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    r"\b(?P<which>first|second|third|fourth|fifth|last|(?P<number>\d{1,4})(?:st|nd|rd|th))"
    r"(?:\s+(?P<count>\d{1,3}|two|three|four|five))?\s+pages?\b",
    re.IGNORECASE,
)
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5}
_CHINESE = re.compile(rf"第\s*(?P<list>{_NUMBER}(?:\s*页)?(?:(?:{_TO}|{_AND})第?\s*{_NUMBER}(?:\s*页)?)*)")
_CHINESE_BARE = re.compile(rf"(?<![第\d])(?<!第\s)(?P<list>\d{{1,4}}{_TO}\d{{1,4}})\s*页")
_CHINESE_SOME = re.compile(rf"(?P<which>最后|前)\s*(?P<count>{_NUMBER})\s*页")


def page_ranges(text: str) -> list[Range]:
    """Return the ranges in the order they are mentioned, or none when the text names no page."""
    text = " ".join(text.split())  # a pattern takes the square of a run of blanks in time
    found: dict[int, list[Range]] = {}
    for pattern in (_ENGLISH, _CHINESE_BARE):
        for match in pattern.finditer(text):
            found.setdefault(match.start(), _list(match["list"]))
    for match in _CHINESE.finditer(text):
        pages, unit, _ = match["list"].rpartition("页")
        if unit:
            found.setdefault(match.start(), _list(pages))
    for match in _ORDINAL.finditer(text):
        which = match["which"].lower()
        count = (match["count"] or "1").lower()
        found.setdefault(match.start(), [_from(which, match["number"], _COUNTS.get(count) or int(count))])
    for match in _CHINESE_SOME.finditer(text):
        number = _value(match["count"])
        found.setdefault(match.start(), [(1, number) if match["which"] == "前" else (-number, -1)])
    return [pages for start in sorted(found) for pages in found[start]]


def _list(text: str) -> list[Range]:
    ranges = []
    for part in re.split(_AND, text, flags=re.IGNORECASE):
        values = [_value(number) for number in re.findall(_NUMBER, part)]
        if values:
            ranges.append((min(values), max(values)))
    return ranges


def _from(which: str, number: str | None, count: int) -> Range:
    first = int(number) if number else _WORDS[which]
    return (-count, -1) if first < 0 else (first, first + count - 1)


def _value(number: str) -> int:
    """Return the value of an Arabic or Chinese number below a thousand."""
    if number.isdecimal():
        return int(number)
    total, digit = 0, 0
    for sign in number.replace("两", "二"):
        if sign in "十百":
            total += (digit or 1) * (10 if sign == "十" else 100)
            digit = 0
        else:
            digit = max(_DIGITS.index(sign) - 1, 0)
    return total + digit

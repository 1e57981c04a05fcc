"""Find the pictures that people name by their numbers."""

import re

_NUMBERS = r"(\d{1,3}(?:\s*(?:,|-|–|、|and|or|to|和|与|到|至)\s*\d{1,3}\b)*)"
_NAMED = re.compile(rf"(?:pictures?|images?|图片?)\s*{_NUMBERS}|第\s*{_NUMBERS}\s*[张幅]", re.IGNORECASE)
_RANGE = re.compile(r"-|–|to|到|至", re.IGNORECASE)


def named_pictures(text: str) -> set[int]:
    """Return the numbers of pictures that a question names: "pictures 2-4", "picture 1 and picture 3", "图1和图2"."""
    found: set[int] = set()
    for listed in (one or other for one, other in _NAMED.findall(text)):
        numbers = [int(number) for number in re.findall(r"\d+", listed)]
        found.update(range(min(numbers), max(numbers) + 1) if _RANGE.search(listed) else numbers)
    return found


def without_pictures(text: str) -> str:
    """Return a question's words without the pictures that it names: "top right of picture 2" becomes "top right"."""
    return re.sub(rf"(?:\b(?:of|in|on|from)\s+)?(?:{_NAMED.pattern})(?:\s*的)?", "", text, flags=re.IGNORECASE).strip()

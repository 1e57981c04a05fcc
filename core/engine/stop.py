"""End an answer before a text that its asker named, wherever the borders of tokens are. Pure Python."""

from collections.abc import Sequence


class StopTexts:
    """Holds back what may become one of the texts until that is certain."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [text for text in texts if text]
        self._held = ""
        self.found = False

    def add(self, text: str) -> str:
        """Return what may be shown of the answer, with `text` at its end."""
        if self.found or not self._texts:
            return "" if self.found else text
        self._held += text
        begins = [begin for each in self._texts if (begin := self._held.find(each)) >= 0]
        self.found = bool(begins)
        certain = min(begins) if begins else len(self._held) - self._open()
        shown, self._held = self._held[:certain], self._held[certain:]
        return shown

    def finish(self) -> str:
        """Return what was held back and is now known to be no such text."""
        held, self._held = self._held, ""
        return "" if self.found else held

    def _open(self) -> int:
        """Return how many of the last characters are the beginning of one of the texts."""
        longest = min(len(self._held), max(map(len, self._texts)) - 1)
        ends = (size for size in range(longest, 0, -1) if self._begins(self._held[-size:]))
        return next(ends, 0)

    def _begins(self, end: str) -> bool:
        return any(each.startswith(end) for each in self._texts)

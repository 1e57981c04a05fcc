"""Notice an answer that repeats itself without end. Pure Python.

Tables, lists and receipts repeat, too: cells that are all zeros, rows that are all alike, leaders of dots. A page has
room for some 60 lines, so whatever may be such lines may repeat that often before it counts as a loop. See
docs/answers.md.
"""

from collections.abc import Callable, Sequence

LONGEST = 32  # tokens of what is repeated
LEAST_TOKENS = 64  # of all repetitions together; no sentence is repeated that long for a reason
SENTENCES = 5  # times words may be said within a line
LINES = 24  # times a line of words: a receipt lists a thing as often as it was bought
CELLS = 64  # times a row or a cell: a page has no more lines
MARKS = 100  # times a mark or a figure within a line
SHORT_BYTES = 24  # of a line that may be a cell; Chinese says in one character what takes three letters
STRUCTURE = frozenset("|\t<{[&\\")  # of tables in Markdown, HTML, JSON and LaTeX


class Repetition:
    """Watches an answer's tokens. `decode` turns tokens into text."""

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._runs = [0] * (LONGEST + 1)  # by period: how many of the last tokens are what stood a period before

    def add(self, token: int) -> int | None:
        """Return None, or once the answer is a loop, how many of its tokens are good: the repeated part stays once."""
        ids, runs = self._ids, self._runs
        ids.append(token)
        last = len(ids) - 1
        for period in range(1, min(LONGEST, last) + 1):
            runs[period] = runs[period] + 1 if ids[last - period] == token else 0
        for period in range(1, LONGEST + 1):
            length = runs[period] + period
            if runs[period] and length >= LEAST_TOKENS:
                if length // period >= self._most(ids[-period:]):
                    return len(ids) - length + period
                break  # longer periods are the same repetition
        return None

    def _most(self, period: Sequence[int]) -> int:
        """Return how often these tokens may repeat before they are a loop and no table."""
        text = self._decode([*period, *period])  # a character may be spread over its ends
        words = any(character.isalpha() for character in text)
        if not STRUCTURE.isdisjoint(text):
            return CELLS
        if "\n" in text:
            return LINES if words and len(text.encode()) > 2 * SHORT_BYTES else CELLS
        return SENTENCES if words else MARKS

"""Wait longer and longer between attempts at something that fails."""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat


def pauses(seconds: Sequence[float]) -> Iterator[float]:
    """Yield the seconds before each further attempt: the last ones again and again."""
    return chain(seconds, repeat(seconds[-1]))

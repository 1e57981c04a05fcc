"""Limit how often the token may be guessed, at all replicas: from one address, and from all together."""

import time
from collections.abc import Callable

from core.bounded_dict import BoundedDict
from core.errors import StoreDown
from core.pseudonym import pseudonym
from core.tally import Counts, Result, Tallies

MINUTE_SECONDS = 60.0
DAY_SECONDS = 24 * 3600.0
WRONG_TRIES_PER_ADDRESS = 10  # within a minute
WRONG_TRIES_IN_ALL = 100  # an attacker may have a thousand addresses
REMEMBERED_ADDRESSES = 10_000
TALLY = "wrong tokens"
Tries = list[tuple[str, float]]  # pseudonyms of addresses, and when, oldest first


class TokenGuesses:
    """Counts guesses. It knows no token; it is told which tries were right or wrong, and from where."""

    def __init__(self, tallies: Tallies, clock: Callable[[], float] = time.monotonic) -> None:
        self._tallies = tallies
        self._clock = clock
        self._right: BoundedDict[str, float] = BoundedDict(REMEMBERED_ADDRESSES)
        self._unstored: Counts = {}

    def is_known(self, address: str) -> bool:
        """Return whether a right token came from there to this replica within the last day."""
        return self._right.get(address, -DAY_SECONDS) > self._clock() - DAY_SECONDS

    async def count(self, address: str, is_checked: bool) -> bool:
        """Count a try as wrong. Return whether there were enough before it.

        One that is not checked in that case is not counted.
        """

        def change(counts: Counts, now: float) -> bool:
            before = _recent(counts, now)
            enough = _are_enough(before, pseudonym(address))
            if is_checked or not enough:
                counts["tries"] = [*before, (pseudonym(address), now)][-WRONG_TRIES_IN_ALL:]
            return enough

        return await self._change(change)

    def note_right(self, address: str) -> None:
        self._right[address] = self._clock()

    async def uncount(self, address: str) -> None:
        """Count one try less from there, because it was right."""

        def change(counts: Counts, now: float) -> None:
            tries = _recent(counts, now)
            own = [index for index, (other, _) in enumerate(tries) if other == pseudonym(address)]
            counts["tries"] = [it for index, it in enumerate(tries) if index not in own[-1:]]

        await self._change(change)

    async def _change(self, change: Callable[[Counts, float], Result]) -> Result:
        """Count in memory while nothing can be stored, or then a token could be guessed without a limit."""
        try:
            return await self._tallies.change_tally(TALLY, MINUTE_SECONDS, change)
        except StoreDown:
            return change(self._unstored, self._clock())


def _recent(counts: Counts, now: float) -> Tries:
    """Return the tries of the last minute, without those of a clock that ran ahead."""
    tries: Tries = [(address, when) for address, when in counts.get("tries", ())]
    return [(address, when) for address, when in tries if now - MINUTE_SECONDS < when <= now + MINUTE_SECONDS]


def _are_enough(tries: Tries, address: str) -> bool:
    own = sum(other == address for other, _ in tries)
    return own >= WRONG_TRIES_PER_ADDRESS or len(tries) >= WRONG_TRIES_IN_ALL

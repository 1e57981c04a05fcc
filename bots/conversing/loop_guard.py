"""Bound how often bots are answered in a row, so that two bots do not answer each other for ever."""

import time
from collections.abc import Callable

from core.bounded_dict import BoundedDict

MOST_IN_A_ROW = 5  # answers to bots and channels in one chat, without a question of a person between them
ROW_SECONDS = 3600  # after which an answer does not count any more: a workflow may ask every day
REMEMBERED_CHATS = 2000


class LoopGuard:
    """Counts a platform's answers to automatic senders by chat. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # What was asked in each chat, and when.
        self._rows: BoundedDict[str, dict[str, float]] = BoundedDict(REMEMBERED_CHATS)

    def admits(self, chat: str, asked: str) -> bool:
        """Return whether what a bot or a channel asked may be answered. A second attempt at it counts no further."""
        now = self._clock()
        row = {each: when for each, when in self._rows.get(chat, {}).items() if when > now - ROW_SECONDS}
        if asked not in row and len(row) >= MOST_IN_A_ROW:
            return False
        self._rows[chat] = {asked: now} | row
        return True

    def end_row(self, chat: str) -> None:
        """Begin to count again in a chat, because a person asked there."""
        self._rows.pop(chat, None)

"""Limit how often the bot writes: once a second in a chat, 20 times a minute in a group, 30 times a second in all.

All drafts of a bot share this limit. A final edit goes before an answer's first words, those before a placeholder, and
that before a growing text. Growing text never waits here; it is shown a little later instead. Each placeholder reserves
one write of its group's minute for its final edit. While two answers grow in one chat, neither is edited after its
first words, because their ends may come together. So a final edit waits for at most one other write, apart from other
final edits and first words that are overdue.

The more is written in a group, the longer first words wait, because an answer that is complete by then needs one write
instead of two. If fewer writes are left, more answers wait this way. Overdue first words go before everything. Source:
https://core.telegram.org/bots/faq#broadcasting-to-users
"""

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count

from bots.conversing.delivery_errors import RetryLater


class Rank(IntEnum):
    UNSEEN = 0  # a final text of an answer that was not shown at all
    FINAL = 1
    FIRST = 2
    POST = 3
    GROWING = 4


FIRST_WORDS_SECONDS = 12.0  # longest wait of an answer's first words while writes are scarce
WRITE_SECONDS = 1.2  # between two writes in a chat, including the round trip
PLACEHOLDER_SECONDS = 2.0  # how long a placeholder waits in a group
SCARCE_SHARE = 0.3  # of a group's minute that is written or reserved
SPARE_SHARE = 0.3  # of a second's writes, below which one that no answer waits for is allowed
SHARES = {
    Rank.UNSEEN: 1.0,
    Rank.FINAL: 1.0,
    Rank.FIRST: 0.9,
    Rank.POST: 0.8,
    Rank.GROWING: 0.66,
}


@dataclass(slots=True)
class _Chat:
    last: float  # end of the last write: counted from there, no two writes arrive closer than the pause
    window: deque[float] = field(default_factory=deque)  # ends of the last minute's writes
    blocked_until: float = 0.0
    busy: bool = False
    begun: set[object] = field(default_factory=set)  # answers that still need their final edit
    growing: set[object] = field(default_factory=set)  # answers that have text
    first: dict[object, float] = field(default_factory=dict)  # since when an answer's first words wait
    queue: list[tuple[Rank, int]] = field(default_factory=list)  # a heap of tickets
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class RateLimit:
    def __init__(self, pause_s: float = 1.0, group_per_minute: int = 20, all_per_second: int = 25) -> None:
        self._pause_s = pause_s
        self._group_per_minute = group_per_minute
        self._all_per_second = all_per_second  # under 30, because the network may bunch writes up
        self._all: deque[float] = deque()
        self._chats: dict[int, _Chat] = {}
        self._tickets = count()
        self._began = self._now()  # an earlier run may have written just before

    @asynccontextmanager
    async def slot(self, chat_id: int, rank: Rank, answer: object) -> AsyncIterator[None]:
        """Wait for one write to a chat for an answer. Raises `RetryLater` for a write that should not wait here."""
        chat = self._chat(chat_id)
        if rank is Rank.GROWING or (rank is Rank.FIRST and chat_id >= 0):
            self._admit_growing(chat_id, chat)
        elif rank is Rank.FIRST:  # in a group
            self._admit_first(chat_id, chat, answer)
        else:
            if chat.first.pop(answer, None) is not None:  # the answer is complete
                rank = Rank.UNSEEN
            await self._wait_in_queue(chat_id, chat, rank, answer)
        chat.busy = True
        chat.begun.add(answer)
        self._all.append(self._now())
        try:
            yield
        finally:
            chat.busy = False
            chat.last = self._now()
            chat.window.append(chat.last)
            chat.wake()

    def is_scarce(self, chat_id: int) -> bool:
        """Return whether a group's minute has so few writes left that answers should use as few as possible."""
        if chat_id >= 0:
            return False
        chat = self._chat(chat_id)
        self._forget_old(chat)
        return len(chat.window) + 3 * (len(chat.begun) + len(chat.queue)) >= self._group_per_minute * SCARCE_SHARE

    def claim_spare(self, chat_id: int) -> bool:
        """Claim a write that no answer waits for, such as a reaction. Return False if the answers may need it."""
        now = self._now()
        recent = sum(moment > now - 1 for moment in self._all)
        if self.is_scarce(chat_id) or recent >= self._all_per_second * SPARE_SHARE:
            return False
        if self._chat(chat_id).blocked_until > now:
            return False
        self._all.append(now)
        return True

    def grows(self, chat_id: int, answer: object) -> None:
        """Note that an answer has text, so that it may end at any moment."""
        self._chat(chat_id).growing.add(answer)

    def end(self, answer: object) -> None:
        for chat in self._chats.values():
            chat.begun.discard(answer)
            chat.growing.discard(answer)
            chat.first.pop(answer, None)

    def block(self, chat_id: int, seconds: float) -> None:
        """Stop writing for the time that Telegram asks for (429)."""
        self._chat(chat_id).blocked_until = self._now() + seconds

    def _admit_growing(self, chat_id: int, chat: _Chat) -> None:
        if chat.busy or chat.queue or len(chat.growing) > 1:
            raise RetryLater(self._pause_s / 2)
        wait = self._wait(chat_id, chat, Rank.GROWING, 0)
        if chat_id < 0:  # the fuller the minute, the longer the pause; half of the minute stays free for answers
            most = max(1, min(self._group_per_minute // 2, self._group_per_minute - len(chat.begun)))
            recent = len(chat.window)
            wait = max(wait, chat.last + self._pause_s * 2 ** (recent * 5 / self._group_per_minute - 1) - self._now())
            if recent >= most:
                wait = max(wait, chat.window[-most] + 60 - self._now())
        if wait > 0:
            raise RetryLater(wait)

    def _admit_first(self, chat_id: int, chat: _Chat, answer: object) -> None:
        """Let first words write, oldest first."""
        chat.first.setdefault(answer, self._now())
        wait = max(self._wait(chat_id, chat, Rank.FIRST, 0), self._until_first(chat_id, chat))
        if wait > 0 or chat.busy or next(iter(chat.first)) is not answer:
            raise RetryLater(max(self._pause_s / 10, min(wait, self._pause_s)))
        del chat.first[answer]

    def _until_first(self, chat_id: int, chat: _Chat) -> float:
        """Return the seconds that the oldest first words may still wait."""
        if not chat.first or not self.is_scarce(chat_id):
            return 0.0
        patience = max(0.0, FIRST_WORDS_SECONDS - WRITE_SECONDS * len(chat.first))
        return next(iter(chat.first.values())) + patience - self._now()

    async def _wait_in_queue(self, chat_id: int, chat: _Chat, rank: Rank, answer: object) -> None:
        ticket, since = (rank, next(self._tickets)), self._now()
        heapq.heappush(chat.queue, ticket)
        try:
            while True:
                first = rank > Rank.UNSEEN and bool(chat.first) and self._until_first(chat_id, chat) <= 0
                mine = not chat.busy and chat.queue[0] == ticket and not first
                kept = len(chat.begun | {answer}) if rank is Rank.POST else 0
                wait = self._wait(chat_id, chat, rank, kept) if mine else None
                if wait is not None and wait <= 0:
                    return
                if rank is Rank.POST and chat_id < 0:  # by then there may be words, which go before placeholders
                    if self._now() - since >= PLACEHOLDER_SECONDS:
                        raise RetryLater(self._pause_s)
                    wait = min(wait or PLACEHOLDER_SECONDS, PLACEHOLDER_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s if first else wait):
                        await chat.changed.wait()
        finally:
            chat.queue.remove(ticket)
            heapq.heapify(chat.queue)
            chat.wake()

    def _wait(self, chat_id: int, chat: _Chat, rank: Rank, kept: int) -> float:
        """Return the seconds until the next write that leaves so many of the chat's minute. Not positive means now."""
        now = self._now()
        self._forget_old(chat)
        while self._all and self._all[0] <= now - 1:
            self._all.popleft()
        ready = max(chat.last + self._pause_s, chat.blocked_until)
        most = max(1, self._group_per_minute - kept)
        if chat_id < 0 and len(chat.window) >= most:  # groups have negative ids
            ready = max(ready, chat.window[-most] + 60)
        share = max(1, int(self._all_per_second * SHARES[rank]))
        if len(self._all) >= share:
            ready = max(ready, self._all[-share] + 1)
        return ready - now

    def _forget_old(self, chat: _Chat) -> None:
        while chat.window and chat.window[0] <= self._now() - 60:
            chat.window.popleft()

    def _chat(self, chat_id: int) -> _Chat:
        if chat_id not in self._chats:
            if len(self._chats) > 1000:
                self._chats = {k: c for k, c in self._chats.items() if not self._forgettable(c)}
            self._chats[chat_id] = _Chat(last=self._began)
        return self._chats[chat_id]

    def _forgettable(self, chat: _Chat) -> bool:
        quiet_since = max(chat.last, chat.blocked_until)
        return not (chat.queue or chat.busy or chat.begun) and quiet_since < self._now() - 120

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

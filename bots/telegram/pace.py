"""How often the bot may write: once a second in a chat, 20 times a minute in a group, 30 times a second in all.

Shared by all drafts of a bot. A final edit goes before a placeholder, a placeholder before a text that still grows; a
growing text never waits here, it is simply shown a little later. Source: https://core.telegram.org/bots/faq#broadcasting-to-users
"""

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count

from bots.reply import Later


class Rank(IntEnum):
    FINAL = 0
    POST = 1
    GROWING = 2


@dataclass(slots=True)
class _Chat:
    last: float  # when the last write was over: counted from there, no two can arrive closer than the pause
    window: deque[float] = field(default_factory=deque)  # ends of the writes of the last minute
    blocked_until: float = 0.0
    busy: bool = False
    line: list[tuple[Rank, int]] = field(default_factory=list)  # a heap of tickets
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Pace:
    def __init__(self, pause_s: float = 1.0, group_per_minute: int = 20, all_per_second: int = 25) -> None:
        self._pause_s = pause_s
        self._group_per_minute = group_per_minute
        self._all_per_second = all_per_second  # under 30, so that what the network bunches up is still within it
        self._all: deque[float] = deque()
        self._chats: dict[int, _Chat] = {}
        self._tickets = count()
        self._began = self._now()  # a run before this one may have written just now

    @asynccontextmanager
    async def turn(self, chat_id: int, rank: Rank) -> AsyncIterator[None]:
        """One write to a chat. Raises `Later` for a growing text that cannot be shown now."""
        chat = self._chat(chat_id)
        if rank is Rank.GROWING:
            self._admit_growing(chat_id, chat)
        else:
            await self._stand_in_line(chat_id, chat, rank)
        chat.busy = True
        self._all.append(self._now())
        try:
            yield
        finally:
            chat.busy = False
            chat.last = self._now()
            chat.window.append(chat.last)
            chat.wake()

    def block(self, chat_id: int, seconds: float) -> None:
        """Telegram asked to wait (429)."""
        self._chat(chat_id).blocked_until = self._now() + seconds

    def _admit_growing(self, chat_id: int, chat: _Chat) -> None:
        if chat.busy or chat.line:
            raise Later(self._pause_s / 2)
        wait = self._wait(chat_id, chat)
        if chat_id < 0:  # the fuller the minute, the longer the pause; the last quarter stays free for answers
            recent, most = len(chat.window), self._group_per_minute * 3 // 4
            wait = max(wait, chat.last + self._pause_s * 2 ** (recent * 5 / self._group_per_minute - 1) - self._now())
            if recent >= most:
                wait = max(wait, chat.window[-most] + 60 - self._now())
        if len(self._all) > self._all_per_second * 2 // 3:
            wait = max(wait, self._pause_s / 2)
        if wait > 0:
            raise Later(wait)

    async def _stand_in_line(self, chat_id: int, chat: _Chat, rank: Rank) -> None:
        ticket = (rank, next(self._tickets))
        heapq.heappush(chat.line, ticket)
        try:
            while True:
                mine = not chat.busy and chat.line[0] == ticket
                wait = self._wait(chat_id, chat) if mine else None
                if wait is not None and wait <= 0:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(chat.changed.wait(), wait)
        finally:
            chat.line.remove(ticket)
            heapq.heapify(chat.line)
            chat.wake()

    def _wait(self, chat_id: int, chat: _Chat) -> float:
        """Seconds until the next write to a chat is allowed; not positive when it is now."""
        now = self._now()
        while chat.window and chat.window[0] <= now - 60:
            chat.window.popleft()
        while self._all and self._all[0] <= now - 1:
            self._all.popleft()
        ready = max(chat.last + self._pause_s, chat.blocked_until)
        if chat_id < 0 and len(chat.window) >= self._group_per_minute:  # groups have negative ids
            ready = max(ready, chat.window[-self._group_per_minute] + 60)
        if len(self._all) >= self._all_per_second:
            ready = max(ready, self._all[-self._all_per_second] + 1)
        return ready - now

    def _chat(self, chat_id: int) -> _Chat:
        if chat_id not in self._chats:
            if len(self._chats) > 1000:
                idle = self._now() - 120
                self._chats = {k: c for k, c in self._chats.items() if c.line or c.busy or c.last > idle}
            self._chats[chat_id] = _Chat(last=self._began)
        return self._chats[chat_id]

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

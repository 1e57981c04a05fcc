"""Limit how often Slack is called. Its limits are per method and workspace: all answers in all channels share them.

Growing texts share a part of each method's calls evenly, and leave the rest to last writes. After a 429 the method is
slower for a while. https://docs.slack.dev/apis/web-api/rate-limits
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from bots.conversing.delivery_errors import RetryLater

WINDOW_SECONDS = 61.0  # a minute, and a second for calls under way
CALLS_PER_MINUTE = {  # by the SDK's names
    "chat_startStream": 20,
    "chat_stopStream": 20,
    "chat_update": 50,
    "chat_appendStream": 100,
    "chat_delete": 50,
    "conversations_replies": 50,
    "conversations_history": 50,
    "files_info": 100,
    "files_getUploadURLExternal": 100,
    "files_completeUploadExternal": 100,
    "users_info": 100,
    "reactions_add": 50,
    "reactions_remove": 20,
    "views_open": 100,
}
FREE_SHARE, PACED_SHARE, GROWING_SHARE = 0.05, 0.85, 0.95  # of a method's calls: at will, evenly, and no more
SLOWDOWN_FACTOR = 0.8  # of the calls, after a 429
RECOVERY_SECONDS = 600.0  # until a slowed method is as fast as before
FEWEST_CALLS_PER_MINUTE = 6.0
UNLIMITED_CALLS_PER_MINUTE = 6000.0


@dataclass(slots=True)
class _Method:
    most: float  # calls a minute
    allowed: float
    slowed: float = 0.0  # when
    blocked: float = 0.0  # until when
    calls: deque[float] = field(default_factory=deque)  # when, in the last minute

    def limit(self, now: float) -> float:
        return min(self.most, self.allowed + (now - self.slowed) / RECOVERY_SECONDS * self.most)

    def wait(self, now: float, share: float) -> float:
        """Return the seconds until a call that may use this share of the limit."""
        while self.calls and now - self.calls[0] >= WINDOW_SECONDS:
            self.calls.popleft()
        allowed = max(1, int(self.limit(now) * share))
        free = self.calls[-allowed] + WINDOW_SECONDS if len(self.calls) >= allowed else now
        return max(free, self.blocked) - now


class Budget:
    """The calls left. `limits` are calls a minute; other methods are limited by a 429 only. `clock` counts seconds."""

    def __init__(
        self,
        limits: Mapping[str, int] = CALLS_PER_MINUTE,
        clock: Callable[[], float] = lambda: asyncio.get_running_loop().time(),
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._methods: dict[str, _Method] = {}
        self._growing: dict[Hashable, str] = {}  # an answer that grows -> the method that writes it

    def wait(self, method: str, share: float = 1.0) -> float:
        """Return the seconds until the method may be called."""
        return self._of(method).wait(self._clock(), share)

    def spend(self, method: str) -> None:
        """Count a call. Raises `RetryLater` if none is allowed now."""
        if (wait := self.wait(method)) > 0:
            raise RetryLater(wait)
        if method in self._limits:
            self._of(method).calls.append(self._clock())

    def slow_down(self, method: str, seconds: float) -> None:
        """Stop the method for so long after a 429, and allow fewer calls after that."""
        now, known = self._clock(), self._of(method)
        if known.blocked <= now:  # otherwise it is about calls already under way
            known.allowed, known.slowed = max(FEWEST_CALLS_PER_MINUTE, known.limit(now) * SLOWDOWN_FACTOR), now
        known.blocked = max(known.blocked, now + seconds)

    # Texts that grow

    def joins(self, answer: Hashable, method: str) -> None:
        self._growing[answer] = method

    def leaves(self, answer: Hashable) -> None:
        self._growing.pop(answer, None)

    def check_growing(self, answer: Hashable) -> None:
        """Raise `RetryLater` if the growing texts' share of the calls is used up."""
        if (method := self._growing.get(answer)) and (wait := self.wait(method, GROWING_SHARE)) > 0:
            raise RetryLater(wait)

    def interval(self, answer: Hashable) -> float:
        """Return the seconds between two writes of each growing text."""
        method = self._growing.get(answer)
        if method is None or self.wait(method, FREE_SHARE) <= 0:
            return 0.0
        writers = sum(each == method for each in self._growing.values())
        return writers * 60.0 / (self._of(method).limit(self._clock()) * PACED_SHARE)

    def _of(self, method: str) -> _Method:
        if method not in self._methods:
            most = float(self._limits.get(method, UNLIMITED_CALLS_PER_MINUTE))
            self._methods[method] = _Method(most, most)
        return self._methods[method]

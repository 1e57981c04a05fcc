"""Share engines among questions: which engine is next for which question, who waits, and which engines are there.

A conversation goes to the same engine each time, by rendezvous hashing, for the sake of its prefix cache. While that
one is full, the next of its engines with room is asked. While all are full, questions wait in one queue, by arrival.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from core.errors import EngineEnded, QueueFull
from core.events import Tell, Waiting
from core.remote.endpoint import Endpoint, State
from core.remote.failure import Failure, FailureKind

log = logging.getLogger(__name__)
PROBE_EVERY_SECONDS = 30.0  # while nothing is asked
SMOOTHING = 0.2  # of the latest duration in the moving average


TRIES = {  # of an engine with one question; it may load, or be busy, for longer
    FailureKind.UNREACHABLE: 3,
    FailureKind.LOST: 3,
    FailureKind.BROKEN: 2,
    FailureKind.SILENT: 1,
    FailureKind.REFUSED: 1,
    FailureKind.QUESTION: 1,
}


class NoEngine(Exception):
    """No engine is left for a question."""


@dataclass(slots=True, eq=False)
class Candidate:
    """A question that wants an engine. `failures` counts how engines failed with it; `last` is the latest of them."""

    session: str
    arrived: float
    tell: Tell
    has_schema: bool = False
    failures: Counter[tuple[Endpoint, FailureKind]] = field(default_factory=Counter)
    last: Failure | None = None
    told: Waiting | None = None
    assigned: "asyncio.Future[Endpoint]" = field(init=False)

    def may_ask(self, endpoint: Endpoint) -> bool:
        return all(self.failures[endpoint, kind] < tries for kind, tries in TRIES.items())


@dataclass(slots=True)
class RequestTimes:
    """Moving averages in seconds; None until measured."""

    first_token: float | None = None
    answer: float | None = None

    def measure(self, first_token: float, answer: float) -> None:
        self.first_token = _average(self.first_token, first_token)
        self.answer = _average(self.answer, answer)

    def estimate(self, position: int, free: int, room: int) -> float | None:
        """Return the seconds until the first word of the question at `position`, with `free` of `room` places free."""
        if self.first_token is None or self.answer is None or not room:
            return None
        return self.first_token + max(0, position - free) * self.answer / room


class Pool:
    """`most_waiting` questions wait at most. Call `start` before, and `close` at the end."""

    def __init__(self, endpoints: Sequence[Endpoint], most_waiting: int) -> None:
        self.endpoints = endpoints
        self.times = RequestTimes()
        self.waiting: list[Candidate] = []
        self._most_waiting = most_waiting
        self._doubts = {endpoint: asyncio.Event() for endpoint in endpoints}
        self._watching: list[asyncio.Task[None]] = []
        self._closed = False

    @property
    def running(self) -> int:
        return sum(endpoint.running for endpoint in self.endpoints)

    async def start(self) -> None:
        """Look at each engine once, and then now and again until `close`."""
        await asyncio.gather(*(self._probe(endpoint) for endpoint in self.endpoints))
        self._watching = [asyncio.create_task(self._watch(endpoint)) for endpoint in self.endpoints]

    async def close(self) -> None:
        """End everything. Questions that wait, and those that are being answered, end with `EngineEnded`."""
        self._closed = True
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        self._assign()
        for endpoint in self.endpoints:
            await endpoint.close()

    @asynccontextmanager
    async def slot(self, candidate: Candidate) -> AsyncIterator[Endpoint]:
        """Wait for an engine with room, and hold a slot there. Raises `NoEngine` and `Busy`."""
        self.check_open()
        endpoint = await self._assigned(candidate)
        try:
            yield endpoint
        finally:
            endpoint.running -= 1
            self._assign()

    def note_answer(self, endpoint: Endpoint) -> None:
        endpoint.health.answered()

    def note_failure(self, endpoint: Endpoint, failure: Failure, candidate: Candidate) -> None:
        """Note that an engine failed with a question. The questions that one loss interrupts count once."""
        candidate.failures[endpoint, failure.kind] += 1
        candidate.last = failure
        log.warning("the engine at %s did not answer: %s", endpoint.name, failure.reason)
        if endpoint.health.state is State.READY:
            endpoint.health.failed(failure)
            self._doubts[endpoint].set()
        self._assign()

    def is_hopeless(self, candidate: Candidate) -> bool:
        """Return whether each engine answered this question with nonsense or an error, as often as it was asked."""
        broken, most = FailureKind.BROKEN, TRIES[FailureKind.BROKEN]
        return all(candidate.failures[endpoint, broken] >= most for endpoint in self.endpoints)

    def check_open(self) -> None:
        """Raise `EngineEnded` once the pool is closed."""
        if self._closed:
            raise _ended()

    async def _assigned(self, candidate: Candidate) -> Endpoint:
        candidate.assigned = asyncio.get_running_loop().create_future()
        is_new = candidate.told is None
        if is_new and len(self.waiting) >= self._most_waiting and self._engine_for(candidate) is None:
            raise QueueFull
        later = (index for index, other in enumerate(self.waiting) if other.arrived > candidate.arrived)
        self.waiting.insert(next(later, len(self.waiting)), candidate)
        self._assign()
        try:
            return await candidate.assigned
        except asyncio.CancelledError:
            if candidate.assigned.done() and not candidate.assigned.cancelled() and not candidate.assigned.exception():
                candidate.assigned.result().running -= 1
            raise
        finally:
            if candidate in self.waiting:
                self.waiting.remove(candidate)
            self._assign()

    def _assign(self) -> None:
        """Give each waiting question, in order, an engine if there is one, and tell the others their position."""
        for candidate in list(self.waiting):
            if candidate.assigned.done():
                self.waiting.remove(candidate)
            elif self._closed:
                candidate.assigned.set_exception(_ended())
            elif (endpoint := self._engine_for(candidate)) is not None:
                endpoint.running += 1
                self.waiting.remove(candidate)
                self._tell(candidate, 1, 1)
                candidate.assigned.set_result(endpoint)
            elif not self._may_hope(candidate):
                self.waiting.remove(candidate)
                candidate.assigned.set_exception(NoEngine())
        for position, candidate in enumerate(self.waiting, 1):
            self._tell(candidate, position, 0)

    def _engine_for(self, candidate: Candidate) -> Endpoint | None:
        free = [it for it in self._hopes(candidate) if it.health.state is State.READY and it.running < it.most]
        return max(free, key=lambda endpoint: _weight(candidate.session, endpoint.url), default=None)

    def _may_hope(self, candidate: Candidate) -> bool:
        return any(endpoint.health.state is not State.DOWN for endpoint in self._hopes(candidate))

    def _hopes(self, candidate: Candidate) -> list[Endpoint]:
        return [endpoint for endpoint in self.endpoints if candidate.may_ask(endpoint)]

    def _tell(self, candidate: Candidate, position: int, free: int) -> None:
        room = sum(endpoint.most for endpoint in self.endpoints if endpoint.health.state is State.READY)
        waiting = Waiting(position, self.times.estimate(position, free, room))
        if waiting != candidate.told:
            candidate.told = waiting
            try:
                candidate.tell(waiting)
            except Exception:  # a bug in one listener does not concern the others that wait
                log.exception("a place in line could not be told")

    async def _watch(self, endpoint: Endpoint) -> None:
        """Look after an engine: soon after it failed, and now and again while it has nothing to do."""
        doubt = self._doubts[endpoint]
        while True:
            ready = endpoint.health.state is State.READY
            try:
                async with asyncio.timeout(PROBE_EVERY_SECONDS if ready else endpoint.health.pause):
                    await doubt.wait()
            except TimeoutError:
                if not ready or not endpoint.running:
                    await self._probe(endpoint)
            doubt.clear()

    async def _probe(self, endpoint: Endpoint) -> None:
        was = endpoint.health.state, endpoint.health.reason
        try:
            await endpoint.probe()
        except Failure as failure:
            endpoint.health.failed(failure)
        else:
            endpoint.health.ready()
        if (endpoint.health.state, endpoint.health.reason) != was:
            log.info("the engine at %s: %s", endpoint.name, endpoint.health.reason or "ready")
        self._assign()


def _ended() -> EngineEnded:
    return EngineEnded("The service is about to restart. Please ask again in a minute.", retry_after=60.0)


def _weight(session: str, url: str) -> bytes:
    """Return the weight of rendezvous hashing: an engine that comes or goes moves only its own conversations."""
    return hashlib.sha256(f"{session}\n{url}".encode()).digest()


def _average(known: float | None, latest: float) -> float:
    return latest if known is None else (1 - SMOOTHING) * known + SMOOTHING * latest

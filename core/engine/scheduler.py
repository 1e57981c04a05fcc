"""Who computes next. Pure policy: imports no torch, knows no tensors and reads no clock.

Every step decodes one token for each running answer; what is left of the step's seconds goes to newcomers: looking at
pictures and prefill, a slice at a time, so that nobody who is reading along waits long for the next token.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

PAUSE = 0.6  # seconds a step may take while somebody reads along
ALONE = 1.0  # seconds a step may take while nobody does: cancelling and newcomers wait for it
ROWS = 512  # most rows of prefill in one step; activations stay small
FIRST_ROWS = 32  # before any speed is known
NOTHING = 1e-9  # seconds or tokens; what rounding leaves
AGEING = 0.5  # a second of waiting counts like so many seconds less work: short questions first, nobody starves


@dataclass(slots=True, eq=False)
class Job:
    """What the scheduler knows about a request. The model thread keeps the numbers up to date."""

    bytes: int  # that it may need until its answer is complete
    arrived: float
    answer_tokens: int  # at most
    patches: int = 0  # still to be looked at
    rows: int = 0  # still to be prefilled
    written: int = 0  # tokens of the answer
    begun: bool = False  # something was computed for it


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Step(Generic[J]):
    """`look` may take `seconds`; `prefill` says how many rows of whom."""

    decode: tuple[J, ...]
    prefill: tuple[tuple[J, int], ...]
    look: J | None
    seconds: float


@dataclass(slots=True)
class Speeds:
    """Measured seconds, as moving averages; None until measured."""

    patch: float | None = None
    row: float | None = None
    token: float | None = None  # one decoding step, however many take part
    answer: float = 100.0  # tokens of an answer

    def measure(self, name: str, value: float) -> None:
        known: float | None = getattr(self, name)
        setattr(self, name, value if known is None else 0.8 * known + 0.2 * value)

    def newcomer(self, job: Job) -> float:
        """Seconds until its first token if it were alone."""
        return job.patches * (self.patch or 0.0) + job.rows * (self.row or 0.0)

    @property
    def known(self) -> bool:
        return None not in (self.patch, self.row, self.token)


@dataclass(slots=True)
class Scheduler(Generic[J]):
    """`limit` is in bytes. `line` waits for admission in order; `running` was admitted."""

    limit: int
    speeds: Speeds = field(default_factory=Speeds)
    running: list[J] = field(default_factory=list)
    line: deque[J] = field(default_factory=deque)

    @property
    def used(self) -> int:
        return sum(job.bytes for job in self.running)

    def add(self, job: J) -> None:
        """Behind all who arrived before it, however long it took until what it asks about was looked through."""
        later = (place for place, other in enumerate(self.line) if other.arrived > job.arrived)
        self.line.insert(next(later, len(self.line)), job)

    def remove(self, job: J) -> None:
        (self.running if job in self.running else self.line).remove(job)

    def admit(self) -> list[J]:
        """Everybody at the head of the line whose bytes fit. Strictly in order: nobody is overtaken forever."""
        admitted = []
        used = self.used
        while self.line and used + self.line[0].bytes <= self.limit:
            job = self.line.popleft()
            used += job.bytes
            self.running.append(job)
            admitted.append(job)
        return admitted

    def next_step(self, now: float) -> Step[J] | None:
        """None when there is nothing to do."""
        decode = tuple(job for job in self.running if not job.patches and not job.rows)
        newcomers = self._newcomers(now)
        if not decode and not newcomers:
            return None
        seconds = (PAUSE if decode else ALONE) - (self.speeds.token or 0.0 if decode else 0.0)
        seconds = max(seconds, PAUSE / 4)  # newcomers get on, however slow decoding is
        if newcomers and newcomers[0].patches:
            return Step(decode, (), newcomers[0], seconds)
        return Step(decode, self._share(newcomers, seconds), None, seconds)

    def _newcomers(self, now: float) -> list[J]:
        found = [job for job in self.running if job.patches or job.rows]
        return sorted(found, key=lambda job: self.speeds.newcomer(job) - AGEING * (now - job.arrived))

    def _share(self, newcomers: list[J], seconds: float) -> tuple[tuple[J, int], ...]:
        """Rows for those who need no more looking, first come first."""
        left = FIRST_ROWS if self.speeds.row is None else max(8, min(ROWS, int(seconds / self.speeds.row)))
        shares = []
        for job in newcomers:
            if not job.patches and left > 0:
                rows = min(job.rows, left)
                shares.append((job, rows))
                left -= rows
        return tuple(shares)

    def places(self, now: float) -> list[tuple[J, int, float | None]]:
        """(job, place, seconds until its first token) of everybody for whom nothing was computed yet."""
        waiting = [job for job in (*self._newcomers(now), *self.line) if not job.begun]
        if not waiting or not self.speeds.known:
            return [(job, place, None) for place, job in enumerate(waiting, 1)]
        seconds = self._first_tokens(now)
        waiting.sort(key=lambda job: seconds.get(job, math.inf))
        return [(job, place, seconds.get(job)) for place, job in enumerate(waiting, 1)]

    def _first_tokens(self, now: float) -> dict[J, float]:
        """Seconds until the first token of everybody who has none yet, by playing the coming steps: the cheapest
        newcomer first, age counting, slower while somebody reads along; the line as bytes become free."""
        token = self.speeds.token or 0.0
        share = max(PAUSE - token, PAUSE / 4)  # of a step in which somebody decodes
        cost = {job: self.speeds.newcomer(job) for job in self.running if job.patches or job.rows}
        tokens = {job: self._tokens(job) for job in self.running if job not in cost}
        line, free = deque(self.line), self.limit - self.used
        elapsed = 0.0
        found: dict[J, float] = {}
        while cost or line:
            while line and line[0].bytes <= free:
                admitted = line.popleft()
                free -= admitted.bytes
                cost[admitted] = self.speeds.newcomer(admitted)
            job = min(cost, key=lambda each: cost[each] - AGEING * (now + elapsed - each.arrived), default=None)
            slow = (token + share) / share if tokens else 1.0
            per_token = (token + share) if job else token
            soonest = min(tokens.values(), default=math.inf) * per_token  # an answer ends, and frees its bytes
            spent = min(soonest, math.inf if job is None else cost[job] * slow)
            if spent == math.inf:
                break  # nobody is left who could make room
            elapsed += spent
            tokens = {each: left - (spent / per_token if per_token else left) for each, left in tokens.items()}
            for each in [each for each, left in tokens.items() if left <= NOTHING]:
                free += each.bytes
                del tokens[each]
            if job is not None:
                cost[job] -= spent / slow
                if cost[job] <= NOTHING:
                    del cost[job]
                    found[job] = elapsed
                    tokens[job] = self._tokens(job)
        return found

    def _tokens(self, job: J) -> float:
        """Until the likely end of its answer."""
        return max(1.0, min(job.answer_tokens, self.speeds.answer) - job.written)

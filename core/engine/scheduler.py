"""Decide which requests are computed next. Pure policy: imports no torch, knows no tensors and reads no clock.

This is continuous batching with chunked prefill. Requests are admitted in the order they came, while memory is free.
Every step decodes one token for each running answer. The rest of the step's seconds goes to new requests, the cheapest
first, where waiting makes a request cheaper. They encode pictures and prefill a slice at a time, so that a reader never
waits long for the next token.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

DECODING_STEP_SECONDS = 0.35  # a step while an answer is being read; no reader waits longer than 0.5 s for a word
LEAST_SECONDS_BESIDE_DECODING = 0.15  # so that new requests progress, however slow decoding is
PREFILL_STEP_SECONDS = 1.0  # longest step otherwise; cancelling and new requests wait for it
STEP_PREFILL_ROWS = 512  # most rows of prefill in one step, so that activations stay small
UNMEASURED_PREFILL_ROWS = 32  # before any speed is known
ROUNDING_ERROR = 1e-9  # seconds or tokens
# A second of waiting counts like so many seconds less work: short questions go first, and none starves.
AGEING_SECONDS_PER_SECOND = 0.5


@dataclass(slots=True, eq=False)
class Job:
    """What the scheduler knows about a request. The model thread keeps the numbers up to date."""

    bytes: int  # most that it may need until its answer is complete
    arrived: float
    answer_tokens: int  # at most
    patches: int = 0  # still to be encoded
    rows: int = 0  # still to be prefilled
    written: int = 0  # tokens of the answer
    begun: bool = False  # something was computed for it


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Step(Generic[J]):
    """What to compute next: who decodes, who prefills how many rows, and whose picture is encoded for `seconds`."""

    decode: tuple[J, ...]
    prefill: tuple[tuple[J, int], ...]
    encoding: J | None
    seconds: float


@dataclass(slots=True)
class Costs:
    """Hold moving averages of the seconds that one patch, one row and one decoding step take; None until measured.

    `answer` is the average length of an answer, in tokens.
    """

    patch: float | None = None
    row: float | None = None
    token: float | None = None  # one decoding step, however many take part
    answer: float = 100.0  # tokens of an answer

    def measure(self, name: str, value: float) -> None:
        known: float | None = getattr(self, name)
        setattr(self, name, value if known is None else 0.8 * known + 0.2 * value)

    def seconds_to_first_token(self, job: Job) -> float:
        """Return the seconds until the job's first token if it were alone."""
        return job.patches * (self.patch or 0.0) + job.rows * (self.row or 0.0)

    @property
    def seconds_beside_decoding(self) -> float:
        """Return what a decoding step leaves for new requests."""
        return max(DECODING_STEP_SECONDS - (self.token or 0.0), LEAST_SECONDS_BESIDE_DECODING)

    @property
    def known(self) -> bool:
        return None not in (self.patch, self.row, self.token)


@dataclass(slots=True)
class Scheduler(Generic[J]):
    """Schedules jobs. `limit` is in bytes; `waiting` wait for admission in order; `running` is admitted."""

    limit: int
    costs: Costs = field(default_factory=Costs)
    running: list[J] = field(default_factory=list)
    waiting: deque[J] = field(default_factory=deque)

    @property
    def used(self) -> int:
        return sum(job.bytes for job in self.running)

    def add(self, job: J) -> None:
        """Queue a job by its arrival, however long preparing it took."""
        later = (position for position, other in enumerate(self.waiting) if other.arrived > job.arrived)
        self.waiting.insert(next(later, len(self.waiting)), job)

    def remove(self, job: J) -> None:
        (self.running if job in self.running else self.waiting).remove(job)

    def admit(self) -> list[J]:
        """Admit jobs from the head of the queue while their bytes fit. The order is strict, so that none starves."""
        admitted = []
        used = self.used
        while self.waiting and used + self.waiting[0].bytes <= self.limit:
            job = self.waiting.popleft()
            used += job.bytes
            self.running.append(job)
            admitted.append(job)
        return admitted

    def next_step(self, now: float) -> Step[J] | None:
        """Return the next step, or None when there is nothing to do."""
        decode = tuple(job for job in self.running if not job.patches and not job.rows)
        prefilling = self._prefilling(now)
        if not decode and not prefilling:
            return None
        seconds = self.costs.seconds_beside_decoding if decode else PREFILL_STEP_SECONDS
        if prefilling and prefilling[0].patches:
            return Step(decode, (), prefilling[0], seconds)
        return Step(decode, self._share(prefilling, seconds), None, seconds)

    def _prefilling(self, now: float) -> list[J]:
        found = [job for job in self.running if job.patches or job.rows]
        return sorted(found, key=lambda job: _rank(job, self.costs.seconds_to_first_token(job), now))

    def _share(self, prefilling: list[J], seconds: float) -> tuple[tuple[J, int], ...]:
        """Divide the step's rows among jobs that need no more encoding, in the given order."""
        left = (
            UNMEASURED_PREFILL_ROWS
            if self.costs.row is None
            else max(8, min(STEP_PREFILL_ROWS, int(seconds / self.costs.row)))
        )
        shares = []
        for job in prefilling:
            if not job.patches and left > 0:
                rows = min(job.rows, left)
                shares.append((job, rows))
                left -= rows
        return tuple(shares)

    def positions(self, now: float) -> list[tuple[J, int, float | None]]:
        """Return (job, position, seconds until its first token) for all jobs without a first result."""
        waiting = [job for job in (*self._prefilling(now), *self.waiting) if not job.begun]
        if not waiting or not self.costs.known:
            return [(job, position, None) for position, job in enumerate(waiting, 1)]
        seconds = self._first_tokens(now)
        waiting.sort(key=lambda job: seconds.get(job, math.inf))
        return [(job, position, seconds.get(job)) for position, job in enumerate(waiting, 1)]

    def _first_tokens(self, now: float) -> dict[J, float]:
        """Estimate the seconds until each job's first token by simulating the coming steps.

        The cheapest job goes first, where waiting counts as a discount. Jobs are slower while answers are being
        written, and queued jobs join as bytes become free.
        """
        token = self.costs.token or 0.0
        share = self.costs.seconds_beside_decoding
        cost = {job: self.costs.seconds_to_first_token(job) for job in self.running if job.patches or job.rows}
        tokens = {job: self._tokens(job) for job in self.running if job not in cost}
        queue, free = deque(self.waiting), self.limit - self.used
        elapsed = 0.0
        found: dict[J, float] = {}
        while cost or queue:
            while queue and queue[0].bytes <= free:
                admitted = queue.popleft()
                free -= admitted.bytes
                cost[admitted] = self.costs.seconds_to_first_token(admitted)
            job = min(cost, key=lambda each: _rank(each, cost[each], now + elapsed), default=None)
            slow = (token + share) / share if tokens else 1.0
            per_token = (token + share) if job else token
            soonest = min(tokens.values(), default=math.inf) * per_token  # until an answer ends and frees its bytes
            spent = min(soonest, math.inf if job is None else cost[job] * slow)
            if spent == math.inf:
                break  # no running job is left that could free bytes
            elapsed += spent
            tokens = {each: left - (spent / per_token if per_token else left) for each, left in tokens.items()}
            for each in [each for each, left in tokens.items() if left <= ROUNDING_ERROR]:
                free += each.bytes
                del tokens[each]
            if job is not None:
                cost[job] -= spent / slow
                if cost[job] <= ROUNDING_ERROR:
                    del cost[job]
                    found[job] = elapsed
                    tokens[job] = self._tokens(job)
        return found

    def _tokens(self, job: J) -> float:
        """Estimate how many tokens are left of the job's answer."""
        return max(1.0, min(job.answer_tokens, self.costs.answer) - job.written)


def _rank(job: Job, seconds: float, now: float) -> float:
    """Return what orders jobs, the next one first: `seconds` of work until the first token, less for waiting."""
    return seconds - AGEING_SECONDS_PER_SECOND * (now - job.arrived)

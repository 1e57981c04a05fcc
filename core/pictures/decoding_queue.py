"""Decide whose file is decoded next. Pure policy: knows no process, thread or file, and is told the time.

The queue is fair between people, not between files: the person who used the decoders least in the last minutes comes
first. Slow files do not keep other people waiting. A job that still runs after `QUICK_SECONDS` gives way to another
person's waiting job. It starts again later, on the worker for slow jobs. A person with many slow jobs gets only that
worker.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from core.errors import Busy

QUEUED_JOBS_PER_PERSON = 16
QUEUED_FILE_BYTES = 256 << 20  # of all queued files
LEAST_JOB_BYTES = 4 << 20  # a smaller file counts as so many bytes
QUICK_SECONDS = 1.0  # a photo of twelve megapixels takes a tenth of that
FREE_SECONDS = 5.0  # a person who used less in the last minutes is served by arrival
SHARE_SECONDS = 600.0  # how long decoding counts against a person's share
QUEUED_SECONDS = 60.0  # longest time in the queue


@dataclass(slots=True, eq=False)
class DecodingJob:
    """A file to decode. `person` is who asks, or "". `slow` is set once it had to give way."""

    person: str
    size: int  # bytes
    arrived: float
    queued: float
    slow: bool = False
    began: float = 0.0

    @property
    def weight(self) -> int:
        return max(self.size, LEAST_JOB_BYTES)


J = TypeVar("J", bound=DecodingJob)


@dataclass(slots=True)
class DecodingQueue(Generic[J]):
    """The jobs that wait, in no order, and the jobs that run."""

    waiting: list[J] = field(default_factory=list)
    running: list[J] = field(default_factory=list)
    _spent: dict[str, deque[tuple[float, float]]] = field(default_factory=dict)  # when, and seconds of decoding

    def add(self, job: J) -> list[J]:
        """Queue a job, and return the jobs that had to leave for it. Raises `Busy`.

        When the queue is full, the person with the most waiting bytes loses the newest job.
        """
        if job.person and sum(other.person == job.person for other in self.waiting) >= QUEUED_JOBS_PER_PERSON:
            raise too_many()
        left: list[J] = []
        while sum(other.weight for other in (*self.waiting, job)) > QUEUED_FILE_BYTES:
            newest = self._newest_of_the_largest_share(job)
            if newest is None:
                self.waiting += left
                raise too_many()
            self.waiting.remove(newest)
            left.append(newest)
        job.slow = job.slow or (bool(job.person) and self._spent_slowly(job.person, job.queued) > FREE_SECONDS)
        self.waiting.append(job)
        return left

    def next(self, slow: bool, now: float) -> J | None:
        """Begin the next slow or quick job, and return it."""
        job = self._first(slow, now)
        if job is not None:
            self.waiting.remove(job)
            self.running.append(job)
            job.began = now
        return job

    def gives_way(self, now: float) -> J | None:
        """Return the running job to restart later, if another person's job waits and all quick workers are busy."""
        waits = self._first(False, now)
        quick = [job for job in self.running if not job.slow and now - job.began > QUICK_SECONDS]
        if waits is None or not quick:
            return None
        return max(quick, key=lambda job: (self.spent(job.person, now), now - job.began))

    def ended(self, job: J, now: float) -> None:
        """Record how long a job took against its person's share."""
        self.running.remove(job)
        self._spent.setdefault(job.person, deque()).append((now, now - job.began))
        for person, times in list(self._spent.items()):
            while times and times[0][0] < now - SHARE_SECONDS:
                times.popleft()
            if not times:
                del self._spent[person]

    def overdue(self, now: float) -> list[J]:
        """Remove and return the jobs that waited too long."""
        late = [job for job in self.waiting if now - job.queued > QUEUED_SECONDS]
        self.waiting = [job for job in self.waiting if job not in late]
        return late

    def spent(self, person: str, now: float) -> float:
        """Return the seconds of decoding for this person within the last minutes."""
        past = sum(seconds for when, seconds in self._spent.get(person, ()) if when >= now - SHARE_SECONDS)
        return past + sum(now - job.began for job in self.running if job.person == person)

    def _spent_slowly(self, person: str, now: float) -> float:
        """Return the person's seconds without quick jobs, since many photos are nothing bad."""
        times = self._spent.get(person, ())
        return sum(seconds for when, seconds in times if when >= now - SHARE_SECONDS and seconds > QUICK_SECONDS)

    def _first(self, slow: bool, now: float) -> J | None:
        """Return the next job of a person with no running job. A person who used little may have several running."""
        busy = {job.person for job in self.running}
        spent = {job.person: self.spent(job.person, now) for job in self.waiting}
        found = [
            job
            for job in self.waiting
            if job.slow == slow and (not job.person or job.person not in busy or spent[job.person] < FREE_SECONDS)
        ]
        return min(found, key=lambda job: (max(0.0, spent[job.person] - FREE_SECONDS), job.arrived), default=None)

    def _newest_of_the_largest_share(self, job: J) -> J | None:
        """Return the newest job of the person with the most waiting bytes.

        Return None if the newcomer's person has or would have the most.
        """
        held = {other.person: _weight(self.waiting, other.person) for other in self.waiting}
        most = max(held, key=lambda person: held[person], default=job.person)
        if most == job.person or held[most] <= held.get(job.person, 0) + job.weight:
            return None
        return max((other for other in self.waiting if other.person == most), key=lambda other: other.queued)


def too_many() -> Busy:
    return Busy("Too many pictures arrive at once. Please try again in a minute.", retry_after=60)


def _weight(jobs: Iterable[DecodingJob], person: str) -> int:
    return sum(job.weight for job in jobs if job.person == person)

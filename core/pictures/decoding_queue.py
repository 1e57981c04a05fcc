"""Whose file is decoded next. Pure policy: knows no process, thread or file, and is told the time.

Fair between people, not between files: whoever had the decoders for the least of the last minutes comes first, and one
whose files take long does not keep others waiting. A job that is still running after `QUICK_SECONDS` gives way to
somebody else's that waits; it is done later, from its beginning, where only such jobs are done. So are all jobs of
whoever has had many such.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from core.errors import Busy

JOBS_PER_PERSON = 16  # in line
LINE_BYTES = 256 << 20  # of the files in line, each of which counts at least
JOB_BYTES = 4 << 20  # so much
QUICK_SECONDS = 1.0  # a photo of twelve megapixels takes a tenth of that
FREE_SECONDS = 5.0  # of decoding within the last minutes, before which everybody is served as they came
MEMORY_SECONDS = 600.0  # for which decoding counts against a person's share
WAIT_SECONDS = 60.0  # in line at most


@dataclass(slots=True, eq=False)
class Job:
    """`person` is who asks, or nobody in particular; `slow` once it had to give way."""

    person: str
    size: int  # bytes
    arrived: float
    queued: float
    slow: bool = False
    began: float = 0.0

    @property
    def weight(self) -> int:
        return max(self.size, JOB_BYTES)


J = TypeVar("J", bound=Job)


@dataclass(slots=True)
class DecodingQueue(Generic[J]):
    """`waiting` is in no order; `running` has begun."""

    waiting: list[J] = field(default_factory=list)
    running: list[J] = field(default_factory=list)
    _spent: dict[str, deque[tuple[float, float]]] = field(default_factory=dict)  # when, and seconds of decoding

    def add(self, job: J) -> list[J]:
        """Take a job in; returns those that had to leave for it. Raises `Busy`.

        When all places are taken, the person who holds the most gives one up.
        """
        if job.person and sum(other.person == job.person for other in self.waiting) >= JOBS_PER_PERSON:
            raise too_many()
        left: list[J] = []
        while sum(other.weight for other in (*self.waiting, job)) > LINE_BYTES:
            newest = self._newest_of_whoever_has_the_most(job)
            if newest is None:
                self.waiting += left
                raise too_many()
            self.waiting.remove(newest)
            left.append(newest)
        job.slow = job.slow or (bool(job.person) and self._spent_slowly(job.person, job.queued) > FREE_SECONDS)
        self.waiting.append(job)
        return left

    def next(self, slow: bool, now: float) -> J | None:
        """Begin the next job of the quick ones or of the slow ones."""
        job = self._first(slow, now)
        if job is not None:
            self.waiting.remove(job)
            self.running.append(job)
            job.began = now
        return job

    def gives_way(self, now: float) -> J | None:
        """Return the running job that should be done later, when all quick workers are taken and somebody waits."""
        waits = self._first(False, now)
        quick = [job for job in self.running if not job.slow and now - job.began > QUICK_SECONDS]
        if waits is None or not quick:
            return None
        return max(quick, key=lambda job: (self.spent(job.person, now), now - job.began))

    def ended(self, job: J, now: float) -> None:
        """Note how long a job took, against its person's share."""
        self.running.remove(job)
        self._spent.setdefault(job.person, deque()).append((now, now - job.began))
        for person, times in list(self._spent.items()):
            while times and times[0][0] < now - MEMORY_SECONDS:
                times.popleft()
            if not times:
                del self._spent[person]

    def overdue(self, now: float) -> list[J]:
        """Take out and return those who waited too long."""
        late = [job for job in self.waiting if now - job.queued > WAIT_SECONDS]
        self.waiting = [job for job in self.waiting if job not in late]
        return late

    def spent(self, person: str, now: float) -> float:
        """Seconds of decoding for this person within the last minutes."""
        past = sum(seconds for when, seconds in self._spent.get(person, ()) if when >= now - MEMORY_SECONDS)
        return past + sum(now - job.began for job in self.running if job.person == person)

    def _spent_slowly(self, person: str, now: float) -> float:
        """Seconds within the last minutes, without those of quick jobs: many photos are nothing bad."""
        times = self._spent.get(person, ())
        return sum(seconds for when, seconds in times if when >= now - MEMORY_SECONDS and seconds > QUICK_SECONDS)

    def _first(self, slow: bool, now: float) -> J | None:
        """Somebody without a share of the decoders at this moment; who has spent little may have several at once."""
        busy = {job.person for job in self.running}
        spent = {job.person: self.spent(job.person, now) for job in self.waiting}
        found = [
            job
            for job in self.waiting
            if job.slow == slow and (not job.person or job.person not in busy or spent[job.person] < FREE_SECONDS)
        ]
        return min(found, key=lambda job: (max(0.0, spent[job.person] - FREE_SECONDS), job.arrived), default=None)

    def _newest_of_whoever_has_the_most(self, job: J) -> J | None:
        """None when that is the newcomer, or would be."""
        held = {other.person: _weight(self.waiting, other.person) for other in self.waiting}
        most = max(held, key=lambda person: held[person], default=job.person)
        if most == job.person or held[most] <= held.get(job.person, 0) + job.weight:
            return None
        return max((other for other in self.waiting if other.person == most), key=lambda other: other.queued)


def too_many() -> Busy:
    return Busy("Too many pictures arrive at once. Please try again in a minute.", retry_after=60)


def _weight(jobs: Iterable[Job], person: str) -> int:
    return sum(job.weight for job in jobs if job.person == person)

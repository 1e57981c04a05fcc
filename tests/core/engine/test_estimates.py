"""What people are told while they wait, against what happens: the scheduler's own steps, played on a clock of our own.

`python -m core.engine crowd` measures the same on a real engine.
"""

import random
import statistics
from collections import deque
from dataclasses import dataclass, field

from core.engine.scheduler import Costs, Job, Scheduler, Step

PATCH, ROW, TOKEN, MORE = 0.0025, 0.01, 0.12, 0.02  # seconds, as an ordinary server has them; MORE per further answer
NOISE = 0.15  # of every measured second


@dataclass
class Day:
    """Questions at random moments, most with a new picture. `told` and `came` are seconds since each was asked."""

    rng: random.Random
    scheduler: Scheduler[Job]
    now: float = 0.0
    lengths: dict[Job, int] = field(default_factory=dict)
    told: dict[Job, tuple[float, int]] = field(default_factory=dict)  # and its place in line
    came: dict[Job, float] = field(default_factory=dict)

    def live(self, questions: int, every_s: float) -> None:
        moments = deque([self.rng.expovariate(1 / every_s) for _ in range(questions)])
        following = moments.popleft()
        while moments or self.scheduler.running or self.scheduler.waiting:
            if not self.scheduler.running and not self.scheduler.waiting:
                self.now = max(self.now, following)
            while following <= self.now and moments:
                self.ask(following)
                following += moments.popleft()
            self.scheduler.admit()
            for job, place, seconds in self.scheduler.positions(self.now):
                if seconds is not None:
                    self.told.setdefault(job, (self.now - job.arrived + seconds, place))
            if step := self.scheduler.next_step(self.now):
                self.compute(step)

    def ask(self, moment: float) -> None:
        rows, patches = (self.rng.randint(15, 40), 0) if self.rng.random() < 1 / 3 else (1050, 4000)
        job = Job(bytes=1, arrived=moment, answer_tokens=512, rows=rows, patches=patches)
        self.lengths[job] = max(3, int(self.rng.gauss(60, 30)))
        self.scheduler.add(job)

    def compute(self, step: Step[Job]) -> None:
        """As `core.engine.worker` does, with seconds of our own."""
        costs, rows = self.scheduler.costs, sum(rows for _, rows in step.prefill)
        decode_s = self.noisy(TOKEN) + MORE * (len(step.decode) - 1) if step.decode else 0.0
        spent = decode_s + self.noisy(ROW) * rows
        if not rows and decode_s:
            costs.measure("token", spent)
        elif rows >= 8:
            costs.measure("row", (spent - decode_s) / rows)
        if step.encoding is not None:
            looked = min(step.encoding.patches, int(step.seconds / PATCH))
            step.encoding.patches -= looked
            step.encoding.begun = True
            spent += self.noisy(PATCH) * looked
        self.now += spent
        for job, count in step.prefill:
            job.begun, job.rows = True, job.rows - count
        for job in (*step.decode, *(job for job, _ in step.prefill if not job.rows)):
            self.came.setdefault(job, self.now - job.arrived)
            job.written += 1
            if job.written >= self.lengths[job]:
                costs.measure("answer", float(job.written))
                self.scheduler.remove(job)

    def noisy(self, seconds: float) -> float:
        return seconds * self.rng.uniform(1 - NOISE, 1 + NOISE)


def test_an_estimate_is_right_within_thirty_percent_on_average() -> None:
    """A quiet day, a busy one, and one on which ever more wait; `fit` conversations find room together."""
    off: list[float] = []
    for every_s, fit in ((20, 3), (12, 8), (8, 3)):
        waited: list[tuple[float, float]] = []
        for seed in (1, 8):
            day = Day(random.Random(seed), Scheduler(fit, Costs(PATCH, ROW, TOKEN, 60)))
            day.live(80, every_s)
            waited += [(told, day.came[job]) for job, (told, place) in day.told.items() if place > 1]
        assert len(waited) >= 40
        some = [abs(told - came) / came for told, came in waited]
        mean_s = statistics.mean(came for _, came in waited)
        print(f"{len(waited)} waited {mean_s:.0f} s: {statistics.mean(some):.0%} off, half of them at most", end=" ")
        print(f"{statistics.median(some):.0%}")
        off += some
    assert statistics.mean(off) < 0.3

"""Many conversations at all platforms for a while, with the demo model: who was answered, what memory and the loop
did."""

import asyncio
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import psutil

from tests.chaos.people import talks
from tests.chaos.site import Site
from tests.chaos.talkers import talker

PLATFORMS = ("telegram", "slack", "web", "api")
BUSY = re.compile(  # the sentences of `Busy`, which all say when to come back
    r"^(Too many questions are waiting already\. Please ask again|Too many pictures arrive at once\. Please try again"
    r"|Please wait for the answers to your earlier questions|That is more than \d+ )"
)
WRONG = re.compile("went wrong|does not work|cannot save|restart", re.IGNORECASE)
THINKING_S = 20.0  # seconds between an answer and the next question, at most; people read
LAST_ANSWERS_S = 300.0  # for what was asked before the end
LAG_S = 0.05  # what the event loop may be late, at the 99th percentile
MORE = 1.1  # times the memory of the first third that the last third may have
_LAG = re.compile(r'picture_answers_event_loop_lag_seconds_bucket\{le="([^"]+)"\}')
ENGINE = "memory_limit_gb = 1.06"  # gigabytes: so that the caches are full soon, and what grows on is a leak


@dataclass
class Diary:
    """By platform: questions and how they ended. The service's memory in bytes; lags as (seconds, share of the
    looks)."""

    questions: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    busy: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    lags: list[tuple[float, float]] = field(default_factory=list)

    def lag_s(self, share: float) -> float:
        """No more than this, in that share of the looks."""
        return next((seconds for seconds, below in self.lags if below >= share), float("inf"))

    @property
    def thirds(self) -> tuple[float, float]:
        """The mean memory of the first and of the last third, in bytes."""
        third = max(1, len(self.memory) // 3)
        return fmean(self.memory[:third]), fmean(self.memory[-third:])

    def __str__(self) -> str:
        first, last = (size / 2**20 for size in self.thirds)
        lines = ["| platform | questions | answered | busy | errors |", "|---|---|---|---|---|"]
        for platform, count in sorted(self.questions.items()):
            errors = sum(error.startswith(f"{platform}:") for error in self.errors)
            lines.append(f"| {platform} | {count} | {self.answered[platform]} | {self.busy[platform]} | {errors} |")
        lags = ", ".join(
            f"p{100 * share:g} at most {1000 * self.lag_s(share):g} ms" for share in (0.5, 0.9, 0.99, 0.999)
        )
        memory = f"{first:.0f} MiB in the first third, {last:.0f} MiB in the last ({last / first:.2f})"
        return "\n".join([*lines, "", f"- Event loop lag: {lags}.", f"- Memory: {memory}."])


async def soak(
    folder: Path, conversations: int, seconds: float, warm_up_s: float, platforms: Sequence[str] = PLATFORMS
) -> Diary:
    """What is in the diary begins after the warm-up."""
    dice = random.Random(1)
    async with Site(folder, platforms, dice, ENGINE) as site:
        await site.start()
        await site.until_ready()
        diary, over = Diary(), asyncio.Event()
        people = [
            asyncio.create_task(_converse(platforms[number % len(platforms)], site, number, dice, diary, seconds, over))
            for number in range(conversations)
        ]
        await asyncio.sleep(warm_up_s)
        service, before, end = psutil.Process(site.life.pid), await _lags(site), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            site.check_alive()
            diary.memory.append(service.memory_info().rss)
            await asyncio.sleep(min(1.0, left))
            if not len(diary.memory) % 30:
                size = diary.memory[-1] / 2**20
                print(
                    f"{left:.0f} s to go, {diary.questions.total()} questions, {size:.0f} MiB",
                    file=sys.stderr,
                    flush=True,
                )
        diary.lags = _shares(before, await _lags(site))
        over.set()
        await asyncio.wait(people, timeout=LAST_ANSWERS_S)
        for person in people:
            person.cancel()
        await asyncio.gather(*people, return_exceptions=True)
    return diary


async def _converse(
    platform: str, site: Site, number: int, dice: random.Random, diary: Diary, seconds: float, over: asyncio.Event
) -> None:
    """About one picture after the other, each with a follow-up, until it is `over`."""
    pause_s = min(THINKING_S, seconds / 3)
    while not over.is_set():
        someone, talk = talker(platform, site, number), dice.choice(talks())
        for index, question in enumerate(talk.questions):
            await asyncio.sleep(dice.uniform(0, pause_s))
            if over.is_set():
                break
            diary.questions[platform] += 1
            try:
                words = await someone.ask(question, None if index else talk.pictures[0])
            except Exception as error:  # whatever it is, it is to be in the diary
                diary.errors.append(f"{platform}: {error!r}")
                break
            if BUSY.search(words):
                diary.busy[platform] += 1
                break  # the picture may not be there to ask on about
            if not words.strip() or WRONG.search(words):
                diary.errors.append(f"{platform}: {words!r}")
            else:
                diary.answered[platform] += 1


async def _lags(site: Site) -> dict[float, float]:
    """Upper bound in seconds -> looks at the event loop with at most that lag, since the start."""
    found = ((_LAG.fullmatch(name), count) for name, count in (await site.metrics()).items())
    return {float(lag[1]): count for lag, count in found if lag}


def _shares(before: dict[float, float], after: dict[float, float]) -> list[tuple[float, float]]:
    counts = {bound: count - before[bound] for bound, count in after.items()}
    return [(bound, count / max(1.0, counts[float("inf")])) for bound, count in sorted(counts.items())]

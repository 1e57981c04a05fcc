"""Somebody asks while the service is attacked: how long they wait, what memory it takes, and how the log grows.

Quiet and attacked times take turns in one life of the real service with the demo model, so that whatever else the
machine does is in both.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import httpx
import psutil

from tests.chaos.attackers import Attack, begin, end
from tests.chaos.people import talks
from tests.chaos.site import Site
from tests.core.files import busy, encoded

SLOWER = 2.0  # times the quiet median that somebody may wait under attack
MORE_MEMORY = 1.3  # times the quiet memory
LOG_BYTES = 1_000_000
SETTLE_SECONDS = 5.0  # until an attack stands, or is over
PAUSE_SECONDS = 0.5  # between an answer and the next question
LOOK_SECONDS = 0.2  # between two looks at the memory
PICTURES = 2  # of about one and a half megabytes, in the conversation that is taken away


@dataclass
class Period:
    """Seconds until each question was taken, and until the first word of its answer; the largest memory in bytes."""

    taken: list[float] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory: int = 0
    service_memory: int = 0  # without its decoders
    decoder_memory: int = 0  # of them all
    log: int = 0


@dataclass
class Outage:
    quiet: Period = field(default_factory=Period)
    attacked: Period = field(default_factory=Period)
    made: Counter[str] = field(default_factory=Counter)
    calm: Period = field(default_factory=Period)  # the first quiet one: what an attack takes may stay for a while

    @property
    def slower(self) -> tuple[float, float]:
        """The medians under attack as multiples of the quiet ones: until a question is taken, and until it begins."""
        return (
            median(self.attacked.taken) / median(self.quiet.taken),
            median(self.attacked.begun) / median(self.quiet.begun),
        )

    @property
    def more_memory(self) -> float:
        return self.attacked.memory / self.calm.memory

    @property
    def good(self) -> bool:
        held = max(self.slower) <= SLOWER and self.more_memory <= MORE_MEMORY and self.attacked.log < LOG_BYTES
        return held and not self.quiet.errors + self.attacked.errors

    def __str__(self) -> str:
        lines = ["| | quiet | attacked | |", "|---|---|---|---|"]
        for what, quiet, attacked in (
            ("a question is taken, median", self.quiet.taken, self.attacked.taken),
            ("its answer's first word, median", self.quiet.begun, self.attacked.begun),
        ):
            before, after = 1000 * median(quiet), 1000 * median(attacked)
            times = f"{after / before:.2f} ×"
            lines.append(f"| {what} of {len(quiet)} and {len(attacked)} | {before:.0f} ms | {after:.0f} ms | {times} |")
        for what, before, after in (
            ("memory", self.calm.memory, self.attacked.memory),
            ("memory of the service alone", self.calm.service_memory, self.attacked.service_memory),
            ("memory of its decoders alone", self.calm.decoder_memory, self.attacked.decoder_memory),
        ):
            sizes = f"{before / 2**20:.0f} MiB | {after / 2**20:.0f} MiB"
            times = f"{after / before:.2f} ×" if before else ""  # only root may look into the service
            lines.append(f"| {what}, at most | {sizes} | {times} |")
        lines.append(f"| the log grew by | {self.quiet.log} bytes | {self.attacked.log} bytes | |")
        made = ", ".join(f"{count} {what}" for what, count in sorted(self.made.items()))
        failed = f"{len(self.quiet.errors)} and {len(self.attacked.errors)}"
        return "\n".join([*lines, "", f"Made: {made}. Questions that were not answered: {failed}."])


async def measure(
    folder: Path, attack: Attack, rounds: int, questions: int, settle_s: float = SETTLE_SECONDS
) -> Outage:
    """So many questions in each round, quiet and attacked."""
    outage, dice = Outage(), random.Random(1)
    async with Site(folder, ["web"], dice) as site:
        site.log = log = folder / "log"
        await site.start()
        await site.until_ready()
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.9")
        async with httpx.AsyncClient(base_url=site.url, timeout=120, transport=transport) as somebody:
            conversation = await _prepare(somebody)
            await _live(Period(), somebody, site, log, questions)  # caches and whatever else begins with the first ones
            for number in range(rounds):
                await _live(outage.quiet, somebody, site, log, questions)
                if not number:
                    outage.calm = replace(outage.quiet)
                attackers = await begin(site.url, conversation, attack)
                try:
                    await asyncio.sleep(settle_s)
                    await _live(outage.attacked, somebody, site, log, questions)
                finally:
                    outage.made += await end(attackers)
                await asyncio.sleep(settle_s)
                print(f"round {number + 1} of {rounds}\n{outage}", file=sys.stderr, flush=True)
    return outage


async def _prepare(somebody: httpx.AsyncClient) -> str:
    """A conversation that is large when it is taken away."""
    picture = encoded(busy((700, 700)), "PNG")
    conversation = ""
    for number in range(PICTURES):
        files = {"image": ("a.png", picture + bytes([number]), "image/png")}
        data = {"query": "What is it?"} | ({"conversation": conversation} if conversation else {})
        answer = await somebody.post("/api/v1/analyze", data=data, files=files)
        conversation = answer.raise_for_status().json()["conversation"]
    return conversation


async def _live(period: Period, somebody: httpx.AsyncClient, site: Site, log: Path, questions: int) -> None:
    before, watching = _size(log), asyncio.create_task(_watch(period, site.life.pid))
    for number in range(questions):
        talk = talks()[number % len(talks())]
        try:
            await _ask(period, somebody, talk.questions[0], talk.pictures[0])
        except Exception as error:  # whatever it is, it is to be told
            period.errors.append(repr(error))
        await asyncio.sleep(PAUSE_SECONDS)
    watching.cancel()
    period.log += _size(log) - before
    site.check_alive()


async def _ask(period: Period, somebody: httpx.AsyncClient, question: str, picture: bytes) -> None:
    began, seen = time.perf_counter(), dict[str, float]()
    request = {"data": {"query": question, "stream": "true"}, "files": {"image": ("a.png", picture, "image/png")}}
    async with somebody.stream("POST", "/api/v1/analyze", **request) as answer:  # type: ignore[arg-type]
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                seen.setdefault(line.removeprefix("event: "), time.perf_counter() - began)
            elif line.startswith("data: ") and "error" in seen:
                raise RuntimeError(json.loads(line.removeprefix("data: "))["detail"])
    if "done" not in seen:
        raise RuntimeError(f"no answer, only {list(seen)}")
    period.taken.append(seen["conversation"])
    period.begun.append(seen.get("piece", seen["done"]))


async def _watch(period: Period, pid: int) -> None:
    """The service with its decoders, each page once."""
    service = psutil.Process(pid)
    while True:
        own, decoders = _memory(service), sum(map(_memory, service.children(recursive=True)))
        period.memory = max(period.memory, own + decoders)
        period.service_memory = max(period.service_memory, own)
        period.decoder_memory = max(period.decoder_memory, decoders)
        await asyncio.sleep(LOOK_SECONDS)


def _memory(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return 0


def _size(log: Path) -> int:
    return log.stat().st_size

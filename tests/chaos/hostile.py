"""Hostile files through every platform of the real service. Each must be answered.

Answered is: an answer about the picture, or one sentence that says what is wrong with the file, in the language of the
question and with the status that says so to programs; not the sentence for our own mistakes, and nothing that crashes,
or eats more memory than `WORKER_BYTES` of a process that opens files. The service may grow by what its cache keeps for
the next question, up to the limit of its settings, and by `MORE`. The next ordinary picture is answered as before.
"""

import asyncio
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import psutil

from core.engine.config import EngineConfig
from core.engine.engine import budget
from tests.chaos.people import SAMPLES, own, samples
from tests.chaos.site import Site
from tests.chaos.talkers import PATIENCE_S, talker
from tests.core.hostile import hostile_files

PLATFORMS = ("telegram", "slack", "web", "api", "terminal")
MORE = 300 << 20  # bytes that the service may grow by besides its cache; files are decoded in processes of their own
AT_ONCE = 6  # files at a platform
WORKER_BYTES = 1 << 30  # that a process may have had at its largest
QUESTIONS = ("What is it?", "这是什么？")  # by turns
CHINESE = re.compile("[\u4e00-\u9fff]")
SLOWER, SLACK_S = 2.0, 1.0  # times the time before, and seconds more, that an ordinary picture may take after
OUR_MISTAKE = "went wrong"  # of the sentence for it
REFUSED = {"web": range(400, 500), "api": range(400, 500), "terminal": range(2, 3)}  # statuses of a sentence
SHORT = "[core.assistant]\nmax_new_tokens = 4\n[core.images]\nimage_tokens = 64\n"  # the files matter, not the answers


@dataclass
class Findings:
    """By platform: `sent` files, and what came of them. All memory is in bytes, of the service if nothing else is said.
    It may take `limit`, of which its cache may have what is left by the model and by answers being written."""

    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)  # about the picture, or with a sentence about the file
    sentences: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    limit: int = 0
    most: int = 0  # that it had at its largest
    grown: int = 0
    cached: int = 0  # that its cache grew by, as it says itself
    worker: int = 0  # of the largest process that opened files
    before_s: float = 0.0  # for an ordinary picture
    after_s: float = 0.0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """How long a picture takes is for a quiet machine to say, which `make hostile` needs."""
        quick = self.after_s <= SLOWER * self.before_s + SLACK_S
        small = self.grown - self.cached <= MORE and self.most <= self.limit and self.worker <= WORKER_BYTES
        return not self.bad and small and quick

    def __str__(self) -> str:
        lines = ["| platform | hostile files | answered |", "|---|---|---|"]
        lines += [
            f"| {platform} | {count} | {self.answered[platform]} |" for platform, count in sorted(self.sent.items())
        ]
        limit, most, grown, cached, worker = (
            f"{size / 2**20:,.0f} MiB" for size in (self.limit, self.most, self.grown, self.cached, self.worker)
        )
        memory = f"- The service had {most} at most, of {limit} allowed, and never ended."
        more = f"- It grew by {grown}, its cache by {cached}; {MORE >> 20} MiB more than the cache are allowed."
        opened = f"- The largest process that opened files had {worker}."
        ordinary = f"- An ordinary picture took {self.before_s:.1f} s before and {self.after_s:.1f} s after."
        return "\n".join(
            [
                *lines,
                "",
                memory,
                more,
                opened,
                ordinary,
                f"- {self.seconds / 60:.1f} minutes; {len(self.sentences)} sentences.",
            ]
        )


async def send_hostile_files(
    folder: Path, count: int, platforms: Sequence[str] = PLATFORMS, tables: str = "", limit_gb: float | None = None
) -> Findings:
    """`count` files at each platform, all platforms at the same time. `tables` are settings other than the default, and
    `limit_gb` is the service's memory."""
    engine = f"memory_limit_gb = {limit_gb}" if limit_gb else ""
    limit = budget(EngineConfig(memory_limit_gb=limit_gb)).bytes
    findings, files, began = Findings(limit=limit), hostile_files(count), time.monotonic()
    async with Site(folder, platforms, random.Random(1), engine, tables) as site:
        await site.start()
        await site.until_ready()
        service = psutil.Process(site.life.pid)
        await _ordinary(site, findings, 0)  # then the pictures are known, before and after
        findings.before_s = await _ordinary(site, findings, 1)
        before, cached = service.memory_info().rss, await _cached(site)
        watching = asyncio.create_task(_watch_workers(service, findings))
        await asyncio.gather(*[_at_door(platform, site, files, findings) for platform in platforms])
        watching.cancel()
        site.check_alive()
        findings.after_s = await _ordinary(site, findings, 2)
        findings.grown = service.memory_info().rss - before
        findings.cached = await _cached(site) - cached
        findings.most = _peak(service.pid)
    findings.seconds = time.monotonic() - began
    return findings


async def _at_door(platform: str, site: Site, files: Sequence[bytes], findings: Findings) -> None:
    line = iter(enumerate(files))

    async def work() -> None:
        for number, data in line:
            findings.sent[platform] += 1
            asking, question = talker(platform, site, number), QUESTIONS[number % len(QUESTIONS)]
            try:
                async with asyncio.timeout(PATIENCE_S):
                    words = await asking.ask(question, data)
            except (TimeoutError, httpx.HTTPError, RuntimeError) as error:
                findings.bad.append(f"{platform}: file {number}: {error!r}")
                site.check_alive()
                continue
            findings.sentences[words] += 1
            if wrong := what_is_wrong(words, question, asking.status, REFUSED.get(platform, range(0))):
                findings.bad.append(f"{platform}: file {number}: {wrong}: {words!r}")
            else:
                findings.answered[platform] += 1
            if not number % 50:
                print(f"{platform}: {number} of {len(files)}", file=sys.stderr, flush=True)

    await asyncio.gather(*[work() for _ in range(AT_ONCE)])


def what_is_wrong(words: str, question: str, status: int | None, refused: range) -> str:
    """What is wrong with an answer; "" when nothing is."""
    if not words.strip() or OUR_MISTAKE in words:
        return "no answer"
    if not own(words):
        return "" if status in (None, 0, 200) else f"an answer with the status {status}"
    if bool(CHINESE.search(words)) != bool(CHINESE.search(question)):
        return f"not in the language of {question!r}"
    return "" if status is None or status in refused else f"a refusal with the status {status}"


async def _ordinary(site: Site, findings: Findings, number: int) -> float:
    """Seconds for an answer about an ordinary picture, the median of some; each has several questions."""
    took = []
    for name, asked in samples().items():
        began = time.monotonic()
        said = await talker("api", site, 9000).ask(asked[number][0], (SAMPLES / name).read_bytes())
        took.append(time.monotonic() - began)
        if not said.strip() or own(said):
            findings.bad.append(f"an ordinary picture: {said!r}")
    return median(took)


async def _cached(site: Site) -> int:
    """Bytes that the engine keeps for the next question."""
    return int((await site.metrics())["picture_answers_engine_cache_bytes"])


async def _watch_workers(service: psutil.Process, findings: Findings) -> None:
    while True:
        for child in service.children(recursive=True):
            with suppress(psutil.Error):
                findings.worker = max(findings.worker, _peak(child.pid))
        await asyncio.sleep(0.05)


def _peak(pid: int) -> int:
    """Bytes that a process had at its largest, which only Linux says."""
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8"), re.MULTILINE)
        return 1024 * int(found[1]) if found else 0
    return 0

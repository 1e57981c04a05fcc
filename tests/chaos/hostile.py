"""Hostile files through every platform of the real service. Each must be answered.

Answered is: an answer about the picture, or one sentence that says what is wrong with the file; not the sentence for
our own mistakes, and nothing that crashes or eats more memory than `MORE`.
"""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.chaos.site import Site
from tests.chaos.talkers import PATIENCE_S, talker
from tests.core.hostile import hostile_files

PLATFORMS = ("telegram", "slack", "web", "api", "terminal")
MORE = 300 << 20  # bytes that the service may grow by; files are decoded in processes of their own
AT_ONCE = 6  # files at a platform
QUESTION = "What is it?"
OUR_MISTAKE = "went wrong"  # of the sentence for it
SHORT = "[core.assistant]\nmax_new_tokens = 4\n[core.images]\nimage_tokens = 32\n"  # the files matter, not the answers


@dataclass
class Findings:
    """By platform: `sent` files, and what came of them. `grown` is in bytes."""

    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)  # about the picture, or with a sentence about the file
    sentences: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    grown: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        lines = ["| platform | hostile files | answered |", "|---|---|---|"]
        lines += [
            f"| {platform} | {count} | {self.answered[platform]} |" for platform, count in sorted(self.sent.items())
        ]
        grown = f"- The service grew by {self.grown / 2**20:.0f} MiB, of {MORE >> 20} allowed, and never ended."
        return "\n".join([*lines, "", grown, f"- {self.seconds / 60:.1f} minutes; {len(self.sentences)} sentences."])


async def send_hostile_files(folder: Path, count: int, platforms: Sequence[str] = PLATFORMS) -> Findings:
    """`count` files at each platform, all platforms at the same time."""
    findings, files, began = Findings(), hostile_files(count), time.monotonic()
    async with Site(folder, platforms, random.Random(1), tables=SHORT) as site:
        await site.start()
        await site.until_ready()
        service = psutil.Process(site.life.pid)
        before = service.memory_info().rss
        await asyncio.gather(*[_at_door(platform, site, files, findings) for platform in platforms])
        site.check_alive()
        findings.grown = service.memory_info().rss - before
    findings.seconds = time.monotonic() - began
    return findings


async def _at_door(platform: str, site: Site, files: Sequence[bytes], findings: Findings) -> None:
    line = iter(enumerate(files))

    async def work() -> None:
        for number, data in line:
            findings.sent[platform] += 1
            try:
                async with asyncio.timeout(PATIENCE_S):
                    words = await talker(platform, site, number).ask(QUESTION, data)
            except (TimeoutError, httpx.HTTPError, RuntimeError) as error:
                findings.bad.append(f"{platform}: file {number}: {error!r}")
                site.check_alive()
                continue
            findings.sentences[words] += 1
            if words and OUR_MISTAKE not in words:
                findings.answered[platform] += 1
            else:
                findings.bad.append(f"{platform}: file {number}: {words!r}")
            if not number % 50:
                print(f"{platform}: {number} of {len(files)}", file=sys.stderr, flush=True)

    await asyncio.gather(*[work() for _ in range(AT_ONCE)])

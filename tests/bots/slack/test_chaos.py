"""Questions while calls fail, events come several times and the process is killed: one whole answer each, in order.

`make test` runs the short form; CHAOS=full runs 200 questions through 20 kills.
"""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from storage.store import Config as StoreConfig
from storage.store import Store
from tests.bots.slack.conftest import png
from tests.bots.slack.process import answer_to
from tests.bots.slack.server import FakeSlack, Fault, patience_s
from tests.bots.slack.workspace import BOT, said

QUESTIONS, KILLS, CHANNELS, CALLS = (200, 20, 10, 200) if os.environ.get("CHAOS") == "full" else (24, 3, 4, 64)
AT_ONCE = 8  # questions without an answer
ROOT = Path(__file__).parents[3]
POINTS = (  # a kill comes when the bot next makes such a call, before or after its effect
    "users.info",
    "file",
    "chat.startStream",
    "chat.appendStream",
    "chat.stopStream",
    "chat.update",
    "agents.sessions.setStatus",
)


@dataclass
class Chaos:
    """One call in five fails. The process dies at a named call, or after so many calls: work counts, not time."""

    slack: FakeSlack
    database: Path
    chance: random.Random
    point: str | None = None
    calls_left: int | None = None
    process: asyncio.subprocess.Process | None = None
    kills: Counter[str] = field(default_factory=Counter)

    def fault(self, method: str) -> Fault | None:
        if self.calls_left is not None:
            self.calls_left -= 1
        if method == self.point or self.calls_left == 0:
            self.kill("at a chosen call" if method == self.point else "after some calls")
            self.point = self.calls_left = None
            return self.chance.choice([Fault("before"), Fault("after")])
        if method != "apps.connections.open" and self.chance.random() < 0.2:
            return Fault(self.chance.choice(["busy", "before", "after", "cut"]))
        return Fault("slow", 0.1) if self.chance.random() < 0.05 else None

    def kill(self, why: str) -> None:
        if self.process and self.process.returncode is None:
            self.process.kill()
            self.kills[why] += 1

    async def keep_alive(self) -> None:
        while True:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bots.slack.process", str(self.database), self.slack.api_url, cwd=ROOT
            )
            await self.process.wait()

    async def keep_killing(self) -> None:
        while (kills := self.kills.total()) < KILLS:
            self.point = self.chance.choice(POINTS) if self.chance.random() < 0.3 else None
            self.calls_left = self.chance.randint(10, CALLS)
            while self.kills.total() == kills:
                await asyncio.sleep(0.02)


@pytest.mark.timeout(1500)
async def test_every_question_gets_one_whole_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "5"))
    chance = random.Random(seed)
    async with FakeSlack() as slack:
        chaos = Chaos(slack, tmp_path / "answers.db", chance)
        slack.fault = chaos.fault
        channels = [f"C{n:05d}" for n in range(CHANNELS)]
        slack.workspace.channels |= {channel: [] for channel in channels}
        slack.workspace.members |= set(channels)
        alive = asyncio.create_task(chaos.keep_alive())
        killing = asyncio.create_task(chaos.keep_killing())
        try:
            asked = await _ask(slack, chance, channels)
            missing = await _wait_for_answers(slack, asked, killing, 300)
        finally:
            killing.cancel()
            alive.cancel()
            if chaos.process and chaos.process.returncode is None:
                chaos.process.kill()
                await chaos.process.wait()
            await asyncio.gather(alive, killing, return_exceptions=True)
        report = _count(slack, asked) | {"kills": chaos.kills.total(), "faults": slack.faults.total()}
        acks = sorted(slack.acks)
        report |= {"re-deliveries": slack.retries.total(), "slowest ack ms": round(1000 * acks[-1])}
        report |= {"median ack ms": round(1000 * acks[len(acks) // 2])}
        with capsys.disabled():
            print(f"\nSlack chaos (seed {seed}): {report}, kills {dict(chaos.kills)}")
        assert not missing
        assert report["whole"] == report["questions"] == QUESTIONS
        assert not report["doubled"] + report["out of order"] + report["left over"]
        assert acks[-1] < patience_s()
        assert not slack.workspace.pings()
        assert not await _unfinished(chaos.database)


async def _ask(slack: FakeSlack, chance: random.Random, channels: list[str]) -> dict[tuple[str, str], list[str]]:
    """(channel, thread) -> what was asked there, in order; half of the questions are follow-ups.

    Slack keeps no order while the bot is away, so a follow-up is asked when what was asked before has arrived.
    """
    asked: dict[tuple[str, str], list[str]] = {}
    for number in range(QUESTIONS):
        slack.copies = chance.randint(1, 3)
        question = f"question {number}?"
        if (quiet := [place for place in asked if not slack.undelivered(*place)]) and chance.random() < 0.5:
            channel, thread = chance.choice(quiet)
            slack.says(f"<@{BOT}> {question}", channel=channel, thread=thread)
        else:
            channel = chance.choice(channels)
            thread = slack.says(f"<@{BOT}> {question}", (slack.upload(png()),), channel=channel)
            asked[channel, thread] = []
        asked[channel, thread].append(question)
        while len(_missing(slack, asked)) > AT_ONCE:  # spread over the kills, so that each finds work
            await asyncio.sleep(0.02)
    return asked


async def _wait_for_answers(
    slack: FakeSlack, asked: dict[tuple[str, str], list[str]], killing: "asyncio.Task[None]", seconds: float
) -> list[str]:
    """The questions that have no whole answer in the end."""
    end = time.monotonic() + seconds
    while True:
        missing = _missing(slack, asked)
        if time.monotonic() > end:
            return missing
        if not missing and killing.done():
            await asyncio.wait_for(slack.settled(), 60)
            await asyncio.sleep(1.5)  # what would come twice, comes now
            return []
        await asyncio.sleep(0.2)


def _missing(slack: FakeSlack, asked: dict[tuple[str, str], list[str]]) -> list[str]:
    return [
        question
        for place, questions in asked.items()
        for question in questions
        if not any(f" {question} " in text and text.endswith("the end.") for text in _texts(slack, place))
    ]


def _texts(slack: FakeSlack, place: tuple[str, str]) -> list[str]:
    return [said(message) for message in slack.workspace.answers(*place)]


def _count(slack: FakeSlack, asked: dict[tuple[str, str], list[str]]) -> dict[str, int]:
    report = Counter({"questions": 0, "whole": 0, "doubled": 0, "out of order": 0, "left over": 0})
    for place, questions in asked.items():
        texts = _texts(slack, place)
        expected = [answer_to(question, 0 if index else 1) for index, question in enumerate(questions)]
        report["questions"] += len(questions)
        report["whole"] += len(set(expected) & set(texts))
        report["doubled"] += len(texts) - len(set(texts))
        report["left over"] += len(set(texts) - set(expected))
        report["out of order"] += [text for text in texts if text in expected] != expected
    return dict(report)


async def _unfinished(database: Path) -> int:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{database}"))
    try:
        return len(await store.unfinished("slack"))
    finally:
        await store.close()

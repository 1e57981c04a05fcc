"""Killed in the worst moment, in a real process."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.bots.telegram.conftest import Chatting, photo, until
from tests.bots.telegram.malformed import MET, WORDS
from tests.bots.telegram.server import BotApi

ROOT = Path(__file__).parents[3]


class Life:
    """One run of the bot; `log` is what it has written so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log = ""

    async def listen(self) -> None:
        assert self.process.stderr
        async for line in self.process.stderr:
            self.log += line.decode()


@asynccontextmanager
async def living(telegram: BotApi, folder: Path, way: str, pause: float) -> AsyncIterator[Life]:
    """A life that ends by kill -9."""
    words = (telegram.url, f"sqlite+aiosqlite:///{folder / 'answers.db'}", str(pause), way)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bots.telegram.process", *words,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    life = Life(process)
    tasks = [asyncio.create_task(life.listen())]
    try:
        if way == "webhook":
            assert process.stdout
            telegram.posts_to = (await process.stdout.readline()).decode().strip()
            tasks.append(asyncio.create_task(telegram.post_updates()))
        yield life
    finally:
        process.kill()
        await process.wait()
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("way", ["polling", "webhook"])
async def test_a_kill_right_after_an_update_that_cannot_be_read_costs_no_answer(
    telegram: BotApi, tmp_path: Path, ann: Chatting, way: str
) -> None:
    async with living(telegram, tmp_path, way, pause=1.0) as life:
        question = ann.person.shows(photo(), "One")
        await until(lambda: any("Answer" in message["text"] for message in ann.chat.by_bot()))
        update_id = telegram.update(**MET["a message without a date"])
        skipped = f"update {update_id} cannot be read and is skipped"
        await until(lambda: skipped in life.log)
    async with living(telegram, tmp_path, way, pause=0.0) as second:
        assert await ann.answer(question) == "Answer to 'One' about [1] after 0 turns."
        await until(lambda: telegram.unconfirmed == 0)
    assert len(ann.chat.by_bot()) == 1
    assert str(update_id) not in second.log
    assert WORDS not in life.log + second.log

"""A process that is killed right after something malformed loses nobody's answer, and does not meet it again."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.bots.slack.conftest import png
from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import BOT, said

ROOT = Path(__file__).parents[3]
SLOW = 0.3  # seconds for each word of an answer


@asynccontextmanager
async def life(
    slack: FakeSlack, database: Path, pause: float, transport: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The bot in a process of its own, which takes events; at the end it is killed."""
    more = ["http"] if transport == "http" else []
    pipe, environment = asyncio.subprocess.PIPE, {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bots.slack.process", slack.api_url, str(database), str(pause), *more,
        stdout=pipe, stderr=pipe, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert process.stdout
    if transport == "http":
        slack.http_url = (await process.stdout.readline()).decode().strip()
    else:
        await slack.connected()
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_a_kill_right_after_a_malformed_event_costs_nobody_an_answer(tmp_path: Path, transport: str) -> None:
    async with FakeSlack(ack_s=60.0) as slack:
        database = tmp_path / "answers.db"
        async with life(slack, database, SLOW, transport) as first:
            asked = slack.says(f"<@{BOT}> what is it?", (slack.upload(png()),))
            while not slack.workspace.calls["chat.appendStream"]:  # it is being written
                await asyncio.sleep(0.01)
            slack.tell({"type": "reaction_added", "user": "U0EVE", "item": {"channel": "C0GENERAL", "ts": asked}})
            await slack.settled()
            first.kill()
            await first.wait()
        delivered = len(slack.acks)
        async with life(slack, database, 0.0, transport):
            whole = ["Answer to 'what is it?' about [1] after 0 turns."]
            while [said(answer) for answer in slack.workspace.answers("C0GENERAL", asked)] != whole:
                await asyncio.sleep(0.05)
            after = slack.says(f"<@{BOT}> and this?", (slack.upload(png("blue")),), user="U0BOB")
            while not any("and this?" in said(answer) for answer in slack.workspace.answers("C0GENERAL", after)):
                await asyncio.sleep(0.05)
            await slack.settled()
        assert len(slack.acks) == delivered + 2  # the next question's two events; the malformed one is not met again
        assert [said(answer) for answer in slack.workspace.answers("C0GENERAL", asked)] == whole

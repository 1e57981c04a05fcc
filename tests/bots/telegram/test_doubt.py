"""What was written just before the database's file was moved away counts as failed, and is taken up once it is back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from core.single_replica import SingleReplica
from storage.store import Store
from tests.bots.telegram.conftest import Chatting, photo, quiet, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.world import Json
from tests.fakes import ScriptedEngine

BOSS, EVE = 7, 8
Act = Callable[[Chatting, Chatting, Json], object]  # what the admin or somebody does, of whom a question is known


@pytest.fixture
async def reached(telegram: BotApi, engine: ScriptedEngine, tmp_path: Path) -> AsyncIterator[BotApi]:
    """Telegram with a running bot, as `bots.service` puts it together."""
    tasks: list[asyncio.Task[None]] = []

    def leases_of(store: Store) -> SingleReplica:
        leases = SingleReplica(store)
        tasks.append(asyncio.create_task(leases.run()))
        return leases

    async with service(telegram, tmp_path, engine, leases_of=leases_of, allow=[EVE], admins=[BOSS]):
        yield telegram
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def asks(boss: Chatting, eve: Chatting, question: Json) -> None:
    eve.person.says("And now?")


def edits(boss: Chatting, eve: Chatting, question: Json) -> None:
    eve.person.edits(question, "And now?")


@pytest.mark.parametrize("act", [asks, edits])
async def test_what_seemed_not_to_be_written_is_answered_once_without_a_restart(
    reached: BotApi, tmp_path: Path, caplog: pytest.LogCaptureFixture, act: Act
) -> None:
    boss, eve = (Chatting(Person(reached, reached.world.chat(who))) for who in (BOSS, EVE))
    question = eve.person.shows(photo(), "What is this?")
    await eve.answer(question)
    await quiet(reached, tmp_path)
    put_back = moved_away_with_the_next_write(tmp_path / "answers.db")
    act(boss, eve, question)
    await until(lambda: "the database does not work" in caplog.text)
    put_back()
    await until(lambda: [m["text"] for m in eve.chat.by_bot() if m["text"].startswith("Answer to 'And now?'")])
    await quiet(reached, tmp_path)
    assert sum(message["text"].startswith("Answer to 'And now?'") for message in eve.chat.by_bot()) == 1


async def test_whom_an_admin_let_in_at_that_moment_is_answered(
    reached: BotApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    boss, carl = (Chatting(Person(reached, reached.world.chat(who))) for who in (BOSS, 9))
    carl.person.shows(photo(), "What is this?")
    await until(lambda: any("Somebody new writes to me" in message["text"] for message in boss.chat.by_bot()))
    await quiet(reached, tmp_path)
    put_back = moved_away_with_the_next_write(tmp_path / "answers.db")
    boss.person.presses(boss.chat.by_bot()[0], "Allow · 允许")
    await until(lambda: "the database does not work" in caplog.text)
    put_back()
    await until(lambda: any(m["text"].startswith("Answer to 'What is this?'") for m in carl.chat.by_bot()))


def moved_away_with_the_next_write(path: Path) -> Callable[[], None]:
    """Move a database's file just before the next commit, which then succeeds. Return what puts it back."""
    away = path.with_name("away.db")

    def move(connection: Connection) -> None:
        is_write = "begin" not in connection.get_execution_options()
        if is_write and not away.exists():
            path.rename(away)

    def put_back() -> None:
        event.remove(Engine, "commit", move)
        away.rename(path)

    event.listen(Engine, "commit", move)
    return put_back

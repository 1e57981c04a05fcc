"""Orders that do not wait in line: forgetting, and what only admins may do."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from storage.store import Store
from tests.bots.telegram.conftest import PATIENCE_S, Chatting, photo, service, store_config, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi, Fault
from tests.fakes import ScriptedEngine

FORGOTTEN = "Forgotten: this conversation and its pictures are deleted."
ADMIN = 1


@pytest.fixture
def boss(telegram: BotApi) -> Chatting:
    return Chatting(Person(telegram, telegram.world.chat(ADMIN)))


async def left(folder: Path) -> tuple[int, int]:
    """What is still known of Ann: turns and pictures of her conversation, and messages to answer."""
    store = await Store.open(store_config(folder, ratings=False))
    try:
        conversation = await store.load("telegram:7:0")
        return len(conversation.turns) + len(conversation.pictures), len(await store.unfinished("telegram"))
    finally:
        await store.close()


async def test_forget_ends_what_runs_drops_what_waits_and_leaves_only_its_word(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    async with service(telegram, tmp_path, engine):
        await ann.answer(ann.person.shows(photo(), "One"))
        engine.pause = 60
        ann.person.shows(photo(), "Two")
        await until(lambda: engine.running)
        ann.person.shows(photo(), "Three")
        await until(lambda: telegram.unconfirmed == 0)
        ann.person.says("/forget")
        await until(lambda: [m["text"] for m in ann.chat.by_bot()][1:] == [FORGOTTEN])
        assert not engine.running
        engine.pause = 0
        assert await ann.answer(ann.person.shows(photo(), "Four")) == "Answer to 'Four' about [1] after 0 turns."
    assert [conversation.turns[-1].text for conversation in engine.asked] == ["One", "Two", "Four"]


async def test_forget_is_done_at_once_and_confirmed_once_also_after_a_crash(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    def trouble(method: str) -> Fault | None:
        return "500" if method in ("editMessageText", "sendMessage") else None

    async with service(telegram, tmp_path, engine):
        await ann.answer(ann.person.shows(photo(), "One"))
        engine.pause = 60
        ann.person.shows(photo(), "Two")
        await until(lambda: engine.running)
        telegram.trouble = trouble
        ann.person.says("/forget")
        async with asyncio.timeout(PATIENCE_S):
            while await left(tmp_path) != (0, 1):  # the order itself, which is not confirmed yet
                await asyncio.sleep(0.01)
        assert not engine.running
        await until(lambda: telegram.faults.total())
    assert await left(tmp_path) == (0, 1)
    telegram.trouble = lambda method: None
    async with service(telegram, tmp_path, engine):
        await until(lambda: [m["text"] for m in ann.chat.by_bot()][1:] == [FORGOTTEN])
        engine.pause = 0
        assert await ann.answer(ann.person.shows(photo(), "Three")) == "Answer to 'Three' about [1] after 0 turns."
    assert len(engine.asked) == 3


async def test_a_stranger_in_a_group_cannot_make_the_bot_forget(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    chat = telegram.world.chat(-5)
    team, eve = Chatting(Person(telegram, chat, user_id=7)), Chatting(Person(telegram, chat, user_id=8))
    async with service(telegram, tmp_path, engine, allow=[7]):
        engine.gate = asyncio.Event()
        question = team.person.shows(photo(), "@picture_bot one")
        await until(lambda: engine.running)
        order = eve.person.says("/forget")
        await until(lambda: telegram.unconfirmed == 0)
        engine.gate.set()
        assert "To be let in, tell the person who runs this bot: 8 (-5)" in await eve.answer(order)
        assert (await team.answer(question)).startswith("Answer to 'one'")


async def test_who_is_blocked_cannot_make_the_bot_forget(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    team, eve, boss = (Chatting(Person(telegram, telegram.world.chat(-5), user_id=user)) for user in (7, 8, ADMIN))
    async with service(telegram, tmp_path, engine, admins=[ADMIN]):
        await boss.answer(boss.person.says("/block 8"))
        engine.gate = asyncio.Event()
        question = team.person.shows(photo(), "@picture_bot one")
        await until(lambda: engine.running)
        eve.person.says("/forget")
        await until(lambda: telegram.unconfirmed == 0)
        engine.gate.set()
        assert (await team.answer(question)).startswith("Answer to 'one'")


async def test_stats_are_for_admins(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting, boss: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, admins=[ADMIN]):
        await ann.answer(ann.person.shows(photo(), "One"))
        assert await ann.answer(ann.person.says("/stats")) == "Only this bot's admins may do that."
        said = await boss.answer(boss.person.says("/stats"))
        assert "Answered today: 1\n" in said
        assert "MB used" in said
        await until(lambda: str(ADMIN) in telegram.commands)
        assert {"stats", "block", "unblock"} <= {command["command"] for command in telegram.commands[str(ADMIN)]}
        assert "stats" not in {command["command"] for command in telegram.commands[""]}


@pytest.mark.parametrize("by", ["id", "reply"])
async def test_who_is_blocked_gets_silence_until_an_admin_takes_it_back(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture, by: str
) -> None:
    caplog.set_level(logging.INFO, "bots")
    chat = telegram.world.chat(-5)
    eve, boss = (Chatting(Person(telegram, chat, user_id=user)) for user in (8, ADMIN))
    settings: dict[str, Any] = {"admins": [ADMIN]}
    async with service(telegram, tmp_path, engine, **settings):
        said = eve.person.shows(photo(), "@picture_bot one")
        await eve.answer(said)
        named = await boss.answer(boss.person.says("/block @eve"))
        assert named == "Say who, by id: /block 12345, or reply to them with /block."
        order = boss.person.says("/block 8") if by == "id" else boss.person.says("/block", reply_to=said)
        assert await boss.answer(order) == "8 is blocked and gets no answer any more. /unblock 8 takes it back."
        ignored = eve.person.shows(photo(), "@picture_bot two")
        await boss.answer(boss.person.shows(photo(), "@picture_bot three"))
    assert "refused platform=telegram reason=blocked person=telegram:8" in [
        line.getMessage() for line in caplog.records
    ]
    async with service(telegram, tmp_path, engine, **settings):  # a restart changes nothing
        eve.person.says("/unblock 8")
        assert (await boss.answer(boss.person.says("/block 1"))) == "1 is an admin and cannot be blocked."
        assert (await boss.answer(boss.person.says("/unblock 8"))) == "8 is not blocked any more."
        assert (await eve.answer(eve.person.shows(photo(), "@picture_bot four"))).startswith("Answer to 'four'")
    assert not chat.answers_to(ignored["message_id"])
    assert [conversation.turns[-1].text for conversation in engine.asked] == ["one", "three", "four"]


async def test_in_a_group_forgetting_has_to_be_meant_for_everybody(running: BotApi, engine: ScriptedEngine) -> None:
    chat = running.world.chat(-100)
    ann, bob = (Chatting(Person(running, chat, user_id=number)) for number in (7, 8))
    await ann.answer(ann.person.shows(photo(), "@picture_bot what is this?"))
    asks = await bob.answer(bob.person.says("/forget"))
    assert asks.startswith("Others take part in this conversation.")
    assert "“/forget@picture_bot all”" in asks
    assert await ann.answer(ann.person.says("@picture_bot and now?")) == "Answer to 'and now?' about [] after 1 turns."
    assert (await bob.answer(bob.person.says("/forget all"))).startswith("Forgotten")
    assert (await ann.answer(ann.person.says("@picture_bot and now?"))).startswith("Send a picture")
    assert len(engine.asked) == 2

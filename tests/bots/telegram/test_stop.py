"""Stop, by its button, by its word and by an edit, in whatever state a question is."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bots.telegram import worker
from core import inbox
from core.errors import EngineUnreachable
from core.replica import Replica
from storage.store import Store
from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.world import shown
from tests.fakes import ScriptedEngine
from tests.storage.things import ask, image


@pytest.mark.parametrize("way", ["button", "word", "edit"])
async def test_a_question_that_waits_for_its_next_attempt_is_stopped_at_once(
    telegram: BotApi,
    engine: ScriptedEngine,
    tmp_path: Path,
    ann: Chatting,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    monkeypatch.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=(3600.0,)))
    engine.script = lambda _: EngineUnreachable("The model is away.")
    async with service(telegram, tmp_path, engine):
        before = ann.person.says("/help")
        await ann.answer(before)
        question = ann.person.shows(photo(), "One")
        await until(lambda: "has to wait" in caplog.text)
        if way == "button":
            ann.person.presses(ann.chat.by_bot()[-1])
        elif way == "word":
            ann.person.says("/stop")
        else:
            ann.person.edits(before, "/stop")
        assert await ann.answer(question) == "(stopped)"
    assert len(engine.asked) == 1
    assert [told["text"] for told in telegram.callback_answers] == (["Stopping …"] if way == "button" else [])


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_album_that_still_gathers_is_stopped_and_its_pictures_are_kept(
    telegram: BotApi,
    engine: ScriptedEngine,
    tmp_path: Path,
    ann: Chatting,
    monkeypatch: pytest.MonkeyPatch,
    restarted: bool,
) -> None:
    whole = asyncio.Event()
    monkeypatch.setattr(worker, "_gathering", lambda settled, group: inbox.Gathering(0.01, whole))
    async with service(telegram, tmp_path, engine):
        captioned = ann.person.shows(photo("red"), "Compare", album="a")
        ann.person.shows(photo("blue"), album="a")
        stop = ann.person.says("/stop")
        await until(lambda: telegram.unconfirmed == 0)
        if not restarted:
            whole.set()
            assert await ann.answer(captioned) == "(stopped)"
    whole.set()
    async with service(telegram, tmp_path, engine):
        assert await ann.answer(captioned) == "(stopped)"
        assert not engine.asked
        assert await ann.answer(ann.person.says("Both?")) == "Answer to 'Both?' about [1, 2] after 0 turns."
    assert not ann.chat.answers_to(stop["message_id"])


async def test_a_message_that_is_edited_into_stop_stops_once(running: BotApi, engine: ScriptedEngine) -> None:
    team = Chatting(Person(running, running.world.chat(-100), user_id=7))
    talk = team.person.says("hello everybody")
    engine.gate = asyncio.Event()
    one = team.person.shows(photo(), "@picture_bot one")
    await until(lambda: engine.running)
    team.person.edits(talk, "/stop@picture_bot", twice=True)
    assert (await team.answer(one)).endswith("(stopped)")
    two = team.person.says("@picture_bot two")
    await until(lambda: len(engine.asked) == 2 and engine.running)
    running.update(edited_message=shown(talk))
    await until(lambda: running.unconfirmed == 0)
    engine.gate.set()
    assert await team.answer(two) == "Answer to 'two' about [] after 1 turns."


@pytest.mark.parametrize("stops", [False, True])
async def test_the_word_stop_may_be_edited_into_a_question(
    running: BotApi, ann: Chatting, engine: ScriptedEngine, stops: bool
) -> None:
    engine.gate = asyncio.Event() if stops else None
    one = ann.person.shows(photo(), "One")
    await (until(lambda: engine.running) if stops else ann.answer(one))
    stop = ann.person.says("/stop")
    assert await (ann.answer(one) if stops else ann.answer(stop))
    engine.gate = None
    ann.person.edits(stop, "Two")
    await until(lambda: ann.chat.by_bot()[-1]["text"] == "Answer to 'Two' about [] after 1 turns.")


async def test_an_answer_of_the_old_group_is_stopped_in_its_supergroup(running: BotApi, engine: ScriptedEngine) -> None:
    old, new = running.world.chat(-5, "group"), running.world.chat(-1005)
    before, after = (Chatting(Person(running, chat, user_id=7)) for chat in (old, new))
    engine.gate = asyncio.Event()
    before.person.shows(photo(), "@picture_bot one")
    await until(lambda: engine.running and old.by_bot())
    old.moved_to = new.id
    after.person.sends(migrate_from_chat_id=old.id)
    after.person.says("/stop@picture_bot")
    await until(lambda: [message["text"].endswith("(stopped)") for message in new.by_bot()] == [True])


async def test_a_supergroup_waits_for_what_another_replica_answers_in_the_old_group(
    telegram: BotApi,
    engine: ScriptedEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=(0.05,)))
    team, stores = Chatting(Person(telegram, telegram.world.chat(-1005), user_id=7)), list[Store]()

    def leases_of(store: Store) -> Replica:
        stores.append(store)
        return Replica(store, 3600)

    async with service(telegram, tmp_path, engine, leases_of=leases_of):
        [store], old = stores, "telegram:-5:0"
        async with Replica(store, 3600).hold(old):
            asked = await store.put("telegram", "telegram:asked", old, "{}")
            assert asked
            team.person.sends(migrate_from_chat_id=-5)
            two = team.person.says("@picture_bot two")
            await until(lambda: "questions of the old group are answered first" in caplog.text or team.chat.by_bot())
            await ask(store, old, "one", image("dog"), key=asked.key)
            await store.finish([asked.id])
        assert await team.answer(two) == "Answer to 'two' about [] after 1 turns."

"""Other bots and channels: answered where a setting says so, when they name the bot, and never for ever."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bots.conversing.loop_guard import MOST_IN_A_ROW
from core import inbox
from core.replica import Replica
from storage.store import Store
from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.world import BOT, Json
from tests.fakes import ScriptedEngine

NEWS: Json = {"id": -1001, "type": "channel", "title": "News"}
TELEGRAM: Json = {"id": 777000, "is_bot": False, "first_name": "Telegram"}


def group(telegram: BotApi, user_id: int, is_bot: bool = False) -> Chatting:
    telegram.bot_to_bot = True
    return Chatting(Person(telegram, telegram.world.chat(-100), user_id=user_id, is_bot=is_bot))


def channel(telegram: BotApi) -> Chatting:
    return Chatting(Person(telegram, telegram.world.chat(-1001, "channel"), user_id=9))


async def says(chatting: Chatting, question: Json, expected: str) -> None:
    """Wait for an answer that has no buttons, so that nothing else shows that it is complete."""

    def said() -> list[str]:
        return [message["text"] for message in chatting.chat.answers_to(question["message_id"])]

    try:
        await until(lambda: said() == [expected])
    except TimeoutError:
        raise AssertionError(said()) from None


async def idle(telegram: BotApi) -> None:
    """Wait until everything was received and processed: a person's question comes last in its chat."""
    ann = group(telegram, 7)
    await ann.answer(ann.person.shows(photo(), "@picture_bot and this?"))


@pytest.mark.parametrize("settings", [{}, {"channels": True}], ids=["by default", "with channels"])
async def test_bots_are_not_answered_unless_a_setting_says_so(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, settings: dict[str, Any]
) -> None:
    robot = group(telegram, 99, is_bot=True)
    async with service(telegram, tmp_path, engine, **settings):
        robot.person.shows(photo(), "@picture_bot what is it?")
        robot.person.says("/help@picture_bot")
        await idle(telegram)
    assert len(robot.chat.by_bot()) == 1


async def test_a_bot_is_answered_only_when_it_names_the_bot(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    robot, alone = group(telegram, 99, is_bot=True), Chatting(Person(telegram, telegram.world.chat(99), is_bot=True))
    async with service(telegram, tmp_path, engine, bots=True):
        asked = robot.person.shows(photo(), "@picture_bot what is it?")
        assert await robot.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."
        [answer] = await robot.answers(asked)
        ordered = robot.person.says("/ask@picture_bot and why?")
        assert await robot.answer(ordered) == "Answer to 'and why?' about [] after 1 turns."
        for said in (
            robot.person.says("I think so, too", reply_to=answer),
            robot.person.says("/help"),
            robot.person.shows(photo(), "for nobody"),
            alone.person.shows(photo(), "hello"),
        ):
            assert said["message_id"]
        edited = robot.person.says("I am thinking …")
        robot.person.edits(edited, "@picture_bot what else?")  # as bots do that write their answers by edits
        robot.person.edits(asked, "@picture_bot what was it?")
        await idle(telegram)
    assert [turn.text for turn in engine.asked[-1].turns] == ["what is it?", "and why?", "and this?"]
    assert len(robot.chat.by_bot()) == 3 and not alone.chat.by_bot()


async def test_the_bot_never_answers_itself(telegram: BotApi, engine: ScriptedEngine, tmp_path: Path) -> None:
    itself = group(telegram, int(BOT["id"]), is_bot=True)
    async with service(telegram, tmp_path, engine, bots=True, channels=True):
        itself.person.shows(photo(), "@picture_bot what is it?")
        await idle(telegram)
    assert len(engine.asked) == 1


async def test_bots_that_answer_each_other_stop_until_a_person_asks(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    robot, ann = group(telegram, 99, is_bot=True), group(telegram, 7)
    async with service(telegram, tmp_path, engine, bots=True, channels=True):
        for _ in range(2):
            for number in range(MOST_IN_A_ROW):
                assert await robot.answer(robot.person.shows(photo(), f"@picture_bot {number}"))
            ignored = robot.person.shows(photo(), "@picture_bot too many")
            assert await ann.answer(ann.person.says("@picture_bot what is it?"))
            assert not robot.chat.answers_to(ignored["message_id"])
    refused = "refused platform=telegram reason=loop person=telegram:99 chat=-100"
    assert [record.getMessage() for record in caplog.records].count(refused) == 2


async def test_a_bot_is_somebody_to_let_in_and_to_block(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    robot, other, boss = group(telegram, 99, is_bot=True), group(telegram, 98, is_bot=True), group(telegram, 9)
    async with service(telegram, tmp_path, engine, bots=True, allow=[99], admins=[9]):
        asked = robot.person.shows(photo(), "@picture_bot what is it?")
        assert (await robot.answer(asked)).startswith("Answer to")
        assert "98 (-100)" in await other.answer(other.person.shows(photo(), "@picture_bot one"))
        assert "99 is blocked" in await boss.answer(boss.person.says("/block", reply_to=asked))
        ignored = robot.person.shows(photo(), "@picture_bot two")
        await boss.answer(boss.person.shows(photo(), "@picture_bot three"))
        assert not robot.chat.answers_to(ignored["message_id"])


@pytest.mark.parametrize("webhook", [False, True])
async def test_a_channels_post_is_answered_when_it_names_the_bot(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, webhook: bool
) -> None:
    news = channel(telegram)
    async with service(telegram, tmp_path, engine, channels=True, webhook=webhook):
        news.person.shows(photo(), "A picture of the day")
        asked = news.person.shows(photo(), "@picture_bot what is it?")
        await says(news, asked, "Answer to 'what is it?' about [1] after 0 turns.")
        [answer] = news.chat.answers_to(asked["message_id"])
        news.person.edits(asked, "@picture_bot what was it?")
        await says(news, asked, "Answer to 'what was it?' about [1] after 0 turns.")
        edited = news.person.shows(photo("blue"), "")
        news.person.edits(edited, "@picture_bot and this?")
        await says(news, edited, "Answer to 'and this?' about [2] after 1 turns.")
    assert not any("reply_markup" in message for message in news.chat.by_bot())
    assert [text for _, text in news.chat.states[answer["message_id"]]][-1].startswith("Answer to 'what was it?'")


async def test_channels_are_not_answered_unless_a_setting_says_so(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    news, member = channel(telegram), group(telegram, 136817688, is_bot=True)
    async with service(telegram, tmp_path, engine, bots=True):
        news.person.shows(photo(), "@picture_bot what is it?")
        member.person.shows(photo(), "@picture_bot what is it?", sender_chat=NEWS)
        await idle(telegram)
    assert len(engine.asked) == 1
    [*_, (_, asked_for)] = [each for each in telegram.requests if each[0] == "getUpdates"]
    assert asked_for["allowed_updates"] == ["message", "edited_message", "callback_query", "message_reaction"]


async def test_a_post_and_its_copy_in_the_group_for_comments_are_answered_once(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    news, copies = channel(telegram), group(telegram, TELEGRAM["id"])
    async with service(telegram, tmp_path, engine, channels=True):
        for text, reaches_channel in (("one", True), ("two", False)):
            asked = news.person.shows(photo(), f"@picture_bot {text}") if reaches_channel else {"message_id": 500}
            origin = {"type": "channel", "date": 1422450181, "chat": NEWS, "message_id": asked["message_id"]}
            as_channel: Json = {"sender_chat": NEWS, "is_automatic_forward": True, "forward_origin": origin}
            copy = copies.person.shows(photo(), f"@picture_bot {text}", **as_channel)
            if reaches_channel:
                await says(news, asked, "Answer to 'one' about [1] after 0 turns.")
                news.person.edits(asked, "@picture_bot more")
                copies.person.edits(copy, "@picture_bot more")
                await says(news, asked, "Answer to 'more' about [1] after 0 turns.")
        assert await copies.answer(copy) == "Answer to 'two' about [1] after 0 turns."
        await idle(telegram)
    assert len(copies.chat.by_bot()) == 2 and len(news.chat.by_bot()) == 1


async def test_the_copy_of_the_bots_own_words_in_a_channel_is_not_answered(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    news, copies = channel(telegram), group(telegram, TELEGRAM["id"])
    async with service(telegram, tmp_path, engine, channels=True):
        asked = news.person.shows(photo(), "@picture_bot what is it?")
        await says(news, asked, "Answer to 'what is it?' about [1] after 0 turns.")
        [answer] = news.chat.by_bot()
        origin = {"type": "channel", "date": 1422450181, "chat": NEWS, "message_id": answer["message_id"]}
        as_channel: Json = {"sender_chat": NEWS, "is_automatic_forward": True, "forward_origin": origin}
        copy = copies.person.says("@picture_bot what is it?", **as_channel)
        copies.person.edits(copy, "@picture_bot and now?")
        await idle(telegram)
        assert not copies.chat.answers_to(copy["message_id"])
    assert len(engine.asked) == 2


async def test_what_may_be_the_answer_that_is_being_written_in_a_channel_waits_for_it(
    telegram: BotApi,
    engine: ScriptedEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=(0.05,)))
    news, copies = channel(telegram), group(telegram, TELEGRAM["id"])
    engine.gate = asyncio.Event()
    async with service(telegram, tmp_path, engine, channels=True):
        asked = news.person.shows(photo(), "@picture_bot what is it?")
        await until(lambda: engine.running)
        origin = {"type": "channel", "date": 1422450181, "chat": NEWS, "message_id": 500}
        as_channel: Json = {"sender_chat": NEWS, "is_automatic_forward": True, "forward_origin": origin}
        copy = copies.person.shows(photo("blue"), "@picture_bot and this?", **as_channel)
        await until(lambda: "may be an answer of mine that is still being written" in caplog.text)
        assert len(engine.asked) == 1
        engine.gate.set()
        await says(news, asked, "Answer to 'what is it?' about [1] after 0 turns.")
        assert await copies.answer(copy) == "Answer to 'and this?' about [1] after 0 turns."


async def test_what_may_be_the_answer_that_another_replica_writes_in_a_channel_waits_for_it(
    telegram: BotApi,
    engine: ScriptedEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=(0.05,)))
    copies, stores = group(telegram, TELEGRAM["id"]), list[Store]()

    def leases_of(store: Store) -> Replica:
        stores.append(store)
        return Replica(store, 3600)

    async with service(telegram, tmp_path, engine, channels=True, leases_of=leases_of):
        [store] = stores
        conversation = f"telegram:{NEWS['id']}:0"
        async with Replica(store, 3600).hold(conversation):
            asked = await store.put("telegram", "telegram:asked", conversation, "{}")
            assert asked
            origin = {"type": "channel", "date": 1422450181, "chat": NEWS, "message_id": 500}
            as_channel: Json = {"sender_chat": NEWS, "is_automatic_forward": True, "forward_origin": origin}
            copy = copies.person.shows(photo("blue"), "@picture_bot what is it?", **as_channel)
            await until(lambda: "may be an answer of mine that is still being written" in caplog.text)
            await store.record_posted(asked.id, [f"{NEWS['id']}:500"])
            await store.finish([asked.id])
        await idle(telegram)
        assert not copies.chat.answers_to(copy["message_id"])


async def test_who_only_reads_a_channel_presses_no_buttons_there(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    news, reader = channel(telegram), Chatting(Person(telegram, telegram.world.chat(-1001), user_id=55))
    async with service(telegram, tmp_path, engine, channels=True):
        asked = news.person.shows(photo(), "@picture_bot what is it?")
        await says(news, asked, "Answer to 'what is it?' about [1] after 0 turns.")
        [answer] = news.chat.answers_to(asked["message_id"])
        forged = {"inline_keyboard": [[{"text": "Try again", "callback_data": "retry"}]]}
        reader.person.presses({**answer, "reply_markup": forged})
        await until(lambda: telegram.callback_answers)
        await idle(telegram)
    assert len(news.chat.by_bot()) == 1

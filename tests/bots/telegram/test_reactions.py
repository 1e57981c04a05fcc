"""The reaction that a question has until it is answered."""

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bots.conversing.streamed_reply import StreamedReply
from bots.telegram.reactions import TelegramReacting
from core import inbox
from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi, Fault
from tests.bots.telegram.test_killed import living
from tests.fakes import ScriptedEngine


async def test_a_question_is_marked_until_it_is_answered_also_while_it_waits_for_another(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.gate = asyncio.Event()
    first, second = ann.person.shows(photo(), "One"), ann.person.says("Two")
    await until(lambda: {first["message_id"], second["message_id"]} <= ann.chat.reactions.keys())
    assert not ann.chat.answers_to(second["message_id"])
    engine.gate.set()
    await ann.answer(second)
    await until(lambda: not ann.chat.reactions)


async def test_a_command_that_answers_at_once_is_answered_in_one_write(running: BotApi, ann: Chatting) -> None:
    [answer] = await ann.answers(ann.person.says("/settings"))
    assert [text for _, text in ann.chat.states[answer["message_id"]]] == [answer["text"]]
    await until(lambda: not ann.chat.reactions)


async def test_no_reaction_in_a_group_to_what_is_not_for_the_bot_and_none_to_strangers(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    group = telegram.world.chat(-5)
    known, stranger = Person(telegram, group, 7), Person(telegram, group, 8)
    async with service(telegram, tmp_path, engine, allow=[7]):
        known.says("What a day")
        unknown = stranger.says("@picture_bot What is it?")
        await Chatting(stranger).answers(unknown)
        asked = known.shows(photo(), "@picture_bot What is it?")
        await Chatting(known).answers(asked)
        await until(lambda: asked["message_id"] in group.reacted and not group.reactions)
    assert len(set(group.reacted) - {unknown["message_id"]}) == 1


@pytest.mark.parametrize("fault", ["429", "500", "drop after", "hang"])
async def test_an_answer_waits_for_no_reaction(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path, fault: Fault
) -> None:
    telegram.trouble = lambda method: fault if method == "setMessageReaction" else None
    async with service(telegram, tmp_path, engine, timeout_seconds=3):
        assert await ann.answer(ann.person.shows(photo(), "One"))
        assert await ann.answer(ann.person.says("Two"))
        telegram.trouble = lambda method: None
        await until(lambda: not ann.chat.reactions)


async def test_where_reactions_are_forbidden_the_log_says_it_once(
    running: BotApi, ann: Chatting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ann.chat.no_reactions = True
    for _ in range(3):
        await ann.answer(ann.person.shows(photo(), "One"))
        await until(lambda: "no reactions in chat" in caplog.text)
    assert caplog.text.count("no reactions in chat") == 1
    assert running.calls["setMessageReaction"] == 1


async def test_a_message_that_cannot_be_marked_takes_no_other_ones_mark(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TelegramReacting, "most", 1)
    bob = Chatting(Person(telegram, telegram.world.chat(8)))
    telegram.trouble = lambda method: "400" if method == "setMessageReaction" else None
    engine.pause = 60
    async with service(telegram, tmp_path, engine):
        ann.person.shows(photo(), "One")
        await until(lambda: telegram.calls["setMessageReaction"])
        telegram.trouble = lambda method: None
        question = bob.person.shows(photo(), "Two")
        await until(lambda: question["message_id"] in bob.chat.reactions)


async def test_a_message_that_is_kept_for_the_next_start_takes_no_other_ones_mark(
    telegram: BotApi,
    ann: Chatting,
    engine: ScriptedEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(TelegramReacting, "most", 1)
    monkeypatch.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=(0.0,)))
    bob = Chatting(Person(telegram, telegram.world.chat(8)))

    async def fail(*_: Any, **__: Any) -> None:
        raise ValueError

    async with service(telegram, tmp_path, engine):
        with monkeypatch.context() as broken:
            broken.setattr(StreamedReply, "write", fail)
            marked = ann.person.shows(photo(), "One")
            await until(lambda: "is kept for the next start" in caplog.text)
        await until(lambda: marked["message_id"] in ann.chat.reactions)  # it is answered after the next start
        engine.pause = 60
        question = bob.person.shows(photo(), "Two")
        await until(lambda: question["message_id"] in bob.chat.reactions)
        assert marked["message_id"] in ann.chat.reactions


async def test_an_operator_can_switch_reactions_off(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path
) -> None:
    async with service(telegram, tmp_path, engine, reactions=False):
        await ann.answer(ann.person.shows(photo(), "One"))
    assert not telegram.calls["setMessageReaction"]


async def test_what_a_killed_process_left_is_taken_back_at_the_answer(
    telegram: BotApi, tmp_path: Path, ann: Chatting
) -> None:
    async with living(telegram, tmp_path, "polling", pause=1.0):
        question = ann.person.shows(photo(), "One")
        await until(lambda: ann.chat.reactions and ann.chat.by_bot())
    assert ann.chat.reactions
    async with living(telegram, tmp_path, "polling", pause=0.0):
        await ann.answer(question)
        await until(lambda: not ann.chat.reactions)

"""By webhook an album's pictures may come apart: who got one died, and Telegram posts it again later."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.store import Store
from tests.bots.telegram.conftest import PATIENCE_S, SECRET, Chatting, is_finished, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine

RIGHT = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
Post = Callable[[], Awaitable[None]]


@pytest.fixture
async def post(telegram: BotApi, engine: ScriptedEngine, tmp_path: Path) -> AsyncIterator[Post]:
    """Run the bot, and post its oldest update when a test says so."""
    telegram.posts = False
    async with service(telegram, tmp_path, engine, webhook=True):
        yield lambda: posted(telegram)


async def posted(telegram: BotApi) -> None:
    """Post the oldest update until it is taken."""
    update = telegram.take_update()
    async with httpx.AsyncClient(base_url=telegram.posts_to, timeout=60) as client, asyncio.timeout(PATIENCE_S):
        while (await client.post("/hook", json=update, headers=RIGHT)).status_code != 200:
            await asyncio.sleep(0.01)


async def says(ann: Chatting, *expected: str) -> None:
    """Wait until these are all of the bot's words."""
    await until(lambda: [message["text"] for message in ann.chat.by_bot() if is_finished(message)] == list(expected))


@pytest.mark.parametrize("chat_id", [7, -100])
async def test_a_later_picture_of_an_album_gives_its_question_one_answer_about_all(
    telegram: BotApi, post: Post, engine: ScriptedEngine, chat_id: int
) -> None:
    team = Chatting(Person(telegram, telegram.world.chat(chat_id), user_id=7))
    team.person.shows(photo("red"), "@picture_bot Compare", album="a")
    await post()
    await says(team, "Answer to 'Compare' about [1] after 0 turns.")
    for colour, seen in (("blue", "[1, 2]"), ("green", "[1, 2, 3]")):
        team.person.shows(photo(colour), album="a")
        await post()
        await says(team, f"Answer to 'Compare' about {seen} after 0 turns.")
    assert len(team.chat.by_bot()) == 1
    team.person.says("@picture_bot And now?")
    await post()
    await until(lambda: len(engine.asked) == 4)
    assert [turn.text for turn in engine.asked[-1].turns] == ["Compare", "And now?"]


async def test_a_later_picture_of_an_album_that_waits_for_its_question_is_kept_in_a_group_too(
    telegram: BotApi, post: Post
) -> None:
    team = Chatting(Person(telegram, telegram.world.chat(-100), user_id=7))
    team.person.shows(photo("red"), "@picture_bot", album="a")
    await post()
    got = "Got picture {}. What would you like to know?"
    await says(team, got.format(1))
    team.person.shows(photo("blue"), album="a")
    await post()
    await says(team, got.format(1), got.format(2))
    question = team.person.says("@picture_bot Compare")
    await post()
    assert await team.answer(question) == "Answer to 'Compare' about [1, 2] after 0 turns."


async def test_a_later_picture_of_an_album_that_was_for_other_people_is_not_looked_at(
    telegram: BotApi, post: Post, engine: ScriptedEngine
) -> None:
    team = Chatting(Person(telegram, telegram.world.chat(-100), user_id=7))
    for colour in ("red", "blue"):
        team.person.shows(photo(colour), "From the beach" if colour == "red" else "", album="beach")
        await post()
    question = team.person.shows(photo("green"), "@picture_bot One")
    await post()
    assert await team.answer(question) == "Answer to 'One' about [1] after 0 turns."
    assert len(team.chat.by_bot()) == 1


async def test_a_later_picture_brings_back_nothing_that_was_forgotten(
    telegram: BotApi, post: Post, ann: Chatting, engine: ScriptedEngine
) -> None:
    ann.person.shows(photo("red"), "Compare", album="a")
    await post()
    await says(ann, "Answer to 'Compare' about [1] after 0 turns.")
    ann.person.says("/forget")
    await post()
    await until(lambda: len(ann.chat.by_bot()) == 2)
    ann.person.shows(photo("blue"), album="a")
    await post()
    await until(lambda: ann.chat.by_bot()[-1]["text"] == "Got picture 1. What would you like to know?")
    assert len(engine.asked) == 1


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_restart_between_the_pictures_of_an_album_leaves_one_answer_about_all(
    telegram: BotApi,
    engine: ScriptedEngine,
    tmp_path: Path,
    ann: Chatting,
    monkeypatch: pytest.MonkeyPatch,
    is_stored: bool,
) -> None:
    """The first service may end before it has stored that the question is finished, the second one while it answers."""
    finish, finishing = Store.finish, asyncio.Event()

    async def finishes(self: Store, *values: Any) -> None:
        if is_stored:
            await finish(self, *values)
        finishing.set()
        if not is_stored:
            await asyncio.Event().wait()

    telegram.posts = False
    monkeypatch.setattr(Store, "finish", finishes)
    async with service(telegram, tmp_path, engine, webhook=True):
        ann.person.shows(photo("red"), "Compare", album="a")
        await posted(telegram)
        await says(ann, "Answer to 'Compare' about [1] after 0 turns.")
        await finishing.wait()
    monkeypatch.setattr(Store, "finish", finish)
    engine.gate = asyncio.Event()
    async with service(telegram, tmp_path, engine, webhook=True):
        ann.person.shows(photo("blue"), album="a")
        await posted(telegram)
        await until(lambda: engine.running)
    engine.gate = None
    async with service(telegram, tmp_path, engine, webhook=True):
        await says(ann, "Answer to 'Compare' about [1, 2] after 0 turns.")
        assert len(ann.chat.by_bot()) == 1

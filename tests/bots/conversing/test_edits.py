"""New words of a message are heeded whenever they come, and are on disk before the platform hears that they arrived."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bots.conversing.services import Services
from core.assistant import Assistant
from core.errors import StoreDown
from core.revision import Revision
from storage.store import Store, StoreConfig
from tests.bots.echo.chat import Chat
from tests.bots.echo.replica import UNLIMITED
from tests.bots.test_replicas import payload, until
from tests.fakes import ScriptedEngine, image

KEY, HERE = "k", "echo:1"
ONE, TWO, THREE = (Revision.of(number, word) for number, word in enumerate(("One", "Two", "Three")))


class Telling(Chat):
    def __init__(self, store: Store) -> None:
        self.engine = ScriptedEngine(lambda asked: f"{asked.turns[-1].text} is answered")
        super().__init__(Services(Assistant(self.engine, store, quota=UNLIMITED), store), frozenset())
        self.said: list[str] = []

    def say(self, **line: Any) -> None:
        self.said.append(line["text"].partition("\n")[0])

    async def receive(self, words: str, revision: Revision) -> bool:
        return await self.dispatcher.inbox.receive(KEY, HERE, payload(words), digest=str(revision))

    async def edit(self, words: str, revision: Revision, receive: Callable[[], Awaitable[bool]] | None = None) -> None:
        receive = receive or partial(self.receive, words, revision)
        await self.dispatcher.edit(KEY, payload(words), revision, receive)

    async def idle(self) -> None:
        await until(lambda: not self.dispatcher.inbox.waiting(HERE))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/answers.db"))
    await store.add_pictures(HERE, [image()])
    yield store
    await store.close()


@pytest.fixture
async def chat(store: Store) -> AsyncIterator[Telling]:
    chat = Telling(store)
    yield chat
    await chat.close()


async def test_an_edit_that_could_not_be_written_down_is_on_disk_once_it_comes_again(
    store: Store, chat: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise StoreDown("My memory does not work at the moment.")

    chat.engine.gate = asyncio.Event()
    await chat.receive("One", ONE)
    await until(lambda: chat.engine.running)
    with monkeypatch.context() as down:
        down.setattr(store, "rewrite", fail, raising=False)
        with pytest.raises(StoreDown):
            await chat.edit("Two", TWO)
    await chat.edit("Two", TWO)
    [kept] = await store.unfinished("echo")
    assert (kept.payload, kept.digest) == (payload("Two"), str(TWO))


async def test_an_edit_that_comes_while_its_message_is_being_written_down_is_answered(chat: Telling) -> None:
    async def receive() -> bool:
        assert await chat.receive("One", ONE)
        return await chat.receive("Two", TWO)

    await chat.edit("Two", TWO, receive)
    await chat.idle()
    assert chat.said == ["Two is answered"]


async def test_an_edit_that_comes_before_its_message_is_answered_alone(chat: Telling) -> None:
    await chat.edit("Two", TWO)
    assert not await chat.receive("One", ONE)
    await chat.idle()
    assert chat.said == ["Two is answered"]


@pytest.mark.parametrize("first", ["Two", "Three"])
async def test_the_later_one_of_two_edits_that_come_at_once_is_answered_last(chat: Telling, first: str) -> None:
    await chat.receive("One", ONE)
    await chat.idle()
    edits = [chat.edit("Two", TWO), chat.edit("Three", THREE)]
    await asyncio.gather(*(edits if first == "Two" else reversed(edits)))
    await chat.idle()
    assert chat.said[-1] == "Three is answered"


async def test_no_edit_is_answered_twice_and_no_older_one_after_a_later_one(chat: Telling) -> None:
    await chat.receive("One", ONE)
    await chat.edit("Three", THREE)
    await chat.idle()
    for words, revision in (("Three", THREE), ("Two", TWO), ("One", ONE)):
        await chat.edit(words, revision)
    await chat.idle()
    assert chat.said == ["Three is answered"]

"""A question is stopped in whatever state it is, and what is said of that is true."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bots.conversing.dispatcher import Dispatcher
from core import inbox
from core.errors import EngineUnreachable, StoreDown
from storage.store import Store, StoreConfig
from tests.bots.conversing.test_edits import HERE, KEY, ONE, Telling
from tests.bots.test_replicas import payload, until
from tests.fakes import image

NOTHING = "Nothing is being written just now."


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/answers.db"))
    await store.add_pictures(HERE, [image()])
    yield store
    await store.close()


@pytest.fixture
async def chat(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Telling]:
    """Try again what failed after an hour, unless it is stopped."""
    monkeypatch.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=(3600.0,)))
    chat = Telling(store)
    yield chat
    await chat.close()


async def stop(chat: Telling) -> None:
    await chat.dispatcher.running.stop_by("stop", HERE, payload("!stop"))


def gathering(chat: Telling) -> asyncio.Event:
    """Let albums gather until the event is set."""
    whole = asyncio.Event()
    chat.dispatcher.inbox._gathering = lambda group: inbox.Gathering(0.0, whole)
    return whole


async def test_a_question_that_waits_for_its_next_attempt_is_stopped_at_once(
    store: Store, chat: Telling, caplog: pytest.LogCaptureFixture
) -> None:
    chat.engine.script = lambda _: EngineUnreachable("The model is away.")
    await chat.receive("One", ONE)
    await until(lambda: "has to wait" in caplog.text)
    await stop(chat)
    await chat.idle()
    assert (chat.said, len(chat.engine.asked)) == (["(stopped)"], 1)
    assert not await store.unfinished("echo")


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_question_that_waits_for_the_rest_of_its_album_is_stopped_also_after_a_restart(
    store: Store, chat: Telling, restarted: bool
) -> None:
    whole = gathering(chat)
    assert await chat.dispatcher.inbox.receive(KEY, HERE, payload("One"), group="album")
    await stop(chat)
    if restarted:
        await chat.close()
        chat = Telling(store)
        await chat.dispatcher.inbox.resume()
    whole.set()
    await chat.idle()
    assert (chat.said, chat.engine.asked) == (["(stopped)"], [])
    assert not await store.unfinished("echo")
    await chat.close()


async def test_a_question_that_is_kept_for_the_next_start_is_stopped_at_once(
    store: Store, chat: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise ValueError

    chat.dispatcher.inbox._attempts._pauses_s = (0.0,)
    with monkeypatch.context() as broken:
        broken.setattr(Dispatcher, "answer", fail)
        await chat.receive("One", ONE)
        await chat.idle()
    await stop(chat)
    await chat.idle()
    assert (chat.said, chat.engine.asked) == (["(stopped)"], [])
    assert not await store.unfinished("echo")


async def test_an_answer_that_is_being_saved_is_not_stopped_any_more(
    store: Store, chat: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saving, saved = store.save, asyncio.Event(), asyncio.Event()

    async def slowly(*values: Any) -> None:
        saving.set()
        await saved.wait()
        await save(*values)

    monkeypatch.setattr(store, "save", slowly)
    await chat.receive("One", ONE)
    await saving.wait()
    await stop(chat)
    saved.set()
    await chat.idle()
    assert chat.said == ["One is answered", NOTHING]


async def test_an_answer_that_could_not_be_saved_is_stopped(
    store: Store, chat: Telling, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> None:
        raise StoreDown("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(store, "save", fail)
        await chat.receive("One", ONE)
        await until(lambda: "has to wait" in caplog.text)
    await stop(chat)
    await chat.idle()
    assert (chat.said, len(chat.engine.asked)) == (["(stopped)"], 1)


async def test_an_answer_that_is_saved_and_has_to_be_shown_again_is_not_stopped_any_more(
    store: Store, chat: Telling, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> None:
        raise StoreDown("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(store, "record_posted", fail)
        await chat.receive("One", ONE)
        await until(lambda: "has to wait" in caplog.text)
    assert not await chat.dispatcher.running.stop(HERE)


async def test_a_stop_that_comes_twice_spares_the_next_question(chat: Telling) -> None:
    chat.engine.gate = asyncio.Event()
    await chat.receive("One", ONE)
    await until(lambda: chat.engine.running)
    await stop(chat)
    await until(lambda: chat.said)
    chat.engine.gate = None
    await chat.dispatcher.inbox.receive("two", HERE, payload("Two"))
    await stop(chat)
    await chat.idle()
    assert chat.said[1:] == ["Two is answered"]


async def test_a_question_that_comes_into_the_queue_while_it_is_looked_for_is_stopped(
    store: Store, chat: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, read = gathering(chat), Store.unfinished_in
    message = await store.put("echo", KEY, HERE, payload("One"), "album")
    assert message

    async def unfinished_in(self: Store, *place: str) -> Any:
        found = await read(self, *place)
        chat.dispatcher.inbox.take_up(message)
        return found

    monkeypatch.setattr(Store, "unfinished_in", unfinished_in)
    await stop(chat)
    whole.set()
    await chat.idle()
    assert (chat.said, chat.engine.asked) == (["(stopped)"], [])

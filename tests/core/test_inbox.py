import asyncio
import json
from collections.abc import Collection, Sequence
from contextlib import suppress

import pytest

from core import inbox as inboxes
from core import single_replica
from core.errors import StoreDown
from core.inbox import Gathering, Inbox
from core.single_replica import SingleReplica
from core.stored_message import OpenMessage, StoredMessage
from tests.fakes import MemoryMailbox


class Desk:
    """Work that writes down what it was given, and can be held."""

    def __init__(self) -> None:
        self.done: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing: set[str] = set()
        self.begun = 0

    async def work(self, messages: Sequence[StoredMessage]) -> None:
        self.begun += 1
        await self.gate.wait()
        if messages[0].payload in self.failing:
            raise OSError("disk full")
        self.done.append([message.payload for message in messages])


async def is_forget(payload: str) -> bool:
    return payload == "forget"


async def until_idle(inbox: Inbox, *conversations: str) -> None:
    while any(inbox.waiting(conversation) for conversation in conversations):
        await asyncio.sleep(0.001)


async def until_begun(desk: Desk) -> None:
    while not desk.begun:
        await asyncio.sleep(0.001)


async def test_messages_of_a_conversation_are_worked_off_in_order() -> None:
    desk, mailbox = Desk(), MemoryMailbox()
    inbox = Inbox(mailbox, "telegram", desk.work)
    for n in range(5):
        assert await inbox.receive(f"k{n}", "c", f"{n}")
    await until_idle(inbox, "c")
    assert desk.done == [[f"{n}"] for n in range(5)]
    assert not await mailbox.unfinished("telegram")


async def test_a_redelivery_is_known() -> None:
    desk = Desk()
    inbox = Inbox(MemoryMailbox(), "slack", desk.work)
    assert await inbox.receive("k", "c", "first")
    assert not await inbox.receive("k", "c", "again")
    await until_idle(inbox, "c")
    assert not await inbox.receive("k", "c", "much later")
    assert desk.done == [["first"]]


async def test_what_was_not_finished_is_taken_up_after_a_restart() -> None:
    desk, mailbox = Desk(), MemoryMailbox()
    desk.gate.clear()
    before = Inbox(mailbox, "web", desk.work)
    await before.receive("k1", "c", "1")
    await before.receive("k2", "c", "2")
    await before.close()
    desk.gate.set()
    after = Inbox(mailbox, "web", desk.work)
    assert await after.resume() == 2
    await until_idle(after, "c")
    assert desk.done == [["1"], ["2"]]


async def test_a_message_that_is_reopened_while_the_others_are_taken_up_is_worked_off_once() -> None:
    desk, mailbox = Desk(), MemoryMailbox()
    held = await mailbox.put("telegram", "k", "c", "1")
    assert held is not None

    async def forgets(payload: str) -> bool:
        inbox.take_up_again(held)  # its asker is let in, on the operator's page
        return False

    inbox = Inbox(mailbox, "telegram", desk.work, forgets=forgets)
    await inbox.resume()
    await until_idle(inbox, "c")
    assert desk.done == [["1"]]


async def test_one_conversation_never_waits_for_another() -> None:
    held, free = Desk(), Desk()
    held.gate.clear()

    async def work(messages: Sequence[StoredMessage]) -> None:
        await (held if messages[0].conversation_id == "a" else free).work(messages)

    inbox = Inbox(MemoryMailbox(), "telegram", work)
    await inbox.receive("k1", "a", "1")
    await inbox.receive("k2", "b", "2")
    await until_idle(inbox, "b")
    assert (held.done, free.done) == ([], [["2"]])
    await inbox.close()


async def test_an_album_becomes_one_piece_of_work() -> None:
    desk = Desk()
    inbox = Inbox(MemoryMailbox(), "telegram", desk.work, gathering=lambda _: Gathering(0.02))
    for n in range(3):
        await inbox.receive(f"k{n}", "c", f"{n}", group="album")
        await asyncio.sleep(0.005)
    await inbox.receive("k3", "c", "3")
    await until_idle(inbox, "c")
    assert desk.done == [["0", "1", "2"], ["3"]]


async def test_an_album_that_never_ends_is_cut_at_the_limit() -> None:
    desk = Desk()
    inbox = Inbox(MemoryMailbox(), "telegram", desk.work, gathering=lambda _: Gathering(0.01), gather_limit_s=0.03)
    for n in range(20):
        await inbox.receive(f"k{n}", "c", f"{n}", group="album")
        await asyncio.sleep(0.005)
    await until_idle(inbox, "c")
    assert 1 < len(desk.done) < 20
    assert [payload for batch in desk.done for payload in batch] == [f"{n}" for n in range(20)]


async def test_work_that_fails_keeps_its_message_for_the_next_start() -> None:
    desk, mailbox = Desk(), MemoryMailbox()
    desk.failing = {"1"}
    inbox = Inbox(mailbox, "telegram", desk.work, pauses_s=(0.0,))
    await inbox.receive("k1", "c", "1")
    await inbox.receive("k2", "c", "2")
    await until_idle(inbox, "c")
    assert desk.done == [["2"]]
    assert [message.payload for message in await mailbox.unfinished("telegram")] == ["1"]


async def test_work_that_fails_for_a_while_keeps_its_place_in_line_and_what_it_sent() -> None:
    mailbox = MemoryMailbox()
    tried: list[tuple[str, tuple[str, ...]]] = []

    async def work(messages: Sequence[StoredMessage]) -> None:
        tried.append((messages[0].payload, messages[0].posted_ids))
        if len(tried) == 1:
            await mailbox.record_posted(messages[0].id, ["posted"])
            raise OSError("disk full")

    inbox = Inbox(mailbox, "telegram", work, pauses_s=(0.0,))
    await inbox.receive("k1", "c", "1")
    await inbox.receive("k2", "c", "2")
    await until_idle(inbox, "c")
    assert tried == [("1", ()), ("1", ("posted",)), ("2", ())]
    assert not await mailbox.unfinished("telegram")


@pytest.mark.parametrize("over", [False, True])
async def test_a_failed_attempt_is_not_followed_by_another_before_it_is_known_what_it_left(over: bool) -> None:
    mailbox, tried, unreadable = MemoryMailbox(), list[tuple[str, ...]](), 2
    read = mailbox.unfinished

    async def unfinished(adapter: str) -> list[StoredMessage]:
        nonlocal unreadable
        if unreadable:
            unreadable -= 1
            raise StoreDown("My memory does not work at the moment.")
        return await read(adapter)

    async def work(messages: Sequence[StoredMessage]) -> None:
        tried.append(messages[0].posted_ids)
        if len(tried) == 1:
            await mailbox.record_posted(messages[0].id, ["posted"])
            mailbox.finished |= {messages[0].id} if over else set()
            raise StoreDown("My memory does not work at the moment.")

    mailbox.unfinished = unfinished  # type: ignore[method-assign]
    inbox = Inbox(mailbox, "telegram", work, pauses_s=(0.0,))
    await inbox.receive("k1", "c", "1")
    await until_idle(inbox, "c")
    assert tried == ([()] if over else [(), ("posted",)])
    assert not unreadable


async def test_an_album_waits_until_its_platform_has_handed_over_everything() -> None:
    desk, settled = Desk(), asyncio.Event()
    inbox = Inbox(MemoryMailbox(), "telegram", desk.work, gathering=lambda _: Gathering(0.01, settled))
    await inbox.receive("k1", "c", "1", group="album")
    await asyncio.sleep(0.1)
    await inbox.receive("k2", "c", "2", group="album")
    settled.set()
    await until_idle(inbox, "c")
    assert desk.done == [["1", "2"]]


async def test_a_message_that_clears_goes_before_all_that_waits_and_ends_what_is_worked_on() -> None:
    desk, mailbox = Desk(), MemoryMailbox()
    inbox = Inbox(mailbox, "telegram", desk.work, forgets=is_forget)
    desk.gate.clear()
    for payload in ("first", "second"):
        await inbox.receive(payload, "c", payload)
    await inbox.receive("other", "d", "other")
    await asyncio.sleep(0)
    await inbox.receive("forget", "c", "forget")
    await inbox.receive("third", "c", "third")
    desk.gate.set()
    await until_idle(inbox, "c", "d")
    assert sorted(desk.done) == [["forget"], ["other"], ["third"]]
    again = Inbox(mailbox, "telegram", desk.work, forgets=is_forget)
    mailbox.finished -= {message.id for message in mailbox.messages if message.payload == "forget"}  # a crash
    desk.done.clear()
    await again.resume()
    await until_idle(again, "c")
    assert desk.done == [["forget"]]


async def test_while_nobody_knows_whether_a_message_clears_it_is_not_taken_in_and_comes_again() -> None:
    desk, mailbox, down = Desk(), MemoryMailbox(), [StoreDown("no memory")]

    async def forgets(payload: str) -> bool:
        if down:
            raise down.pop()
        return payload == "forget"

    inbox = Inbox(mailbox, "telegram", desk.work, forgets=forgets)
    with pytest.raises(StoreDown):
        await inbox.receive("k", "c", "forget")
    assert not mailbox.messages
    assert await inbox.receive("k", "c", "forget")
    await until_idle(inbox, "c")
    assert desk.done == [["forget"]]


async def test_a_message_waits_in_its_place_for_as_long_as_the_database_is_down() -> None:
    mailbox, tries = MemoryMailbox(), 0

    async def work(messages: Sequence[StoredMessage]) -> None:
        nonlocal tries
        tries += messages[0].payload == "1"
        if tries < 6:
            raise StoreDown("My memory does not work at the moment.")

    inbox = Inbox(mailbox, "telegram", work, pauses_s=(0.0, 0.001))
    await inbox.receive("k1", "c", "1")
    await inbox.receive("k2", "c", "2")
    await until_idle(inbox, "c")
    assert tries == 6
    assert not await mailbox.unfinished("telegram")


async def test_attempts_that_the_database_failed_are_not_counted_against_a_message() -> None:
    mailbox = MemoryMailbox()
    failing: list[Exception] = [StoreDown("no memory")] * 3 + [OSError("no network")]
    done: list[str] = []

    async def work(messages: Sequence[StoredMessage]) -> None:
        if failing:
            raise failing.pop(0)
        done.append(messages[0].payload)

    inbox = Inbox(mailbox, "telegram", work, pauses_s=(0.0,))
    await inbox.receive("k1", "c", "1")
    await until_idle(inbox, "c")
    assert done == ["1"]


async def test_a_message_that_is_gone_from_the_mailbox_is_not_tried_again_and_holds_nobody_up() -> None:
    mailbox = MemoryMailbox()
    tried: list[str] = []

    async def work(messages: Sequence[StoredMessage]) -> None:
        tried.append(messages[0].payload)
        if tried == ["1"]:
            await mailbox.finish([messages[0].id])  # as expiry does
            raise StoreDown("My memory does not work at the moment.")

    inbox = Inbox(mailbox, "telegram", work, pauses_s=(0.0,))
    await inbox.receive("k1", "c", "1")
    await inbox.receive("k2", "c", "2")
    await until_idle(inbox, "c")
    assert tried == ["1", "2"]


async def test_a_second_message_that_clears_waits_for_what_the_first_one_ended() -> None:
    running = 0
    most = 0

    async def work(messages: Sequence[StoredMessage]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(60 if messages[0].payload == "question" else 0)
        except asyncio.CancelledError:
            await asyncio.sleep(0.02)  # a message that is being posted is posted
            raise
        finally:
            running -= 1

    inbox = Inbox(MemoryMailbox(), "telegram", work, forgets=is_forget)
    await inbox.receive("k1", "c", "question")
    await asyncio.sleep(0)
    for key in ("k2", "k3"):
        await asyncio.sleep(0)
        await inbox.receive(key, "c", "forget")
    await until_idle(inbox, "c")
    assert most == 1


async def test_a_message_that_cannot_be_read_any_more_does_not_keep_the_others_waiting() -> None:
    async def forgets(payload: str) -> bool:
        return bool(json.loads(payload) == "forget")

    desk, mailbox = Desk(), MemoryMailbox()
    for key, payload in (("k1", "{dam"), ("k2", "2")):
        await mailbox.put("telegram", key, key, payload)
    inbox = Inbox(mailbox, "telegram", desk.work, forgets=forgets)
    assert await inbox.resume() == 2
    await until_idle(inbox, "k1", "k2")
    assert ["2"] in desk.done


async def test_a_message_that_waits_is_revised_on_disk_too() -> None:
    desk, mailbox = Desk(), MemoryMailbox()
    desk.gate.clear()
    inbox = Inbox(mailbox, "telegram", desk.work)
    for key in ("k1", "k2"):
        await inbox.receive(key, "c", key)
    await asyncio.sleep(0)
    waiting = mailbox.messages[1]
    assert await inbox.revise(waiting, "better", "1:digest")
    assert [message.payload for message in await mailbox.unfinished("telegram")] == ["k1", "better"]
    desk.gate.set()
    await until_idle(inbox, "c")
    assert desk.done == [["k1"], ["better"]]
    assert mailbox.messages[1].digest == "1:digest"
    assert not await inbox.revise(waiting, "late")


async def test_a_message_that_is_worked_on_begins_again_with_its_new_words() -> None:
    desk, mailbox = Desk(), MemoryMailbox()
    desk.gate.clear()
    inbox = Inbox(mailbox, "telegram", desk.work, gathering=lambda _: Gathering(0.001), pauses_s=(60,))
    for key in ("k1", "k2"):
        await inbox.receive(key, "c", key, "album")
    await until_begun(desk)
    assert await inbox.revise(mailbox.messages[1], "better")
    desk.gate.set()
    await until_idle(inbox, "c")
    assert desk.done == [["k1", "better"]]
    assert desk.begun == 2


async def test_a_message_is_revised_twice_at_any_moment_of_its_second_beginning() -> None:
    for ticks in range(12):
        desk, mailbox = Desk(), MemoryMailbox()
        desk.gate.clear()
        inbox = Inbox(mailbox, "telegram", desk.work)
        await inbox.receive("k1", "c", "k1")
        await until_begun(desk)
        assert await inbox.revise(mailbox.messages[0], "better")
        for _ in range(ticks):
            await asyncio.sleep(0)
        assert await inbox.revise(mailbox.messages[0], "best")
        desk.gate.set()
        await until_idle(inbox, "c")
        assert desk.done == [["best"]], ticks


async def test_work_that_goes_on_to_its_end_though_it_is_to_start_again_does_start_again() -> None:
    mailbox, begun, done = MemoryMailbox(), asyncio.Event(), list[str]()

    async def work(messages: Sequence[StoredMessage]) -> None:
        begun.set()
        with suppress(asyncio.CancelledError):  # as a library may
            await asyncio.sleep(60 if messages[0].payload == "k1" else 0)
        done.append(messages[0].payload)

    inbox = Inbox(mailbox, "telegram", work)
    await inbox.receive("k1", "c", "k1")
    await begun.wait()
    assert await inbox.revise(mailbox.messages[0], "better")
    await until_idle(inbox, "c")
    assert done == ["k1", "better"]


async def test_a_message_whose_work_is_done_is_not_revised_while_that_is_stored() -> None:
    desk, mailbox, stored = Desk(), MemoryMailbox(), asyncio.Event()

    async def finish(message_ids: Sequence[int], digests: Collection[str] | None = None) -> None:
        await stored.wait()
        mailbox.finished |= set(message_ids)

    mailbox.finish = finish  # type: ignore[method-assign]
    inbox = Inbox(mailbox, "telegram", desk.work)
    await inbox.receive("k1", "c", "k1")
    while not desk.done:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    revising = asyncio.create_task(inbox.revise(mailbox.messages[0], "late"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not revising.done()
    stored.set()
    async with asyncio.timeout(30):
        assert not await revising
    assert inbox.find("k1") is None
    assert desk.done == [["k1"]]


async def test_new_words_are_worked_on_where_the_work_on_the_old_ones_could_not_be_stored_as_finished() -> None:
    desk, mailbox, storing = Desk(), MemoryMailbox(), asyncio.Event()
    whole = mailbox.finish

    async def fail(message_ids: Sequence[int], digests: Collection[str] | None = None) -> None:
        mailbox.finish = whole  # type: ignore[method-assign]
        await storing.wait()
        raise OSError("disk full")

    mailbox.finish = fail  # type: ignore[method-assign]
    inbox = Inbox(mailbox, "telegram", desk.work, pauses_s=(0.05,))
    await inbox.receive("k1", "c", "k1")
    while not desk.done:
        await asyncio.sleep(0)
    revising = asyncio.create_task(inbox.revise(mailbox.messages[0], "late"))
    await asyncio.sleep(0)
    storing.set()
    async with asyncio.timeout(30):
        assert not await revising
        assert await inbox.revise(mailbox.messages[0], "better")
        await until_idle(inbox, "c")
    assert desk.done == [["k1"], ["better"]]


async def test_who_waits_for_a_message_to_be_finished_goes_on_when_the_inbox_closes() -> None:
    desk, mailbox = Desk(), MemoryMailbox()

    async def never(message_ids: Sequence[int], digests: Collection[str] | None = None) -> None:
        await asyncio.Event().wait()

    mailbox.finish = never  # type: ignore[method-assign]
    inbox = Inbox(mailbox, "telegram", desk.work)
    await inbox.receive("k1", "c", "k1")
    while not desk.done:
        await asyncio.sleep(0)
    revising = asyncio.create_task(inbox.revise(mailbox.messages[0], "late"))
    await asyncio.sleep(0)
    await inbox.close()
    async with asyncio.timeout(30):
        assert not await revising
    assert inbox.find("k1") is None


@pytest.mark.parametrize("begun", [False, True])
async def test_a_withdrawn_message_is_given_up_and_worked_on_once_more_to_clear_away(begun: bool) -> None:
    mailbox, done, gate = MemoryMailbox(), [], asyncio.Event()

    async def work(messages: Sequence[StoredMessage]) -> None:
        if not messages[0].withdrawn:
            await gate.wait()
        done.append((messages[0].key, messages[0].withdrawn, messages[0].posted_ids))

    inbox = Inbox(mailbox, "slack", work)
    for key in ("k1", "k2"):
        await inbox.receive(key, "c", key)
    await asyncio.sleep(0.01)
    await mailbox.record_posted(0, ["m1"])
    assert inbox.withdraw("k1" if begun else "k2")
    assert not inbox.withdraw("k3")
    await asyncio.sleep(0.01)
    gate.set()
    await until_idle(inbox, "c")
    assert done == ([("k1", True, ("m1",)), ("k2", False, ())] if begun else [("k1", False, ()), ("k2", True, ())])
    assert not await mailbox.unfinished("slack")
    assert not inbox.withdraw("k1")


async def test_a_message_on_no_disk_is_gone_when_it_is_withdrawn() -> None:
    done: list[str] = []

    async def work(messages: Sequence[StoredMessage]) -> None:
        try:
            await asyncio.sleep(60 if messages[0].key == "k1" else 0)
        finally:
            done.append(messages[0].key)

    inbox = Inbox(MemoryMailbox(), "web", work)
    for key in ("k1", "k2"):
        inbox.take_up(StoredMessage(0, "web", key, "c", ""))
    await asyncio.sleep(0.01)
    assert inbox.withdraw("k1")
    await until_idle(inbox, "c")
    assert done == ["k1", "k2"]


async def test_a_revised_message_does_not_outlive_its_inbox() -> None:
    desk, mailbox = Desk(), MemoryMailbox()
    desk.gate.clear()
    inbox = Inbox(mailbox, "telegram", desk.work)
    await inbox.receive("k1", "c", "k1")
    await until_begun(desk)
    await inbox.revise(mailbox.messages[0], "better")
    await inbox.close()
    assert not inbox.waiting("c")
    assert [message.payload for message in await mailbox.unfinished("telegram")] == ["better"]


class Doubtful(MemoryMailbox):
    """A mailbox in which some messages are, though that was reported as failed. It is down for so many reads."""

    def __init__(self, down: int) -> None:
        super().__init__()
        self.doubt = asyncio.Event()
        self.down = down

    async def open_messages(self, owner: str) -> list[OpenMessage]:
        self._read()
        return [OpenMessage(m.id, m.adapter, m.conversation_id) for m in self.messages if m.id not in self.finished]

    async def unfinished_in(self, adapter: str, conversation_id: str) -> list[StoredMessage]:
        self._read()
        return await super().unfinished_in(adapter, conversation_id)

    def _read(self) -> None:
        if self.down:
            self.down -= 1
            raise StoreDown("The database is away.")


@pytest.mark.parametrize("down", [0, 1, 2, 3, 4])
async def test_what_is_stored_although_that_seemed_to_fail_is_worked_on_once_in_its_order(
    monkeypatch: pytest.MonkeyPatch, down: int
) -> None:
    monkeypatch.setattr(single_replica, "ON_ITS_WAY_SECONDS", 0.01)
    monkeypatch.setattr(inboxes, "DOWN_SECONDS", 0.01)
    mailbox, desk = Doubtful(down), Desk()
    leases = SingleReplica(mailbox)
    looking = asyncio.create_task(leases.run())
    inbox = Inbox(mailbox, "telegram", desk.work, leases=leases)
    await inbox.receive("k0", "another", "0")
    await until_idle(inbox, "another")
    desk.gate.clear()
    await inbox.receive("k1", "busy", "1")
    for key, conversation in (("k2", "busy"), ("k3", "idle")):
        await mailbox.put("telegram", key, conversation, key[1])
        assert not await inbox.receive(key, conversation, key[1])  # the platform sends it again
    await inbox.receive("k4", "busy", "4")
    mailbox.doubt.set()
    while inbox.find("k3") is None or not inbox.waiting("busy"):
        await asyncio.sleep(0.001)
    desk.gate.set()
    while await mailbox.unfinished("telegram"):
        await asyncio.sleep(0.001)
    await until_idle(inbox, "busy", "idle")
    looking.cancel()
    assert sorted(payload for [payload] in desk.done) == ["0", "1", "2", "3", "4"]
    assert [payload for [payload] in desk.done if payload in "124"] == ["1", "2", "4"]


async def test_a_message_that_is_let_in_while_its_end_is_stored_is_worked_on_again() -> None:
    stored = asyncio.Event()

    class Slow(MemoryMailbox):
        async def finish(self, message_ids: Sequence[int], digests: Collection[str] | None = None) -> None:
            await stored.wait()
            await super().finish(message_ids, digests)

    mailbox, desk = Slow(), Desk()
    inbox = Inbox(mailbox, "telegram", desk.work)
    await inbox.receive("k1", "c", "1")
    while not desk.done:
        await asyncio.sleep(0.001)
    inbox.take_up_again(mailbox.messages[0])
    stored.set()
    await until_idle(inbox, "c")
    assert desk.done == [["1"], ["1"]]


async def test_the_pause_before_the_next_attempt_ends_when_the_message_is_stopped() -> None:
    mailbox, tried = MemoryMailbox(), list[bool]()

    async def work(messages: Sequence[StoredMessage]) -> None:
        tried.append(messages[0].stop.requested)
        if len(tried) == 1:
            raise OSError("disk full")

    inbox = Inbox(mailbox, "telegram", work, pauses_s=(3600.0,))
    await inbox.receive("k1", "c", "k1")
    while not tried:
        await asyncio.sleep(0)
    first = inbox.first("c")
    assert first and first.stop.request()
    async with asyncio.timeout(30):
        await until_idle(inbox, "c")
    assert tried == [False, True]


async def test_a_message_that_was_stopped_is_worked_on_with_its_new_words() -> None:
    desk, mailbox = Desk(), MemoryMailbox()
    stopped: list[bool] = []

    async def work(messages: Sequence[StoredMessage]) -> None:
        stopped.append(messages[0].stop.requested)
        await desk.work(messages)

    desk.gate.clear()
    inbox = Inbox(mailbox, "telegram", work)
    await inbox.receive("k1", "c", "k1")
    await until_begun(desk)
    first = inbox.first("c")
    assert first and first.stop.request()
    desk.gate.set()
    assert await inbox.revise(mailbox.messages[0], "better")
    await until_idle(inbox, "c")
    assert (desk.done, stopped) == ([["better"]], [False, False])

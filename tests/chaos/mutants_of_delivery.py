"""Deliberate faults in how messages are taken, ordered and answered."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

from core.stored_message import StoredMessage
from tests.chaos.mutant import Mutants

LATE_S = 5.0  # after it was acknowledged, until a message is written down
MUTANTS = Mutants()
NUMBERS = count(10**9)  # of messages that are not on disk


@MUTANTS.add("web questions are never written down", "storage.store:Store.put_question", seen_by=["lost"])
def _never_written_down(_: Any) -> Any:
    async def put_question(
        store: Any,
        adapter: str,
        key: str,
        conversation_id: str,
        images: Any,
        payload: Any,
        person: str,
        *_: Any,
        **__: Any,
    ) -> StoredMessage:
        numbers = await store.add_pictures(conversation_id, images, person) if images else []
        return StoredMessage(next(NUMBERS), adapter, key, conversation_id, payload(numbers, numbers))

    return put_question


@MUTANTS.add("acknowledged before it is written down", "core.inbox:Inbox.receive", seen_by=["lost"])
def _acknowledged_first(receive: Any) -> Any:
    late = set()

    async def receive_later(*args: Any, **more: Any) -> bool:
        async def work() -> None:
            await asyncio.sleep(LATE_S)
            await receive(*args, **more)

        late.add(task := asyncio.create_task(work()))
        task.add_done_callback(late.discard)
        return True

    return receive_later


@MUTANTS.add("finished before it is answered", "core.inbox:Inbox.__init__", seen_by=["lost"])
def _finished_first(begin: Any) -> Any:
    def begin_so(inbox: Any, mailbox: Any, adapter: str, work: Any, *args: Any, **more: Any) -> None:
        async def finish_and_work(batch: Sequence[StoredMessage]) -> None:
            await mailbox.finish([message.id for message in batch])
            await work(batch)

        begin(inbox, mailbox, adapter, finish_and_work, *args, **more)

    return begin_so


@MUTANTS.add("answered twice", "core.inbox:Inbox.__init__", seen_by=["doubled"])
def _answered_twice(begin: Any) -> Any:
    def begin_so(inbox: Any, mailbox: Any, adapter: str, work: Any, *args: Any, **more: Any) -> None:
        async def work_twice(batch: Sequence[StoredMessage]) -> None:
            await work(batch)
            await work([replace(message, posted_ids=()) for message in batch])

        begin(inbox, mailbox, adapter, work_twice, *args, **more)

    return begin_so


@MUTANTS.add("deduplication is off", "storage.store:Store.put", seen_by=["doubled"])
def _no_deduplication(put: Any) -> Any:
    async def put_any(store: Any, adapter: str, key: str, *args: Any, **more: Any) -> Any:
        message = await put(store, adapter, key, *args, **more)
        known = () if message else await store.unfinished(adapter)
        return message or next((replace(each, posted_ids=()) for each in known if each.key == key), None)

    return put_any


@MUTANTS.add("a second delivery gets a new key", "storage.store:Store.put", seen_by=["doubled"])
def _new_key(put: Any) -> Any:
    async def put_anew(store: Any, adapter: str, key: str, *args: Any, **more: Any) -> Any:
        again = f"{key}:{next(NUMBERS)}"
        return await put(store, adapter, key, *args, **more) or await put(store, adapter, again, *args, **more)

    return put_anew


@MUTANTS.add("the order is lost", "core.inbox:Inbox._enqueue", seen_by=["other words", "out of order", "invented"])
def _no_order(enqueue: Any) -> Any:
    first: dict[str, list[StoredMessage]] = {}  # the first message of a conversation, or its album, until another comes
    begun: set[str] = set()

    def enqueue_behind_the_next(inbox: Any, message: StoredMessage, forgets: bool) -> None:
        where = message.conversation_id
        held = first.setdefault(where, [])
        if where not in begun and (not held or (message.group is not None and message.group == held[0].group)):
            held.append(message)
            return
        begun.add(where)
        for late in (message, *held):
            enqueue(inbox, late, forgets)
        held.clear()

    return enqueue_behind_the_next


@MUTANTS.add("answers are cut short where they are shown", "core.assistant:Assistant.ask", seen_by=["other words"])
def _shown_short(ask: Any) -> Any:
    async def ask_in_short(*args: Any, **more: Any) -> Any:
        answer = await ask(*args, **more)
        return replace(answer, text=answer.text[: len(answer.text) // 2])

    return ask_in_short


@MUTANTS.add("platform ids are not recorded", "storage.store:Store.record_posted", seen_by=["ids"])
def _not_recorded(_: Any) -> Any:
    async def record_nothing(*_: Any, **__: Any) -> None: ...

    return record_nothing


@MUTANTS.add(
    "a start does not look for what was begun",
    "storage.store:Store.unfinished",
    "bots.telegram.drafts:sweep",
    seen_by=["placeholders"],
)
def _not_looked_for(replaced: Any) -> Any:
    """With either of the two the service finds its messages again."""

    async def unfinished_unsent(*args: Any, **more: Any) -> Any:
        return [replace(message, posted_ids=()) for message in await replaced(*args, **more)]

    async def sweep_nothing(*_: Any, **__: Any) -> None: ...

    return unfinished_unsent if replaced.__name__ == "unfinished" else sweep_nothing


@MUTANTS.add("a start skips the oldest message", "storage.store:Store.unfinished", seen_by=["lost"])
def _oldest_skipped(unfinished: Any) -> Any:
    async def unfinished_but_one(*args: Any, **more: Any) -> Any:
        return (await unfinished(*args, **more))[1:]

    return unfinished_but_one


@MUTANTS.add("stop ends everybody's answers", "core.stop:Stop.request", seen_by=["other words"])
def _stops_all(request: Any) -> Any:
    def stop_all(stop: Any) -> bool:
        for task in asyncio.all_tasks():
            if getattr(task.get_coro(), "__qualname__", "").endswith("Engine.answer"):
                task.cancel()
        return bool(request(stop))

    return stop_all


@MUTANTS.add("the quota is never given back", "core.quota:Quota.admit", seen_by=["other words", "invented"])
def _quota_kept(admit: Any) -> Any:
    taken = []  # whatever nobody holds any more would give its place back

    @asynccontextmanager
    async def admit_for_good(quota: Any, person: str) -> Any:
        taken.append(entered := admit(quota, person))
        await entered.__aenter__()
        yield

    return admit_for_good


@MUTANTS.add("edits are not heeded", "bots.conversing.dispatcher:Dispatcher.edit", seen_by=["lost"])
def _never_edited(_: Any) -> Any:
    async def edit_nothing(*_: Any, **__: Any) -> None: ...

    return edit_nothing


@MUTANTS.add("the reaction to a question stays", "bots.conversing.reactions:Reactions._remove", seen_by=["marks"])
def _marked_for_good(_: Any) -> Any:
    async def remove_nothing(*_: Any, **__: Any) -> None: ...

    return remove_nothing


@MUTANTS.add("the model answers thanks", "core.small_talk:_is_core", seen_by=["invented"])
def _all_is_asked(_: Any) -> Any:
    return lambda word: False


@MUTANTS.add("questions stand in the log", "core.assistant:Assistant.ask", seen_by=["words in the log"])
def _logged(ask: Any) -> Any:
    async def ask_aloud(assistant: Any, conversation_id: str, question: Any, *args: Any, **more: Any) -> Any:
        logging.getLogger("core").warning("asked: %s", question.text)
        return await ask(assistant, conversation_id, question, *args, **more)

    return ask_aloud


@MUTANTS.add("deletions are not heeded", "bots.slack.receiver:Receiver._on_removed", seen_by=["read in the database"])
def _never_removed(_: Any) -> Any:
    async def remove_nothing(*_: Any, **__: Any) -> None: ...

    return remove_nothing


@MUTANTS.add(
    "an album is closed one picture too early",
    "core.inbox:Inbox._gather",
    "storage.store:Store.rejoin",
    seen_by=["read in the database"],
)
def _closed_early(replaced: Any) -> Any:
    """Alone, the first would be mended by the second: what comes late is asked again about the whole album."""

    async def gather_fewer(*args: Any, **more: Any) -> Any:
        batch = await replaced(*args, **more)
        return batch[:-1] or batch

    async def rejoin_nothing(*_: Any, **__: Any) -> None: ...

    return gather_fewer if replaced.__name__ == "_gather" else rejoin_nothing

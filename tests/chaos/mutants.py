"""Deliberate faults of the product, which the storm's checks must see: each replaces named functions in one life.

A hook names what it replaces as "module:Class.function"; a name that is not there any more ends the life with an error
that says so. What a replacement is told first is the function in whose place it stands.
"""

import asyncio
import inspect
import logging
import pkgutil
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from core.stored_message import StoredMessage

Replacement = Callable[[Any], Any]
LATE_S = 5.0  # after it was acknowledged, until a message is written down


@dataclass(frozen=True)
class Mutant:
    """`targets` are replaced by what `fault` makes of each; the checks in `seen_by` are those that have to see it."""

    name: str
    targets: tuple[str, ...]
    fault: Replacement
    seen_by: tuple[str, ...]

    def switch_on(self) -> None:
        """In this process, for good."""
        for target in self.targets:
            holder, name = found(target)
            setattr(holder, name, self.fault(getattr(holder, name)))


MUTANTS: dict[str, Mutant] = {}


def found(target: str) -> tuple[Any, str]:
    """What holds a function, and its name there. Raises `AttributeError` or `ImportError` where it is not any more."""
    module, _, path = target.partition(":")
    owner, _, name = path.rpartition(".")
    holder = pkgutil.resolve_name(f"{module}:{owner}" if owner else module)
    if not callable(inspect.getattr_static(holder, name)):
        raise AttributeError(f"{target} cannot be called")
    return holder, name


def mutant(name: str, *targets: str, seen_by: Sequence[str]) -> Callable[[Replacement], Replacement]:
    def note(fault: Replacement) -> Replacement:
        MUTANTS[name] = Mutant(name, targets, fault, tuple(seen_by))
        return fault

    return note


def _held(_: Any) -> Any:
    async def answer_nothing(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    return answer_nothing


HELD = Mutant("answers nothing", ("core.engine.engine:Engine.answer",), _held, ())  # no fault, but time for a kill
NUMBERS = count(10**9)  # of messages that are not on disk


@mutant("web questions are never written down", "storage.store:Store.put_question", seen_by=["lost"])
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


@mutant("acknowledged before it is written down", "core.inbox:Inbox.receive", seen_by=["lost"])
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


@mutant("finished before it is answered", "core.inbox:Inbox.__init__", seen_by=["lost"])
def _finished_first(begin: Any) -> Any:
    def begin_so(inbox: Any, mailbox: Any, adapter: str, work: Any, *args: Any, **more: Any) -> None:
        async def finish_and_work(batch: Sequence[StoredMessage]) -> None:
            await mailbox.finish([message.id for message in batch])
            await work(batch)

        begin(inbox, mailbox, adapter, finish_and_work, *args, **more)

    return begin_so


@mutant("answered twice", "core.inbox:Inbox.__init__", seen_by=["doubled"])
def _answered_twice(begin: Any) -> Any:
    def begin_so(inbox: Any, mailbox: Any, adapter: str, work: Any, *args: Any, **more: Any) -> None:
        async def work_twice(batch: Sequence[StoredMessage]) -> None:
            await work(batch)
            await work([replace(message, posted_ids=()) for message in batch])

        begin(inbox, mailbox, adapter, work_twice, *args, **more)

    return begin_so


@mutant("every turn is saved twice", "storage.store:Store.save", seen_by=["read in the database", "read over REST"])
def _saved_twice(save: Any) -> Any:
    async def save_twice(store: Any, conversation_id: str, turn: Any, key: str, *args: Any, **more: Any) -> None:
        await save(store, conversation_id, turn, key, *args, **more)
        await save(store, conversation_id, turn, f"{key} again", None, *args[1:], **more)

    return save_twice


@mutant("deduplication is off", "storage.store:Store.put", seen_by=["doubled"])
def _no_deduplication(put: Any) -> Any:
    async def put_any(store: Any, adapter: str, key: str, *args: Any, **more: Any) -> Any:
        message = await put(store, adapter, key, *args, **more)
        known = () if message else await store.unfinished(adapter)
        return message or next((replace(each, posted_ids=()) for each in known if each.key == key), None)

    return put_any


@mutant("a second delivery gets a new key", "storage.store:Store.put", seen_by=["doubled"])
def _new_key(put: Any) -> Any:
    async def put_anew(store: Any, adapter: str, key: str, *args: Any, **more: Any) -> Any:
        again = f"{key}:{next(NUMBERS)}"
        return await put(store, adapter, key, *args, **more) or await put(store, adapter, again, *args, **more)

    return put_anew


@mutant("the order is lost", "core.inbox:Inbox._enqueue", seen_by=["other words", "out of order", "invented"])
def _no_order(enqueue: Any) -> Any:
    def enqueue_beside(inbox: Any, message: StoredMessage, forgets: bool) -> None:
        inbox._lanes.pop(message.conversation_id, None)
        enqueue(inbox, message, forgets)

    return enqueue_beside


@mutant("answers are cut short where they are shown", "core.assistant:Assistant.ask", seen_by=["other words"])
def _shown_short(ask: Any) -> Any:
    async def ask_in_short(*args: Any, **more: Any) -> Any:
        answer = await ask(*args, **more)
        return replace(answer, text=answer.text[: len(answer.text) // 2])

    return ask_in_short


@mutant("answers are cut short where they are saved", "storage.store:Store.save", seen_by=["read in the database"])
def _saved_short(save: Any) -> Any:
    async def save_in_short(store: Any, conversation_id: str, turn: Any, *args: Any, **more: Any) -> None:
        answer = replace(turn.answer, text=turn.answer.text[: len(turn.answer.text) // 2])
        await save(store, conversation_id, replace(turn, answer=answer), *args, **more)

    return save_in_short


@mutant("platform ids are not recorded", "storage.store:Store.record_posted", seen_by=["ids"])
def _not_recorded(_: Any) -> Any:
    async def record_nothing(*_: Any, **__: Any) -> None: ...

    return record_nothing


@mutant(
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


@mutant("a start skips the oldest message", "storage.store:Store.unfinished", seen_by=["lost"])
def _oldest_skipped(unfinished: Any) -> Any:
    async def unfinished_but_one(*args: Any, **more: Any) -> Any:
        return (await unfinished(*args, **more))[1:]

    return unfinished_but_one


@mutant("stop ends everybody's answers", "core.conversation_lock:ConversationLocks.stop", seen_by=["other words"])
def _stops_all(_: Any) -> Any:
    def stop_all(turns: Any, conversation_id: str) -> bool:
        stopped = conversation_id in turns._running
        for running in turns._running.values():
            running.cancel()
        return stopped

    return stop_all


@mutant("forgetting leaves the pictures", "storage.images:drop_unused", seen_by=["forgotten"])
def _pictures_left(_: Any) -> Any:
    async def drop_nothing(*_: Any, **__: Any) -> tuple[str, ...]:
        return ()

    return drop_nothing


@mutant("forgetting keeps the conversation", "storage.store:Store.forget", seen_by=["forgotten"])
def _nothing_forgotten(_: Any) -> Any:
    async def forget_nothing(*_: Any, **__: Any) -> tuple[str, ...]:
        return ()

    return forget_nothing


@mutant(
    "the cache starves the disk",
    "core.engine.disk_cache:DiskCache._make_room",
    "storage.store:Store.make_room_with",
    seen_by=["disk"],
)
def _cache_takes_all(replaced: Any) -> Any:
    return lambda *_, **__: replaced.__name__ == "_make_room"


@mutant("the quota is never given back", "core.quota:Quota.admit", seen_by=["other words", "invented"])
def _quota_kept(admit: Any) -> Any:
    taken = []  # whatever nobody holds any more would give its place back

    @asynccontextmanager
    async def admit_for_good(quota: Any, person: str) -> Any:
        taken.append(entered := admit(quota, person))
        await entered.__aenter__()
        yield

    return admit_for_good


@mutant("pictures are saved in another order", "storage.store:Store.save", seen_by=["read in the database"])
def _pictures_turned(save: Any) -> Any:
    async def save_turned(store: Any, conversation_id: str, turn: Any, *args: Any, **more: Any) -> None:
        await save(store, conversation_id, replace(turn, pictures=turn.pictures[::-1]), *args, **more)

    return save_turned


@mutant("a new answer is put below the old one", "storage.store:Store.save", seen_by=["read in the database"])
def _nothing_replaced(save: Any) -> Any:
    async def save_below(
        store: Any, conversation_id: str, turn: Any, key: str, _: Any = None, *args: Any, **more: Any
    ) -> None:
        await save(store, conversation_id, turn, key, None, *args, **more)

    return save_below


@mutant("edits are not heeded", "bots.conversing.dispatcher:Dispatcher.edit", seen_by=["lost"])
def _never_edited(_: Any) -> Any:
    async def edit_nothing(*_: Any, **__: Any) -> None: ...

    return edit_nothing


@mutant("thumbs are not kept", "storage.store:Store.rate", seen_by=["read in the database", "read over REST"])
def _never_rated(_: Any) -> Any:
    async def rate_nothing(*_: Any, **__: Any) -> bool:
        return True

    return rate_nothing


@mutant("settings are not kept", "storage.store:Store.change_settings", seen_by=["settings"])
def _never_set(_: Any) -> Any:
    async def change_nothing(*_: Any, **__: Any) -> None: ...

    return change_nothing


@mutant(
    "what is not to be kept is kept",
    "storage.store:Store.forget_answered",
    seen_by=["read in the database", "read over REST"],
)
def _all_is_kept(_: Any) -> Any:
    async def forget_nothing(*_: Any, **__: Any) -> bool:
        return False

    return forget_nothing


@mutant("the reaction to a question stays", "bots.conversing.reactions:Reactions._remove", seen_by=["marks"])
def _marked_for_good(_: Any) -> Any:
    async def remove_nothing(*_: Any, **__: Any) -> None: ...

    return remove_nothing


@mutant("other pages of a document are not opened", "storage.store:Store.document", seen_by=["read in the database"])
def _no_document(_: Any) -> Any:
    async def know_nothing(*_: Any, **__: Any) -> None: ...

    return know_nothing


@mutant("the model answers thanks", "core.small_talk:_is_core", seen_by=["invented"])
def _all_is_asked(_: Any) -> Any:
    return lambda word: False


@mutant("questions stand in the log", "core.assistant:Assistant.ask", seen_by=["words in the log"])
def _logged(ask: Any) -> Any:
    async def ask_aloud(assistant: Any, conversation_id: str, question: Any, *args: Any, **more: Any) -> Any:
        logging.getLogger("core").warning("asked: %s", question.text)
        return await ask(assistant, conversation_id, question, *args, **more)

    return ask_aloud

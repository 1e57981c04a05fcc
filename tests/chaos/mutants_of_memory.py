"""Deliberate faults in what is kept, told again and forgotten."""

from dataclasses import replace
from typing import Any

from core.answer import Ending
from tests.chaos.mutant import Mutants

MUTANTS = Mutants()


@MUTANTS.add(
    "every turn is saved twice", "storage.store:Store.save", seen_by=["read in the database", "read over REST"]
)
def _saved_twice(save: Any) -> Any:
    async def save_twice(store: Any, conversation_id: str, turn: Any, key: str, *args: Any, **more: Any) -> None:
        await save(store, conversation_id, turn, key, *args, **more)
        await save(store, conversation_id, turn, f"{key} again", None, *args[1:], **more)

    return save_twice


@MUTANTS.add("answers are cut short where they are saved", "storage.store:Store.save", seen_by=["read in the database"])
def _saved_short(save: Any) -> Any:
    async def save_in_short(store: Any, conversation_id: str, turn: Any, *args: Any, **more: Any) -> None:
        answer = replace(turn.answer, text=turn.answer.text[: len(turn.answer.text) // 2])
        await save(store, conversation_id, replace(turn, answer=answer), *args, **more)

    return save_in_short


@MUTANTS.add("forgetting leaves the pictures", "storage.images:drop_unused", seen_by=["forgotten"])
def _pictures_left(_: Any) -> Any:
    async def drop_nothing(*_: Any, **__: Any) -> tuple[str, ...]:
        return ()

    return drop_nothing


@MUTANTS.add("forgetting keeps the conversation", "storage.store:Store.forget", seen_by=["forgotten"])
def _nothing_forgotten(_: Any) -> Any:
    async def forget_nothing(*_: Any, **__: Any) -> tuple[str, ...]:
        return ()

    return forget_nothing


@MUTANTS.add(
    "the cache starves the disk",
    "core.engine.disk_cache:DiskCache._make_room",
    "storage.store:Store.make_room_with",
    seen_by=["disk"],
)
def _cache_takes_all(replaced: Any) -> Any:
    return lambda *_, **__: replaced.__name__ == "_make_room"


@MUTANTS.add("pictures are saved in another order", "storage.store:Store.save", seen_by=["read in the database"])
def _pictures_turned(save: Any) -> Any:
    async def save_turned(store: Any, conversation_id: str, turn: Any, *args: Any, **more: Any) -> None:
        await save(store, conversation_id, replace(turn, pictures=turn.pictures[::-1]), *args, **more)

    return save_turned


@MUTANTS.add("a new answer is put below the old one", "storage.store:Store.save", seen_by=["read in the database"])
def _nothing_replaced(save: Any) -> Any:
    async def save_below(
        store: Any, conversation_id: str, turn: Any, key: str, _: Any = None, *args: Any, **more: Any
    ) -> None:
        await save(store, conversation_id, turn, key, None, *args, **more)

    return save_below


@MUTANTS.add("thumbs are not kept", "storage.store:Store.rate", seen_by=["read in the database", "read over REST"])
def _never_rated(_: Any) -> Any:
    async def rate_nothing(*_: Any, **__: Any) -> bool:
        return True

    return rate_nothing


@MUTANTS.add("settings are not kept", "storage.store:Store.change_settings", seen_by=["settings"])
def _never_set(_: Any) -> Any:
    async def change_nothing(*_: Any, **__: Any) -> None: ...

    return change_nothing


@MUTANTS.add(
    "what is not to be kept is kept",
    "storage.store:Store.forget_answered",
    seen_by=["read in the database", "read over REST"],
)
def _all_is_kept(_: Any) -> Any:
    async def forget_nothing(*_: Any, **__: Any) -> bool:
        return False

    return forget_nothing


@MUTANTS.add(
    "other pages of a document are not opened", "storage.store:Store.document", seen_by=["read in the database"]
)
def _no_document(_: Any) -> Any:
    async def know_nothing(*_: Any, **__: Any) -> None: ...

    return know_nothing


@MUTANTS.add("a stopped answer is saved as a whole one", "storage.store:Store.save", seen_by=["read in the database"])
def _saved_as_whole(save: Any) -> Any:
    async def save_as_done(store: Any, conversation_id: str, turn: Any, *args: Any, **more: Any) -> None:
        turn = replace(turn, answer=replace(turn.answer, ending=Ending.DONE))
        await save(store, conversation_id, turn, *args, **more)

    return save_as_done


@MUTANTS.add("a start forgets what was said before", "storage.store:Store.load", seen_by=["other words"])
def _history_lost(load: Any) -> Any:
    lost: dict[str, int] = {}  # by conversation how many turns it had when this life first read it

    async def load_from_now_on(store: Any, conversation_id: str, *args: Any, **more: Any) -> Any:
        conversation = await load(store, conversation_id, *args, **more)
        first = lost.setdefault(conversation_id, len(conversation.turns))
        return replace(conversation, turns=conversation.turns[first:])

    return load_from_now_on


@MUTANTS.add(
    "an export leaves out the last turn",
    "core.answers.transcript:_texts",
    seen_by=["read exported", "read taken along"],
)
def _exported_short(texts: Any) -> Any:
    def texts_but_one(conversation: Any, *args: Any, **more: Any) -> Any:
        return texts(replace(conversation, turns=conversation.turns[:-1]), *args, **more)

    return texts_but_one


@MUTANTS.add("the cache keeps what is forgotten", "core.engine.engine:Engine.forget", seen_by=["forgotten"])
def _computed_left(_: Any) -> Any:
    return lambda *_, **__: None

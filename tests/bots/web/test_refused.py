"""A question that is refused leaves nothing behind, and can be asked again."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import pytest

from bots.web.broadcast import Broadcast
from bots.web.receiver import Receiver
from bots.web.submission import Submission
from core.errors import BadQuestion, Busy, StoreDown
from core.image import Image
from core.pictures.kept_document import KeptDocument
from core.quota import QuotaConfig
from core.stored_message import StoredMessage
from storage.store import Store
from tests.bots.web.conftest import KEY, photo, service, until
from tests.fakes import ScriptedEngine

TABLES = ("conversations", "images", "pictures", "turns", "messages")
REFUSALS: dict[str, dict[str, str]] = {
    "the line is full": {"query": "full"},
    "the pictures are too many for the model": {"query": "bad"},
    "the question is too long": {"query": "x" * 9_000},
    "there is no such picture": {"pictures": "7"},
    "the quota is used up": {"query": "once more"},
}


def left(folder: Path) -> dict[str, int]:
    """How many rows there are."""
    with sqlite3.connect(folder / "answers.db") as database:
        found = {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    database.close()
    return found


def engine() -> ScriptedEngine:
    errors = {"full": Busy("Too many are waiting."), "bad": BadQuestion("Too much.")}
    return ScriptedEngine(script=lambda conversation: errors.get(conversation.turns[-1].text, "An answer"))


@pytest.mark.parametrize("reason", REFUSALS)
@pytest.mark.parametrize("known", [False, True])
async def test_a_refused_question_leaves_nothing(tmp_path: Path, reason: str, known: bool) -> None:
    quota = QuotaConfig(questions_per_minute=1 if "quota" in reason else 0, pictures_per_minute=0, at_once=0)
    async with service(tmp_path, engine(), quota) as web:
        place = {}
        if known or "quota" in reason:
            answered = await web.ask("First?", "red", key=KEY + "0")
            place = {"conversation": answered.json()["conversation"]} if known else {}
            await until(lambda: left(tmp_path)["turns"] == 1)
        before = left(tmp_path)
        for _ in range(2):  # the second one is refused for the same reason, not for being known
            asked = {"query": "What?", **REFUSALS[reason], **place}
            refused = await web.ask(asked.pop("query"), "red", "blue", key=KEY, **asked)
            assert refused.status_code in (400, 429), refused.text
            assert left(tmp_path) == before


async def test_a_refused_question_leaves_the_pictures_that_were_there_before(tmp_path: Path) -> None:
    async with service(tmp_path, engine()) as web:
        added = await web.client.post("/api/v1/pictures", files={"image": photo("red")})
        conversation = added.json()["conversation"]
        assert (await web.ask("full", "red", "blue", conversation=conversation, key=KEY)).status_code == 429
        stored = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()
        assert [picture["number"] for picture in stored["waiting"]] == [1]
        assert left(tmp_path)["images"] == 1


async def test_what_was_refused_is_answered_when_it_is_sent_again_after_a_restart(tmp_path: Path) -> None:
    busy = ScriptedEngine(script=lambda _: Busy("Too many are waiting."))
    async with service(tmp_path, busy) as web:
        assert (await web.ask("What?", "red", key=KEY)).status_code == 429
    async with service(tmp_path) as web:
        answer = await web.ask("What?", "red", key=KEY)
        assert answer.status_code == 200
        assert answer.json()["text"] == "Answer to 'What?' about [1] after 0 turns."


class Slow(Store):
    """Finishes messages when its `gate` is open."""

    gate: asyncio.Event | None = None

    async def finish(self, message_ids: Sequence[int], digests: Collection[str] | None = None) -> None:
        if self.gate is not None:
            await self.gate.wait()
        await super().finish(message_ids, digests)


async def test_what_is_sent_again_after_a_refusal_is_open_on_disk_until_it_is_answered(tmp_path: Path) -> None:
    """It may get the refused message's id: whatever is still done under that is not done to it."""
    answers: Iterator[str | Exception] = iter([Busy("Too many are waiting."), "It is red."])
    engine = ScriptedEngine(script=lambda _: next(answers), gate=asyncio.Event())
    async with service(tmp_path, engine, kind=Slow) as web:
        assert isinstance(web.store, Slow)
        web.store.gate = asyncio.Event()
        assert (await web.ask("What?", "red", key=KEY)).status_code == 429
        again = asyncio.create_task(web.ask("What?", "red", key=KEY))
        await until(lambda: left(tmp_path)["messages"] == 1)
        web.store.gate.set()
        await until(lambda: len(engine.asked) == 2)
        assert await web.store.unfinished("web")
        assert engine.gate
        engine.gate.set()
        assert (await again).json()["text"] == "It is red."


class Shaky(Store):
    """Fails when a question is written down: before anything is on disk, or when it is. Waits there for its `gate`."""

    fails: str | None = None
    gate: asyncio.Event | None = None

    async def put_question(
        self,
        adapter: str,
        key: str,
        conversation_id: str,
        images: Sequence[Image],
        payload: Callable[..., str],
        person: str,
        digest: str | None = None,
        document: KeptDocument | None = None,
        most: int = 0,
        begins: bool = True,
    ) -> StoredMessage | None:
        if self.gate is not None:
            await self.gate.wait()
        failing, self.fails = self.fails, None
        if failing == "before":
            raise StoreDown("The disk is full.")
        message = await super().put_question(
            adapter, key, conversation_id, images, payload, person, digest, document, most, begins
        )
        if failing == "after":
            raise StoreDown("The disk went away.")
        return message


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> list[Submission]:
    """Return the questions that wait until they are written down, or have waited. Twins are two of them."""
    submitted, waiting = Receiver._submitted, list[Submission]()

    async def counted(self: Receiver, submission: Submission) -> Broadcast:
        waiting.append(submission)
        return await submitted(self, submission)

    monkeypatch.setattr(Receiver, "_submitted", counted)
    return waiting


async def test_twins_of_a_question_that_cannot_be_written_down_are_told_so_both(
    tmp_path: Path, waiting: list[Submission]
) -> None:
    async with service(tmp_path, kind=Shaky) as web:
        assert isinstance(web.store, Shaky)
        web.store.fails, web.store.gate = "before", asyncio.Event()
        asking = [asyncio.create_task(web.ask("What?", "red", key=KEY)) for _ in range(2)]
        await until(lambda: len(waiting) == 2)
        web.store.gate.set()
        answers = await asyncio.gather(*asking)
        assert {answer.json()["detail"] for answer in answers} == {"The disk is full."}
        assert left(tmp_path) == dict.fromkeys(TABLES, 0)
        assert (await web.ask("What?", "red", key=KEY)).status_code == 200


async def test_neither_twin_is_told_that_a_question_was_taken_before_it_is_on_disk(
    tmp_path: Path, waiting: list[Submission]
) -> None:
    async with service(tmp_path, kind=Shaky) as web:
        assert isinstance(web.store, Shaky)
        web.store.gate = asyncio.Event()

        async def first_event() -> str:
            body = {"query": "What?", "stream": "true"}
            headers, files = {"Idempotency-Key": KEY}, {"image": photo("red")}
            async with web.client.stream(
                "POST", "/api/v1/analyze", data=body, files=files, headers=headers
            ) as response:
                return await anext(response.aiter_lines())

        twins = {asyncio.create_task(first_event()) for _ in range(2)}
        await until(lambda: len(waiting) == 2)
        told, _ = await asyncio.wait(twins, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        assert not told
        web.store.gate.set()
        assert await asyncio.gather(*twins) == ["event: conversation"] * 2
        assert left(tmp_path)["messages"] == 1


async def test_a_question_whose_writing_down_seemed_to_fail_is_answered_when_it_is_sent_again(tmp_path: Path) -> None:
    async with service(tmp_path, kind=Shaky) as web:
        assert isinstance(web.store, Shaky)
        web.store.fails = "after"
        assert (await web.ask("What?", "red", key=KEY)).json()["detail"] == "The disk went away."
        answers = [await web.ask("What?", "red", key=KEY) for _ in range(2)]
        assert [answer.json()["text"] for answer in answers] == ["Answer to 'What?' about [1] after 0 turns."] * 2
        assert left(tmp_path)["turns"] == 1

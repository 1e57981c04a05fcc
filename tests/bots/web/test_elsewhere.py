"""Several services on one PostgreSQL: each takes any question, and shows what another one answers as it grows."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from bots.web.access.owner import COOKIE
from bots.web.access.token_guesses import WRONG_TRIES_PER_ADDRESS
from bots.web.following import LOOK_SECONDS
from bots.web.receiver import WAITING_LIMIT
from core.answer import Answer, Ending
from core.conversation import Conversation
from core.errors import BadQuestion
from core.events import Event, Looking, Piece, Tell, Waiting
from core.replica import Replica
from core.sampling import Sampling
from tests.bots.web.conftest import KEY, Web, photo, service, until
from tests.fakes import ScriptedEngine

TOKEN = "a-token-of-these-tests"
PATIENCE_S = 30.0


class Halting(ScriptedEngine):
    """Answers a conversation's first question at once, and halts in the middle of later ones until it `goes_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()
        self.begins = asyncio.Event()
        self.begins.set()
        self.stage: Event = Waiting(3, 20.0)
        self.refuses = False

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        if len(conversation.turns) == 1:
            return await super().answer(conversation, sampling, tell)
        self.asked.append(conversation)
        tell(self.stage)
        await self.begins.wait()
        if self.refuses:
            raise BadQuestion("At most {limit} pictures in one question, please.", limit=3)
        tell(Piece("It"))
        try:
            await self.goes_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        tell(Piece(" is red."))
        return Answer("It is red.", Ending.DONE)


class Replicas:
    """Two services. The first holds `conversation`."""

    def __init__(self, one: Web, other: Web, engines: list[Halting], conversation: str) -> None:
        self.one, self.other, self.engines, self.conversation = one, other, engines, conversation

    async def events(self, key: str = "", *colours: str) -> AsyncIterator[tuple[str, Any]]:
        """Ask at the other one, and yield what it streams."""
        data = {"query": "And now?", "conversation": self.conversation, "stream": "true"}
        files = [("image", (f"{colour}.png", photo(colour), "image/png")) for colour in colours] or None
        headers = {"Idempotency-Key": key} if key else {}
        asking = self.other.client.stream("POST", "/api/v1/analyze", data=data, files=files, headers=headers)
        async with asyncio.timeout(PATIENCE_S), asking as response:
            name = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    yield name, json.loads(line[6:])


@pytest.fixture
async def replicas(tmp_path: Path, database_url: str) -> AsyncIterator[Replicas]:
    engines = [Halting(), Halting()]
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(service(tmp_path, it, url=database_url, leases_of=Replica, token=TOKEN))
            for it in engines
        ]
        entered = await one.client.post("/login", data={"token": TOKEN})
        other.client.cookies = httpx.Cookies(one.client.cookies)
        assert entered.status_code == 303 and other.client.cookies
        yield Replicas(one, other, engines, await one.begin())


@pytest.mark.parametrize("key", [KEY, ""])
async def test_any_replica_takes_a_question_and_shows_the_answer_as_it_grows(replicas: Replicas, key: str) -> None:
    told = []
    async for event in replicas.events(key, "blue"):
        told.append(event)
        if event == ("piece", {"text": "It"}):
            replicas.engines[0].goes_on.set()
    assert [name for name, _ in told if name != "waiting"] == ["conversation", "piece", "piece", "done"]
    done = told[-1][1]
    assert (done["text"], done["number"]) == ("It is red.", 2)
    assert [picture["number"] for picture in done["pictures"]] == [2]
    assert [len(engine.asked) for engine in replicas.engines] == [2, 0]


async def test_a_question_that_a_reader_finds_while_it_is_stored_is_answered_to_who_asked(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, address = replicas.other.store, f"/api/v1/conversations/{replicas.conversation}"
    put = store.put_question

    async def put_and_be_read(*values: Any) -> Any:
        message = await put(*values)
        assert [it["key"] for it in (await replicas.other.client.get(address)).json()["asking"]] == [KEY]
        return message

    monkeypatch.setattr(store, "put_question", put_and_be_read)
    replicas.engines[0].goes_on.set()
    async with asyncio.timeout(PATIENCE_S):
        answer = await replicas.other.ask("And now?", conversation=replicas.conversation, key=KEY)
    assert answer.json()["text"] == "It is red."


async def test_a_reader_is_told_when_an_answer_cannot_be_followed(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*values: Any) -> Any:
        raise KeyError("ending")

    monkeypatch.setattr(replicas.other.store, "follow_answer", fail)
    async with asyncio.timeout(PATIENCE_S):
        answer = await replicas.other.ask("And now?", conversation=replicas.conversation, key=KEY)
    assert (answer.status_code, "ending" in answer.text) == (500, False)


async def test_what_is_refused_at_one_replica_is_said_at_the_other(replicas: Replicas) -> None:
    replicas.engines[0].refuses = True
    answer = await replicas.other.ask("And now?", conversation=replicas.conversation, key=KEY)
    assert (answer.status_code, answer.json()["detail"]) == (400, "At most 3 pictures in one question, please.")
    assert not await replicas.one.store.unfinished("web")


async def test_a_question_can_be_asked_again_when_its_refusal_got_lost_on_the_way(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a replica that was cut off from the database for longer than such a refusal is kept there."""

    async def lose(*_: Any, **__: Any) -> None: ...

    replicas.engines[0].refuses = True
    with monkeypatch.context() as patched:
        patched.setattr(replicas.one.store, "grow_answer", lose)
        lost = await replicas.other.ask("And now?", conversation=replicas.conversation, key=KEY)
    again = await replicas.other.ask("And now?", conversation=replicas.conversation, key=KEY)
    assert (lost.status_code, lost.json()["detail"]) == (503, "The model was interrupted. Please ask again.")
    assert (again.status_code, again.json()["detail"]) == (400, "At most 3 pictures in one question, please.")


async def test_hanging_up_at_one_replica_stops_the_other_and_leaves_nothing(replicas: Replicas) -> None:
    events = replicas.events("", "blue")
    async for name, _ in events:
        if name == "piece":
            break
    await events.aclose()  # type: ignore[attr-defined]
    await until(lambda: replicas.engines[0].cancelled == 1, PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S):
        while await replicas.one.store.unfinished("web"):
            await asyncio.sleep(0.02)
    known = await replicas.one.store.outline(replicas.conversation)
    assert (len(known.turns), len(known.pictures)) == (1, 1)


async def test_another_replica_shows_stops_and_deletes_what_one_is_asked(replicas: Replicas) -> None:
    address = f"/api/v1/conversations/{replicas.conversation}"
    asking = asyncio.create_task(replicas.one.ask("And now?", conversation=replicas.conversation, key=KEY))
    await until(lambda: len(replicas.engines[0].asked) == 2)
    shown = (await replicas.other.client.get(address)).json()
    assert [(it["key"], it["text"]) for it in shown["asking"]] == [(KEY, "And now?")]
    assert (await replicas.other.client.post(f"{address}/stop")).json() == {"stopped": True}
    assert (await asking).json()["text"].startswith("It")
    assert (await replicas.other.client.delete(address)).status_code == 204
    assert (await replicas.one.client.get(address)).status_code == 404


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        (Waiting(3, 20.0), ("waiting", {"place": 3, "seconds": 20.0})),
        (Looking(1, 2), ("looking", {"picture": 1, "of": 2})),
    ],
)
async def test_another_replica_tells_the_place_in_the_line_and_the_picture(
    replicas: Replicas, stage: Event, told: tuple[str, Any]
) -> None:
    engine = replicas.engines[0]
    engine.stage = stage
    engine.begins.clear()
    heard = []
    async for event in replicas.events(KEY):
        heard.append(event)
        if event == told:
            engine.begins.set()
            engine.goes_on.set()
    assert heard.count(told) == 1 and heard[-1][0] == "done"


async def test_the_list_marks_what_another_replica_writes(replicas: Replicas) -> None:
    for web in (replicas.one, replicas.other):
        web.client.cookies.set(COOKIE, "b" * 43)  # of one browser
    conversation = await replicas.one.begin()
    asking = asyncio.create_task(replicas.one.ask("And now?", conversation=conversation, key=KEY))
    await until(lambda: len(replicas.engines[0].asked) == 3)
    marked = []
    for web in (replicas.one, replicas.other):
        listed = (await web.client.get("/api/v1/conversations")).json()["conversations"]
        marked.append([it["writing"] for it in listed if it["id"] == conversation])
    replicas.engines[0].goes_on.set()
    await asking
    assert marked == [[True], [True]]


@pytest.mark.parametrize("stage", [{"a stage of": "the next version"}, {"place": 3, "seconds": 20.0}])
async def test_a_stage_that_another_version_leaves_does_not_disturb_the_text(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch, stage: dict[str, Any]
) -> None:
    grow = replicas.one.store.grow_answer

    async def leave(key: str, text: str, outcome: dict[str, Any] | None = None, **_: object) -> None:
        await grow(key, text, outcome, stage)

    monkeypatch.setattr(replicas.one.store, "grow_answer", leave)
    told = []
    async for event in replicas.events(KEY):
        told.append(event[0])
        if event == ("piece", {"text": "It"}):
            await asyncio.sleep(2 * LOOK_SECONDS)
            replicas.engines[0].goes_on.set()
    assert told[-3:] == ["piece", "piece", "done"] and set(told[:-3]) <= {"conversation", "waiting"}


async def test_a_token_may_be_guessed_so_often_at_all_replicas_together(replicas: Replicas) -> None:
    async def guess(number: int) -> int:
        client = (replicas.one, replicas.other)[number % 2].client
        headers = {"Authorization": f"Bearer wrong-{number}"}
        return (await client.get("/api/v1/conversations", headers=headers)).status_code

    verdicts = await asyncio.gather(*map(guess, range(24)))
    assert sorted(verdicts) == [401] * WRONG_TRIES_PER_ADDRESS + [429] * 14


async def test_the_line_of_a_conversation_is_limited_at_all_replicas_together(replicas: Replicas) -> None:
    async def ask(number: int) -> int:
        web = (replicas.one, replicas.other)[number % 2]
        return (await web.ask("And?", conversation=replicas.conversation, key=f"{KEY}-{number}")).status_code

    asking = [asyncio.create_task(ask(number)) for number in range(8)]
    await until(lambda: sum(task.done() for task in asking) == 8 - WAITING_LIMIT, PATIENCE_S)
    replicas.engines[0].goes_on.set()
    assert sorted(await asyncio.gather(*asking)) == [200] * WAITING_LIMIT + [429] * (8 - WAITING_LIMIT)


async def test_questions_without_a_key_that_another_replica_answers_wait_in_the_same_line(replicas: Replicas) -> None:
    def ask() -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(replicas.other.ask("And?", conversation=replicas.conversation))

    asking = []
    for number in range(WAITING_LIMIT):
        asking.append(ask())
        async with asyncio.timeout(PATIENCE_S):
            while len(await replicas.one.store.unfinished("web")) <= number:
                await asyncio.sleep(0.02)
    async with asyncio.timeout(PATIENCE_S):
        assert (await ask()).status_code == 429
    replicas.engines[0].goes_on.set()
    assert [it.status_code for it in await asyncio.gather(*asking)] == [200] * WAITING_LIMIT

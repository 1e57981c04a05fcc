"""Nothing asked with a key is lost, and nothing is answered twice."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from bots.conversing.dispatcher import Dispatcher
from bots.web.broadcast import Broadcast
from bots.web.receiver import WAITING_LIMIT, Receiver
from bots.web.submission import Submission
from core import inbox
from core.attempts import PAUSES_SECONDS
from core.conversation import Turn
from core.errors import Busy, EngineUnreachable, StoreDown
from storage.store import Store
from tests.bots.web.conftest import KEY, Web, events_of, photo, service, until
from tests.fakes import ScriptedEngine


async def test_the_same_key_gets_the_same_answer_once(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        first = await web.ask("What?", "red", key=KEY)
        second = await web.ask("What?", "red", key=KEY)
        assert first.json() == second.json()
        assert len(engine.asked) == 1
    async with service(tmp_path, engine) as web:
        assert (await web.ask("What?", "red", key=KEY)).json() == first.json()
        assert len(engine.asked) == 1


@pytest.mark.parametrize("restart", [False, True])
async def test_a_key_with_another_question_gets_no_old_answer(tmp_path: Path, restart: bool) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        conversation = await web.begin()
        first = await web.ask("What?", "red", key=KEY)
        if not restart:
            await refuses_another(web, conversation)
    async with service(tmp_path, engine) as web:
        await refuses_another(web, conversation)
        assert (await web.ask("What?", "red", key=KEY)).json() == first.json()
        own = first.json()["conversation"]
        assert (await web.ask("What?", conversation=own, key=KEY)).json() == first.json(), "it reads along"
    assert len(engine.asked) == 2


async def refuses_another(web: Web, conversation: str) -> None:
    here = f"/api/v1/conversations/{conversation}"
    key = {"Idempotency-Key": KEY}
    for refused in (
        await web.ask("And what?", "red", key=KEY),
        await web.ask("What?", "blue", key=KEY),
        await web.ask("What?", "red", "red", key=KEY),
        await web.ask("What?", "red", key=KEY, pictures="1"),
        await web.ask("What?", "red", key=KEY, conversation=conversation),
        await web.client.post(f"{here}/retry", headers=key),
        await web.client.post(f"{here}/turns/1/smallprint", headers=key),
    ):
        assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")


async def test_a_key_of_a_question_without_a_picture_is_not_one_of_a_picture(web: Web) -> None:
    conversation = await web.begin()
    assert (await web.ask("What?", conversation=conversation, key=KEY)).status_code == 200
    assert (await web.ask("What?", "blue", conversation=conversation, key=KEY)).status_code == 422


async def test_twins_with_other_pictures_are_not_one_question(tmp_path: Path) -> None:
    engine = ScriptedEngine(pause=0.01)
    async with service(tmp_path, engine) as web:
        answers = await asyncio.gather(*(web.ask("What?", colour, key=KEY) for colour in ("red", "blue") * 2))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 422, 422]
        assert len(engine.asked) == 1


@pytest.mark.parametrize("path", ["/retry", "/turns/1/smallprint"])
async def test_a_key_of_another_order_is_refused_too(tmp_path: Path, path: str) -> None:
    async with service(tmp_path) as web:
        fields = {"query": "First?"}
        large = {"image": photo("white", (2400, 2400))}
        conversation = (await web.client.post("/api/v1/analyze", data=fields, files=large)).json()["conversation"]
        here, key = f"/api/v1/conversations/{conversation}", {"Idempotency-Key": KEY}
        answers = [await web.client.post(f"{here}{path}", headers=key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert (await web.ask("First?", "red", conversation=conversation, key=KEY)).status_code == 422
        assert (await web.ask("First?", conversation=conversation, key=KEY)).status_code == 200, "it reads along"


async def test_nothing_of_a_forgotten_question_is_kept_with_its_key(tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        conversation = (await web.ask("What?", "red", key=KEY)).json()["conversation"]
        assert await web.store.digest_of(f"web:{KEY}")
        await web.client.delete(f"/api/v1/conversations/{conversation}")
        assert await web.store.digest_of(f"web:{KEY}") is None
        for colour in ("red", "blue"):  # neither its answer nor what it was about
            gone = await web.ask("What?", colour, key=KEY)
            assert (gone.status_code, gone.json()["code"]) == (404, "not_found")


async def test_twins_sent_at_the_same_time_share_one_answer(tmp_path: Path) -> None:
    engine = ScriptedEngine(pause=0.01)
    async with service(tmp_path, engine) as web:
        answers = await asyncio.gather(*(web.ask("What?", "red", key=KEY) for _ in range(4)))
        assert {answer.text for answer in answers} == {answers[0].text}
        assert len(engine.asked) == 1


async def test_who_comes_back_reads_what_was_written_meanwhile(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(pause=0.05)) as web:
        await read_some(web, key=KEY)
        response = await web.ask("What?", "red", key=KEY, stream="true")
        pieces = [data["text"] for name, data in events_of(response) if name == "piece"]
        assert len(pieces[0].split()) > 1, "the text so far comes at once"
        assert "".join(pieces) == "Answer to 'What?' about [1] after 0 turns."


async def test_an_answer_with_a_key_goes_on_when_its_reader_goes_away(tmp_path: Path) -> None:
    engine = ScriptedEngine(pause=0.03)
    async with service(tmp_path, engine, shared_list=True) as web:
        await read_some(web, key=KEY)
        assert (await web.ask("What?", "red", key=KEY)).status_code == 200  # it is saved by now
        assert len(engine.asked) == 1
        [listed] = (await web.client.get("/api/v1/conversations")).json()["conversations"]
        stored = (await web.client.get(f"/api/v1/conversations/{listed['id']}")).json()
        assert stored["turns"][0]["answer"]["text"] == "Answer to 'What?' about [1] after 0 turns."
        assert stored["turns"][0]["answer"]["ending"] == "done"


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_an_answer_without_a_key_stops_when_its_reader_goes_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stream: str
) -> None:
    engine = ScriptedEngine(pause=60)
    async with service(tmp_path, engine, shared_list=True) as web:
        asking = asyncio.create_task(web.ask("What?", "red", stream=stream))
        await until(lambda: engine.running)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: engine.cancelled == 1)
        assert "Exception" not in caplog.text
        assert (await web.client.get("/api/v1/conversations")).json() == {"conversations": []}


async def test_a_question_that_a_restart_interrupts_is_answered_after_it(tmp_path: Path) -> None:
    slow = ScriptedEngine()
    async with service(tmp_path, slow) as web:
        conversation = await web.begin()
        slow.pause = 60
        waiting = asyncio.create_task(hanging_on(web, conversation))
        await until(lambda: slow.running)
    assert '"status": 503' in await waiting
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        answer = (await web.ask("Second?", conversation=conversation, key=KEY)).json()
        assert answer["text"] == "Answer to 'Second?' about [] after 1 turns."
        stored = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()
        assert [turn["text"] for turn in stored["turns"]] == ["First?", "Second?"]
        assert len(engine.asked) == 1


async def test_a_page_that_opens_a_conversation_learns_what_is_being_answered(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with service(tmp_path, ScriptedEngine(gate=gate), shared_list=True) as web:
        reading = asyncio.create_task(web.ask("What?", "red", key=KEY))
        listed: list[dict[str, str]] = []
        while not listed:
            listed = (await web.client.get("/api/v1/conversations")).json()["conversations"]
        assert listed[0]["title"] == "What?"
        stored = (await web.client.get(f"/api/v1/conversations/{listed[0]['id']}")).json()
        assert (stored["turns"], stored["waiting"]) == ([], [])
        assert [(it["key"], it["text"], it["again"]) for it in stored["asking"]] == [(KEY, "What?", False)]
        assert [picture["number"] for picture in stored["asking"][0]["pictures"]] == [1]
        gate.set()
        await reading


async def test_stop_keeps_what_was_written_and_frees_the_model(tmp_path: Path) -> None:
    engine = ScriptedEngine(script=lambda _: "Answer " * 1000, pause=0.1)
    async with service(tmp_path, engine) as web:
        first = await web.client.post("/api/v1/pictures", files={"image": photo()})
        conversation = first.json()["conversation"]
        reading = asyncio.create_task(web.ask("What?", conversation=conversation, key=KEY, stream="true"))
        await until(lambda: engine.running)
        await asyncio.sleep(0.25)
        assert (await web.client.post(f"/api/v1/conversations/{conversation}/stop")).json() == {"stopped": True}
        done = events_of(await reading)[-1][1]
        assert done["ending"] == "stopped"
        assert done["text"].startswith("Answer")
        assert engine.running == 0
        assert (await web.client.post(f"/api/v1/conversations/{conversation}/stop")).json() == {"stopped": False}


async def test_a_question_that_waits_for_its_next_attempt_is_stopped_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=(3600.0,)))
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        conversation = await web.begin()
        engine.script = lambda _: EngineUnreachable("The model is away.")
        asking = asyncio.create_task(web.ask("What?", conversation=conversation, key=KEY))
        await until(lambda: "has to wait" in caplog.text)
        assert (await web.client.post(f"/api/v1/conversations/{conversation}/stop")).json() == {"stopped": True}
        assert (await asking).json()["ending"] == "stopped"
        assert len(engine.asked) == 2


async def test_a_deleted_conversation_is_not_brought_back_by_its_waiting_questions(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        conversation = await web.begin()
        engine.gate = asyncio.Event()
        asking = [asyncio.create_task(web.ask(f"{n}?", conversation=conversation, key=f"{KEY}{n}")) for n in range(2)]
        while len(await web.store.unfinished("web")) < 2:  # one that comes later would be a new question
            await asyncio.sleep(0.01)
        await until(lambda: engine.running)
        assert (await web.client.delete(f"/api/v1/conversations/{conversation}")).status_code == 204
        await asyncio.gather(*asking)
        assert (await web.client.get(f"/api/v1/conversations/{conversation}")).status_code == 404


async def test_who_waits_in_a_conversation_that_is_deleted_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, taken, take = ScriptedEngine(), asyncio.Event(), Receiver._take_unwritten

    def seen(receiver: Receiver, submission: Submission) -> Broadcast:
        broadcast = take(receiver, submission)
        taken.set()
        return broadcast

    monkeypatch.setattr(Receiver, "_take_unwritten", seen)
    async with service(tmp_path, engine) as web:
        conversation = await web.begin()
        engine.pause = 60
        running = asyncio.create_task(web.ask("1?", conversation=conversation, key=f"{KEY}1"))
        await until(lambda: engine.running)
        kept = asyncio.create_task(web.ask("2?", conversation=conversation, key=f"{KEY}2"))
        taken.clear()
        alone = asyncio.create_task(web.ask("3?", conversation=conversation))
        await taken.wait()  # one that comes later would be a new question
        while len(await web.store.unfinished("web")) < 2:
            await asyncio.sleep(0.01)
        assert (await web.client.delete(f"/api/v1/conversations/{conversation}")).status_code == 204
        assert (await running).json()["ending"] == "stopped"
        assert [(await answer).status_code for answer in (kept, alone)] == [404, 404]
        assert len(engine.asked) == 2
        while await web.store.unfinished("web"):
            await asyncio.sleep(0.01)
        assert not (await web.store.outline(conversation)).turns


async def test_two_who_delete_a_conversation_at_once_have_both_deleted_it(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        address = f"/api/v1/conversations/{await web.begin()}"
        deleted = await asyncio.gather(*(web.client.delete(address) for _ in range(4)))
        assert 204 in {response.status_code for response in deleted} <= {204, 404}
        assert (await web.client.get(address)).status_code == 404


async def test_a_conversation_is_deleted_though_the_service_ends_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def hang(*_: object) -> tuple[str, ...]:
        begun.set()
        await asyncio.sleep(60)
        return ()

    async with service(tmp_path) as web:
        conversation = await web.begin()
        monkeypatch.setattr(web.store, "forget", hang)
        deleting = asyncio.create_task(web.client.delete(f"/api/v1/conversations/{conversation}"))
        await begun.wait()
    await asyncio.gather(deleting, return_exceptions=True)
    async with service(tmp_path) as web:
        while (await web.client.get(f"/api/v1/conversations/{conversation}")).status_code != 404:
            await asyncio.sleep(0.01)
        assert not (await web.store.outline(conversation)).turns


async def test_questions_without_a_key_wait_in_a_line_that_has_an_end(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        conversation = await web.begin()
        engine.gate = asyncio.Event()
        asking = [asyncio.create_task(web.ask(f"{n}?", conversation=conversation)) for n in range(6)]
        await until(lambda: sum(task.done() for task in asking) == 2)
        engine.gate.set()
        answers = await asyncio.gather(*asking)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 429, 429]
        assert (await web.ask("And now?", conversation=conversation)).status_code == 200


async def test_a_failed_answer_is_said_and_its_question_stays(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: RuntimeError("a bug"))) as web:
        events = events_of(await web.ask("What?", "red", key=KEY, stream="true"))
        assert events[-1][0] == "error"
        assert "bug" not in events[-1][1]["detail"]
        assert (await web.client.get("/healthz")).status_code == 200


async def hanging_on(web: Web, conversation: str) -> str:
    """What a reader has got when the service goes down under it."""
    fields = {"query": "Second?", "conversation": conversation, "stream": "true"}
    async with httpx.AsyncClient(base_url=web.url, timeout=60, trust_env=False) as client:
        response = await client.post("/api/v1/analyze", data=fields, headers={"Idempotency-Key": KEY})
        return response.text


async def test_a_key_that_met_a_full_line_can_be_asked_again(tmp_path: Path) -> None:
    full = [Busy("The line is full."), Busy("The line is full.")]
    engine = ScriptedEngine(script=lambda _: full.pop() if full else "Now")
    async with service(tmp_path, engine) as web:
        answers = [await web.ask("What?", "red", key=KEY) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [429, 429, 200, 200]
        assert answers[0].headers["retry-after"]
        stored = (await web.client.get(f"/api/v1/conversations/{answers[2].json()['conversation']}")).json()
        assert len(stored["turns"]) == 1


class FullDisk(Store):
    """Cannot save turns while it is full."""

    full = False
    refused = 0

    async def save(
        self, conversation_id: str, turn: Turn, key: str, replaces: str | None = None, person: str | None = None
    ) -> None:
        if self.full:
            self.refused += 1
            raise StoreDown("The disk is full.")
        await super().save(conversation_id, turn, key, replaces, person)


async def test_an_answer_that_cannot_be_saved_is_tried_again_while_its_reader_waits(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine, kind=FullDisk) as web:
        store = web.store
        assert isinstance(store, FullDisk)
        store.full = True
        asking = asyncio.create_task(web.ask("What?", "red", key=KEY, stream="true"))
        await until(lambda: store.refused)
        store.full = False
        events = events_of(await asking)
        names = [name for name, _ in events]
        again = names.index("waiting", names.index("piece"))  # the second attempt says where in the line it is
        assert "piece" not in names[again:]
        assert "".join(data["text"] for name, data in events if name == "piece") == events[-1][1]["text"]
        stored = (await web.client.get(f"/api/v1/conversations/{events[-1][1]['conversation']}")).json()
        assert len(stored["turns"]) == 1


async def test_a_service_that_cannot_write_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full() -> None:
        raise StoreDown("The disk is full.")

    async with service(tmp_path) as web:
        monkeypatch.setattr(web.store, "check", full)
        assert (await web.client.get("/readyz")).status_code == 503


async def read_some(web: Web, key: str) -> None:
    """Read the first pieces of a streamed answer, then hang up."""
    fields = {"query": "What?", "stream": "true"}
    async with web.client.stream(
        "POST", "/api/v1/analyze", data=fields, files={"image": photo()}, headers={"Idempotency-Key": key}
    ) as response:
        seen = ""
        async for text in response.aiter_text():
            seen += text
            if seen.count("event: piece") >= 3:
                return
    raise httpx.ReadError("the answer ended too early")


async def test_questions_that_are_kept_for_the_next_start_do_not_hold_up_the_next_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise ValueError

    pauses_s = (0.0,) * len(PAUSES_SECONDS)
    monkeypatch.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=pauses_s))
    async with service(tmp_path) as web:
        conversation = await web.begin()
        with monkeypatch.context() as broken:
            broken.setattr(Dispatcher, "answer", fail)
            for number in range(WAITING_LIMIT):
                kept = await web.ask("What?", conversation=conversation, key=f"{KEY}-{number}")
                assert kept.json()["code"] == "restarting", kept.text
        assert len(await web.store.unfinished("web")) == WAITING_LIMIT
        assert (await web.ask("And now?", conversation=conversation, key=KEY)).status_code == 200

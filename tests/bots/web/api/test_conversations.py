import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from bots.web.api.upload import open_files
from bots.web.config import WebConfig
from core.answer import Answer
from core.conversation import Conversation
from core.errors import Busy, EngineUnreachable
from core.events import Tell
from core.quota import QuotaConfig
from core.sampling import Sampling
from storage.store import Store
from tests.bots.web.conftest import Web, events_of, photo, service
from tests.fakes import ScriptedEngine, describe


async def test_a_picture_and_a_query_get_a_text(web: Web) -> None:
    response = await web.ask("What is it?", "red")
    answer = response.json()
    assert response.status_code == 200
    assert answer["text"] == "Answer to 'What is it?' about [1] after 0 turns."
    assert answer["ending"] == "done"
    assert answer["conversation"].startswith("web:")
    assert answer["figures"]["total_s"] >= 0


async def test_several_pictures_are_numbered_in_the_order_they_were_sent(web: Web) -> None:
    answer = (await web.ask("Compare", "red", "green", "blue")).json()
    assert answer["text"] == "Answer to 'Compare' about [1, 2, 3] after 0 turns."
    stored = (await web.client.get(f"/api/v1/conversations/{answer['conversation']}")).json()
    assert [picture["number"] for picture in stored["turns"][0]["pictures"]] == [1, 2, 3]


async def test_a_follow_up_needs_no_picture_and_may_bring_another(web: Web) -> None:
    conversation = await web.begin()
    second = (await web.ask("And the date?", conversation=conversation)).json()
    assert second == second | {
        "text": "Answer to 'And the date?' about [] after 1 turns.",
        "conversation": conversation,
    }
    third = (await web.ask("And this?", "blue", conversation=conversation)).json()
    assert third["text"] == "Answer to 'And this?' about [2] after 2 turns."


async def test_pictures_of_the_conversation_can_be_asked_about_again_by_number(web: Web) -> None:
    conversation = await web.begin()
    await web.ask("And this?", "blue", conversation=conversation)
    again = await web.ask("Compare", conversation=conversation, pictures="2,1")
    assert again.json()["text"] == "Answer to 'Compare' about [2, 1] after 2 turns."
    assert (await web.ask("Compare", conversation=conversation, pictures="9")).status_code == 400


async def test_a_question_that_stands_alone_leaves_a_waiting_picture_to_a_later_one(web: Web) -> None:
    conversation = await web.begin()
    await web.client.post("/api/v1/pictures", data={"conversation": conversation}, files={"image": photo("green")})
    asked: dict[str, Any] = {"query": "Alone?", "conversation": conversation, "alone": True}
    for response in (await web.ask(**asked), await web.client.post("/api/v1/analyze", json=asked)):
        assert response.json()["text"].startswith("Answer to 'Alone?' about []")
    named = await web.ask("This one?", conversation=conversation, alone="true", pictures="1")
    assert named.json()["text"].startswith("Answer to 'This one?' about [1]")
    stored = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()
    assert [picture["number"] for picture in stored["waiting"]] == [2]
    assert (await web.ask("Now?", conversation=conversation)).json()["text"].startswith("Answer to 'Now?' about [2]")


async def test_a_streamed_answer_comes_piece_by_piece_and_ends_with_done(web: Web) -> None:
    response = await web.ask("What?", "red", stream="true", html="true")
    events = events_of(response)
    names = [name for name, _ in events]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert names[:3] == ["conversation", "waiting", "looking"]
    assert names[-1] == "done"
    text = "".join(data["text"] for name, data in events if name == "piece")
    assert text == events[-1][1]["text"] == "Answer to 'What?' about [1] after 0 turns."
    assert events[-1][1]["html"].startswith("<p>Answer to")
    assert "html" in names


async def test_pictures_can_be_sent_ahead_of_their_question(web: Web) -> None:
    first = await web.client.post("/api/v1/pictures", files={"image": photo("red")})
    conversation = first.json()["conversation"]
    files = [("image", photo("green")), ("image", photo("red"))]
    second = await web.client.post("/api/v1/pictures", data={"conversation": conversation}, files=files)
    assert [picture["number"] for picture in second.json()["pictures"]] == [2, 1]
    stored = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()
    assert [picture["number"] for picture in stored["waiting"]] == [1, 2]
    answer = await web.ask("Compare", conversation=conversation)
    assert answer.json()["text"] == "Answer to 'Compare' about [1, 2] after 0 turns."


async def test_a_waiting_picture_can_be_taken_off_the_next_question(web: Web) -> None:
    conversation = (await web.ask("First", "red")).json()["conversation"]
    files = [("image", photo("red")), ("image", photo("green"))]
    await web.client.post("/api/v1/pictures", data={"conversation": conversation}, files=files)
    address = f"/api/v1/conversations/{conversation}"
    codes = [(await web.client.delete(f"{address}/waiting/{number}")).status_code for number in (1, 2, 2, 3)]
    assert codes == [204, 204, 404, 404]
    stored = (await web.client.get(address)).json()
    assert (stored["waiting"], [picture["number"] for picture in stored["turns"][0]["pictures"]]) == ([], [1])
    answer = await web.ask("Second", conversation=conversation)
    assert answer.json()["text"] == "Answer to 'Second' about [] after 1 turns."


async def test_another_picture_may_come_after_the_first_one_was_taken_off(web: Web) -> None:
    files = {"image": photo("red")}
    conversation = (await web.client.post("/api/v1/pictures", files=files)).json()["conversation"]
    assert (await web.client.delete(f"/api/v1/conversations/{conversation}/waiting/1")).status_code == 204
    again = await web.client.post("/api/v1/pictures", data={"conversation": conversation}, files=files)
    assert [picture["number"] for picture in again.json()["pictures"]] == [2]


async def test_conversations_are_listed_read_and_deleted(web: Web) -> None:
    await web.client.get("/")  # as a browser, which has a list
    conversation = await web.begin()
    await web.ask("Second?", conversation=conversation)
    listed = (await web.client.get("/api/v1/conversations")).json()["conversations"]
    assert [(known["id"], known["title"]) for known in listed] == [(conversation, "First?")]
    stored = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()
    assert [turn["text"] for turn in stored["turns"]] == ["First?", "Second?"]
    assert stored["turns"][0]["answer"]["html"].startswith("<p>")
    picture = await web.client.get(stored["turns"][0]["pictures"][0]["url"])
    assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
    assert (await web.client.delete(f"/api/v1/conversations/{conversation}")).status_code == 204
    assert (await web.client.get(f"/api/v1/conversations/{conversation}")).status_code == 404
    assert (await web.client.get(stored["turns"][0]["pictures"][0]["url"])).status_code == 404
    assert (await web.client.get("/api/v1/conversations")).json() == {"conversations": []}


async def test_a_removed_picture_is_gone_and_its_number_is_not_given_again(web: Web) -> None:
    conversation = await web.begin()
    address = f"/api/v1/conversations/{conversation}/pictures/1"
    assert (await web.client.delete(address)).status_code == 204
    assert (await web.client.get(address)).status_code == 404
    assert (await web.client.delete(address)).status_code == 404
    assert (await web.ask("This?", "blue", conversation=conversation)).json()["text"].count("[2]") == 1


async def test_a_retry_takes_the_place_of_the_last_answer(web: Web) -> None:
    conversation = await web.begin()
    retried = await web.client.post(f"/api/v1/conversations/{conversation}/retry")
    assert retried.json()["text"] == "Answer to 'First?' about [1] after 0 turns."
    stored = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()
    assert len(stored["turns"]) == 1


async def test_what_is_wrong_is_said_in_a_sentence_with_its_status(web: Web) -> None:
    unknown = "web:" + "0" * 32
    post = web.client.post
    wrong: list[tuple[httpx.Response, int]] = [
        (await web.ask("", "red"), 400),
        (await web.ask("What?"), 400),
        (await web.ask("x" * 8001, "red"), 400),
        (await post("/api/v1/analyze", json={"query": "?"}), 400),
        (await post("/api/v1/analyze", content=b"--x", headers={"content-type": "multipart/form-data"}), 400),
        (await post("/api/v1/analyze", data={"query": "?", "image": "http://127.0.0.1/a.png"}), 400),
        (await web.ask("What?", "red", stream="perhaps"), 400),
        (await web.ask("What?", "red", pictures="one"), 400),
        (await post("/api/v1/analyze", data={"query": "?"}, files={"image": b"<html>"}), 415),
        (await post("/api/v1/analyze", data={"query": "?"}, files={"image": b""}), 415),
        (await web.ask("What?", *["red"] * (WebConfig().pictures + 1)), 413),
        (await web.ask("What?", "red", key="short"), 422),
        (await web.ask("What?", conversation=unknown), 404),
        (await web.client.get(f"/api/v1/conversations/{await web.begin()}/pictures/nine"), 422),
        (await web.client.get("/nothing"), 404),
        (await web.client.put("/api/v1/analyze"), 405),
        (await post(f"/api/v1/conversations/{unknown}/stop"), 404),
        (await post(f"/api/v1/conversations/{unknown}/retry"), 404),
    ]
    for response, status in wrong:
        assert response.status_code == status, response.text
        assert response.json()["detail"].endswith((".", "…"))


async def test_programs_can_tell_each_refusal_by_its_code(tmp_path: Path) -> None:
    engine = ScriptedEngine(script=lambda about: Busy("The line is full.") if "busy" in repr(about) else ValueError())
    async with service(tmp_path, engine) as web:
        text = {"image": ("a.png", b"no picture")}
        refused = [
            (await web.ask(" ", "red"), "invalid_question"),
            (await web.ask("What?", conversation="web:gone"), "not_found"),
            (await web.client.post("/api/v1/analyze", data={"query": "What?"}, files=text), "invalid_image"),
            (await web.ask("busy?", "red"), "busy"),
            (await web.ask("bug?", "red"), "internal_error"),
            (await web.ask("What?", "red", key="short"), "invalid_parameter"),
            (await web.client.get("/api/v1/nothing"), "not_found"),
            (await web.client.put("/api/v1/analyze"), "method_not_allowed"),
        ]
        assert [response.json()["code"] for response, _ in refused] == [code for _, code in refused]
        for query, code in (("busy?", "busy"), ("bug?", "internal_error")):
            name, data = events_of(await web.ask(query, "red", stream="true"))[-1]
            assert (name, data["code"]) == ("error", code)
        problem = (await web.client.get("/openapi.json")).json()["components"]["schemas"]["Problem"]
        assert problem["required"] == ["detail", "code"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/analyze", "POST"),
        ("GET", "/api/v1/pictures", "POST"),
        ("POST", "/api/v1/conversations", "GET"),
        ("PUT", "/api/v1/conversations/web:1", "DELETE, GET, PATCH"),
        ("PUT", "/api/v1/conversations/web:1/pictures/1", "DELETE, GET"),
        ("GET", "/api/v1/conversations/web:1/turns/1/rating", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/static/page.js", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_all_the_right_ones(web: Web, method: str, path: str, allowed: str) -> None:
    response = await web.client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)


async def test_errors_are_said_in_the_readers_language(web: Web) -> None:
    chinese = {"Accept-Language": "fr;q=0.9, zh-CN;q=0.8, en;q=0.5"}
    response = await web.client.get("/nothing", headers=chinese)
    assert response.json() == {"detail": "这个地址没有内容。", "code": "not_found"}


async def test_probes_tell_alive_and_ready_and_metrics_count(web: Web) -> None:
    assert (await web.client.get("/healthz")).text == "ok\n"
    assert (await web.client.get("/readyz")).text == "ok\n"
    await web.begin()
    metrics = (await web.client.get("/metrics")).text
    assert 'picture_answers_http_requests_total{route="/api/v1/analyze",status="200"} 1.0' in metrics
    assert "process_resident_memory_bytes" in metrics


async def test_a_question_of_a_conversation_that_has_no_picture_left_is_refused(web: Web) -> None:
    conversation = await web.begin()
    await web.client.delete(f"/api/v1/conversations/{conversation}/pictures/1")
    for query, retry in (("And the date?", False), ("thanks!", False), ("", True)):
        here = f"/api/v1/conversations/{conversation}/retry"
        refused = await (web.client.post(here) if retry else web.ask(query, conversation=conversation))
        assert refused.status_code == 400
        assert refused.json()["detail"].startswith("There is no picture to look at.")
    streamed = events_of(await web.ask("And the date?", conversation=conversation, stream="true", key="k" * 20))
    assert streamed[-1][0] == "error"
    assert streamed[-1][1]["status"] == 400


async def test_thanks_are_not_answered_by_the_model(web: Web) -> None:
    conversation = await web.begin()
    refused = await web.ask("谢谢啦 👍", conversation=conversation)
    assert refused.status_code == 400
    assert len((await web.store.load(conversation)).turns) == 1


async def test_one_bad_file_of_two_is_named(web: Web) -> None:
    files = [("image", ("a.png", photo())), ("image", ("b.png", b"no picture"))]
    refused = await web.client.post("/api/v1/analyze", data={"query": "What?"}, files=files)
    assert refused.status_code == 415
    assert refused.json()["detail"].startswith("File 2 of 2: This is a text file.")


async def test_print_is_shown_as_it_is(tmp_path: Path) -> None:
    said = "Balance 500\n- 320\n2*3*4 __init__\nC:\\_tmp\\(new)\n# 5520"
    async with service(tmp_path, ScriptedEngine(lambda _: said)) as web:
        events = events_of(await web.ask("提取所有文字", "red", stream="true", html="true"))
        done = events[-1][1]
        conversation = done["conversation"]
        asked = await web.ask("What is wrong?", conversation=conversation, stream="true", html="true")
        read = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()
    assert done["text"] == said
    assert done["html"] == f"<pre><code>{said}\n</code></pre>\n"
    assert all(data["html"].startswith("<pre><code>") for name, data in events if name == "html" and data["html"])
    lines = "<br>\n".join(said.split("\n"))
    assert events_of(asked)[-1][1]["html"] == f"<p>{lines}</p>\n"
    assert [turn["answer"]["html"][:5] for turn in read["turns"]] == ["<pre>", "<p>Ba"]


async def test_sentences_follow_the_question_and_else_the_reader(web: Web) -> None:
    web.client.headers["Accept-Language"] = "en"
    conversation = await web.begin()
    await web.client.delete(f"/api/v1/conversations/{conversation}/pictures/1")
    refused = await web.ask("日期是哪天？", conversation=conversation)
    assert refused.json()["detail"].startswith("这里没有可以看的图片")
    streamed = events_of(await web.ask("日期是哪天？", conversation=conversation, stream="true", key="k" * 20))
    assert streamed[-1][1]["detail"].startswith("这里没有可以看的图片")
    bad = {"image": ("a.png", b"no picture")}
    refused = await web.client.post("/api/v1/analyze", data={"query": "这是什么？"}, files=bad)
    assert refused.json()["detail"].startswith("这是文本文件")
    assert (await web.client.post("/api/v1/pictures", files=bad)).json()["detail"].startswith("This is a text file")
    web.client.headers["Accept-Language"] = "zh"
    refused = await web.ask("What is the date?", conversation=conversation)
    assert refused.json()["detail"].startswith("There is no picture")
    assert (await web.ask("", "red")).json()["detail"].startswith("请提一个问题")


async def test_a_receipt_is_in_the_language_of_its_question(web: Web) -> None:
    answer = (await web.ask("比较这两张图片", "red", "green")).json()
    turn = (await web.client.get(f"/api/v1/conversations/{answer['conversation']}")).json()["turns"][0]
    assert turn["answer"]["receipt"].startswith("看了图片 1")


async def test_whether_asking_again_may_help_is_said(tmp_path: Path) -> None:
    busy = [Busy("Too many questions are waiting already. Please ask again in a minute.")]
    engine = ScriptedEngine(lambda conversation: busy.pop() if busy else describe(conversation))
    quota = QuotaConfig(questions_per_minute=1, questions_per_day=0, pictures_per_minute=0, at_once=0)
    async with service(tmp_path, engine, quota) as web:
        events = events_of(await web.ask("x" * 8001, "red", stream="true", key="k" * 20))
        assert events[-1] == ("error", {**events[-1][1], "status": 400, "retryable": False})
        full = await web.ask("What?", "red")
        assert (full.status_code, full.json()["retryable"]) == (429, True)
        assert (await web.ask("What?", "red")).status_code == 200  # what was not answered is not counted
        reached = await web.ask("What?", "red")
        assert (reached.status_code, "retryable" in reached.json()) == (429, False)
        assert "retryable" not in (await web.ask("x" * 8001, "red")).json()


async def test_a_question_that_is_stored_nowhere_is_not_counted_when_it_is_interrupted(tmp_path: Path) -> None:
    away = [EngineUnreachable("later"), EngineUnreachable("later")]
    engine = ScriptedEngine(lambda conversation: away.pop() if away else describe(conversation))
    async with service(tmp_path, engine, QuotaConfig(questions_per_minute=1, at_once=0)) as web:
        assert [(await web.ask("What?", "red")).status_code for _ in range(4)] == [503, 503, 200, 429]


class HeldEngine(ScriptedEngine):
    """An engine that answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_now, self.may = asyncio.Event(), asyncio.Event()

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        self.asked_now.set()
        await self.may.wait()
        return await super().answer(conversation, sampling, tell)


class HeldStore(Store):
    """A store that reads a conversation, waits, and hands on what it read, or what is there then."""

    hold = ""
    read: asyncio.Event
    go_on: asyncio.Event

    async def outline(self, conversation_id: str) -> Conversation:
        hold, self.hold = self.hold, ""
        known = await super().outline(conversation_id)
        if not hold:
            return known
        self.read.set()
        await self.go_on.wait()
        return known if hold == "before the answer" else await super().outline(conversation_id)


@pytest.mark.parametrize("hold", ["before the answer", "after the answer"])
async def test_a_question_that_is_answered_while_its_conversation_is_read_is_shown_once(
    tmp_path: Path, hold: str
) -> None:
    engine = HeldEngine()
    async with service(tmp_path, engine, kind=HeldStore) as web:
        store = web.store
        assert isinstance(store, HeldStore)
        begun = (await web.client.post("/api/v1/pictures", files={"image": ("p.png", photo(), "image/png")})).json()
        address = f"/api/v1/conversations/{begun['conversation']}"
        fields = {"query": "What?", "conversation": begun["conversation"]}
        key = {"Idempotency-Key": "the-key-of-the-page"}
        asked = asyncio.create_task(web.client.post("/api/v1/analyze", data=fields, headers=key))
        await engine.asked_now.wait()
        store.hold, store.read, store.go_on = hold, asyncio.Event(), asyncio.Event()
        reading = asyncio.create_task(web.client.get(address))
        await store.read.wait()
        engine.may.set()
        assert (await asked).status_code == 200
        store.go_on.set()
        shown = (await reading).json()
        assert len(shown["turns"]) + len(shown["asking"]) == 1


@pytest.mark.parametrize("colours", [(), ("blue",)])
@pytest.mark.parametrize("key", [{}, {"key": "a-key-nobody-guesses"}])
async def test_a_conversation_that_is_deleted_while_a_questions_files_are_opened_stays_deleted(
    web: Web, monkeypatch: pytest.MonkeyPatch, colours: tuple[str, ...], key: dict[str, str]
) -> None:
    conversation = await web.begin()

    async def open_them(*what: Any) -> Any:
        opened = await open_files(*what)
        assert (await web.client.delete(f"/api/v1/conversations/{conversation}")).status_code == 204
        return opened

    monkeypatch.setattr("bots.web.api.questions.open_files", open_them)
    refused = await web.ask("And this?", *colours, conversation=conversation, **key)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert not await web.store.has_begun(conversation)
    assert not await web.store.unfinished("web")


async def test_a_conversation_that_is_deleted_while_a_picture_for_it_is_opened_stays_deleted(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await web.begin()

    async def open_them(*what: Any) -> Any:
        opened = await open_files(*what)
        assert (await web.client.delete(f"/api/v1/conversations/{conversation}")).status_code == 204
        return opened

    monkeypatch.setattr("bots.web.api.pictures.open_files", open_them)
    form, files = {"conversation": conversation}, {"image": ("blue.png", photo("blue"), "image/png")}
    refused = await web.client.post("/api/v1/pictures", data=form, files=files)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert not await web.store.has_begun(conversation)

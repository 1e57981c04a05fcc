"""POST /v1/chat/completions over real HTTP, with the scripted engine: what arrives, and what is answered."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PilImage

from bots.web.api import sse
from bots.web.openai.replies import NOTES_CHARACTERS, notes_header
from core.answer import Answer, Ending, Figures
from core.conversation import MOST_PICTURES, Conversation
from core.errors import Busy
from core.events import Piece, Tell
from core.quota import QuotaConfig
from core.sampling import Sampling
from tests.bots.web.conftest import Web, photo, service, until
from tests.bots.web.openai.asking import CHAT, ask, client, data_url, nothing_extra, picture, sent, user
from tests.core.papers import pdf
from tests.fakes import Doubtful, Interrupted, ScriptedEngine, describe


def chunks(text: str) -> list[dict[str, Any]]:
    blocks = [block.removeprefix("data: ") for block in text.split("\n\n") if block.startswith("data: ")]
    assert blocks.pop() == "[DONE]"
    return [json.loads(block) for block in blocks]


async def test_messages_become_turns_with_their_pictures(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "In English."}]},
            user("What is it?", picture("red")),
            {"role": "assistant", "content": "A cat."},
            user("And these?", picture("blue"), picture("red", detail="low")),
        ]
        reply = await ask(web, *messages)
    assert reply.status_code == 200, reply.text
    [conversation] = engine.asked
    assert conversation.system == "Be brief.\n\nIn English."
    assert [turn.text for turn in conversation.turns] == ["What is it?", "And these?"]
    assert [[it.number for it in turn.pictures] for turn in conversation.turns] == [[1], [2, 1]]
    assert conversation.turns[0].answer == Answer("A cat.", Ending.DONE)
    assert not conversation.stored
    body = reply.json()
    assert body["choices"][0]["message"]["content"] == describe(conversation)
    assert body["choices"][0]["logprobs"] is None
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["object"] == "chat.completion"


async def test_a_picture_keeps_the_number_that_stands_before_it(tmp_path: Path) -> None:
    def called(number: int, colour: str) -> list[dict[str, Any]]:
        return [{"type": "text", "text": f"Picture {number}:"}, picture(colour)]

    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        await ask(
            web,
            user("Which?", *called(2, "red"), *called(5, "blue")),
            {"role": "assistant", "content": "The red one."},
            user("And these?", *called(5, "blue"), *called(2, "green"), picture("black")),
        )
    [conversation] = engine.asked
    assert [turn.text for turn in conversation.turns] == ["Which?", "And these?"]
    assert [[it.number for it in turn.pictures] for turn in conversation.turns] == [[2, 5], [5, 6, 7]]


async def test_every_way_to_write_content_is_read(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        url = data_url(photo())
        for content in (
            [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "a"}],
            [{"type": "image_url", "image_url": url}, {"type": "text", "text": "a"}],
            [{"type": "file", "file": {"filename": "x.png", "file_data": url}}, {"type": "text", "text": "a"}],
            [
                {"type": "file", "file": {"file_data": url.partition(",")[2].rstrip("=")}},
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            ],
        ):
            assert (await ask(web, {"role": "user", "content": content})).status_code == 200
        called = {"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": '{"a": 1}'}}]}
        told = {"role": "tool", "tool_call_id": "1", "content": "Done."}
        assert (await ask(web, user("b", picture()), called, told)).status_code == 200
    assert [it.turns[-1].text for it in engine.asked] == ["a", "a", "a", "a", "Done."]
    assert all(len(it.pictures) == 1 for it in engine.asked)
    assert engine.asked[-1].turns[0].answer == Answer('{"a": 1}', Ending.DONE)


async def test_pages_of_a_pdf_are_pictures(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        file = {"type": "file", "file": {"file_data": data_url(pdf(["one", "two"]), "application/pdf")}}
        assert (await ask(web, user("Read it", file))).status_code == 200
    assert len(engine.asked[0].pictures) == 2


def paper_part(pages: int = 9) -> dict[str, Any]:
    data = pdf([f"page {number}" for number in range(1, pages + 1)])
    return {"type": "file", "file": {"file_data": data_url(data, "application/pdf")}}


def shades(conversation: Conversation) -> list[list[int]]:
    """Return the pages that each turn shows: each is darker than the one before."""
    opened = [[PilImage.open(io.BytesIO(it.image.data)) for it in turn.pictures] for turn in conversation.turns]
    return [[round(10 - 10 * it.convert("L").tobytes()[5] / 255) for it in turn] for turn in opened]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_later_question_names_other_pages_and_a_header_says_what_was_left_out(
    tmp_path: Path, stream: bool
) -> None:
    engine = ScriptedEngine()
    told = [user("What is it?", paper_part()), {"role": "assistant", "content": "A paper."}]
    async with service(tmp_path, engine) as web:
        first = await ask(web, told[0], stream=stream)
        later = await ask(web, *told, user("那第7页呢？"), stream=stream)
        again = await ask(web, *told, user("And page 7?"), told[1], user("And now?"), stream=stream)
        wrong = await ask(web, *told, user("And page 12?"), stream=stream)
    assert [shades(asked) for asked in engine.asked] == [
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4], [7]],
        [[1, 2, 3, 4], [7], []],
        [[1, 2, 3, 4], []],
    ]
    notes = [json.loads(answer.headers.get("Answer-Notes", "[]")) for answer in (first, later, again, wrong)]
    assert notes == [
        ["Pages looked at: 1-4 of 9. For others, ask about “page 5”, for example."],
        ["已看第 7 页（共 9 页）。要看其他页，请在提问时写明页码，例如“第8页”。"],
        [],
        ["This document has 9 pages; please ask about one of them."],
    ]


async def test_of_too_many_named_pages_those_of_the_newest_questions_are_shown(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    told = [user("What is it?", paper_part(), *(picture(colour) for colour in ("red", "green", "blue")))]
    asking = [user(f"And pages {page}-9?") for page in (2, 3, 4, 5, 6)]
    messages = [message for asked in asking for message in ({"role": "assistant", "content": "A."}, asked)]
    async with service(tmp_path, engine) as web:
        assert (await ask(web, *told, *messages)).status_code == 200
    assert len(engine.asked[0].pictures) <= MOST_PICTURES
    assert [len(turn.pictures) for turn in engine.asked[0].turns] == [7, 1, 4, 4, 4, 4]


async def test_notes_that_no_proxy_would_pass_on_are_left_out() -> None:
    assert notes_header([]) == {}
    header = notes_header(["第" * 100] * 40)["Answer-Notes"]
    assert header.isascii() and len(header) <= NOTES_CHARACTERS and len(json.loads(header)) == 4


async def test_detail_chooses_how_closely_a_picture_is_looked_at(tmp_path: Path) -> None:
    engine, large = ScriptedEngine(), data_url(photo("red", (3000, 2000)))
    async with service(tmp_path, engine) as web:
        for detail in ("low", "auto", "high"):
            part = {"type": "image_url", "image_url": {"url": large, "detail": detail}}
            assert (await ask(web, user("What?", part))).status_code == 200
    low, auto, high = (it.pictures[0].image for it in engine.asked)
    assert low.width * low.height <= 256 * 1024 < auto.width * auto.height <= 1000 * 1024 < high.width * high.height


async def test_fields_choose_how_the_answer_is_drawn(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        fields = {
            "temperature": 0.5, "top_p": 0, "top_k": -1, "seed": -1, "presence_penalty": 1, "frequency_penalty": -1.5,
            "repetition_penalty": 1.1, "max_completion_tokens": 7, "stop": "END", "n": 1, "model": "",
            "response_format": {"type": "text"}, "tools": [{"type": "function", "function": {"name": "f"}}],
            "logit_bias": {}, "user": "somebody", "metadata": {"any": "thing"}, "stream_options": None,
        }  # fmt: skip
        assert (await ask(web, user("What?", picture()), **fields)).status_code == 200
        assert (await ask(web, user("What?", picture()), max_tokens=10**9, stop=["a", "b"])).status_code == 200
        assert (await ask(web, user("What?", picture()), temperature=None, stop=None, tool_choice="auto")).is_success
    first, second, third = engine.samplings
    assert first == Sampling(
        temperature=0.5, top_p=1e-9, top_k=0, seed=2**63 - 1, presence_penalty=1, frequency_penalty=-1.5,
        repetition_penalty=1.1, max_new_tokens=7, stop=("END",),
    )  # fmt: skip
    assert (second.max_new_tokens, second.stop) == (Sampling().max_new_tokens, ("a", "b"))
    assert third == Sampling()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 2**70}, "max_tokens"),
        ({"seed": 2**63}, "seed"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": [1]}, "stop.0"),
        ({"stream": "yes"}, "stream"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "assistant", "content": "Yes."}]}, "messages"),
        ({"messages": [{"role": "user", "content": None}]}, "messages"),
        ({"messages": [{"role": "king", "content": "Yes."}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "a\ud800b"}]}, "messages.0.content.0.text"),
        ({"messages": [{"role": "user", "content": "a\0b"}]}, "messages.0.content.0.text"),
        ({"messages": [{"role": "user", "content": "a" * 70_000}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.image_url"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]},
            "messages.0.content.0.file.file_data",
        ),
    ],
)
async def test_what_cannot_be_done_is_a_400_that_names_the_field(web: Web, fields: dict[str, Any], param: str) -> None:
    body = {"messages": [user("What?", picture())], **fields}
    reply = await web.client.post(CHAT, content=json.dumps(body))
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert error["code"]
    assert error["message"]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png", "http://127.0.0.1:1/a.png", "file:///etc/passwd", "/etc/passwd", "ftp://a/b",
        "data:image/png,plain", "data:image/png;base64,!!!!", "data:image/png;base64,é", "", "blob:x", "DATA:",
    ],
)  # fmt: skip
async def test_nothing_but_data_is_opened(web: Web, url: str) -> None:
    for part in (
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "file", "file": {"file_data": url or "file:///etc/passwd"}},
    ):
        reply = await ask(web, user("What?", part))
        assert reply.status_code == 400
        assert reply.json()["error"]["param"].startswith("messages.0.content.0.")


async def test_a_broken_picture_is_a_400_that_names_it(web: Web) -> None:
    reply = await ask(web, user("What?", picture(), sent(b"not a picture")))
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert (error["param"], error["code"]) == ("messages.0.content.1.image_url.url", "invalid_image")


async def test_too_much_is_a_413_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    monkeypatch.setattr("base64.b64decode", lambda text, **_: decoded.append(text))
    async with service(tmp_path) as web:
        large = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 46_000_000}"}}
        assert (await ask(web, user("What?", large))).status_code == 413
        pictures = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}] * 9
        assert (await ask(web, user("What?", *pictures))).status_code == 413
        turns = [[user("What?", *pictures[:8]), {"role": "assistant", "content": "?"}] for _ in range(4)]
        messages = [*(message for turn in turns for message in turn), user("And?")]
        assert (await ask(web, *messages)).status_code == 413
    assert decoded == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"5", b"[" * 100_000, b'{"messages":' * 30_000, b"\xff\xfe{", b'{"a": NaN}',
        b'{"seed": ' + b"9" * 10_000 + b"}", b"[" + b"1," * 200_000 + b"1]", b'{"messages": "\xed\xa0\x80"}',
    ],
)  # fmt: skip
async def test_a_body_that_is_no_request_is_a_400(web: Web, body: bytes) -> None:
    reply = await web.client.post(CHAT, content=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]


async def test_a_stream_has_a_role_the_text_a_reason_and_the_usage(web: Web) -> None:
    fields = {"stream": True, "stream_options": {"include_usage": True}}
    reply = await ask(web, user("What is it?", picture()), **fields)
    assert reply.headers["content-type"].startswith("text/event-stream")
    parts = chunks(reply.text)
    assert parts[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    said = "".join(it["choices"][0]["delta"].get("content", "") for it in parts[:-1])
    assert said == "Answer to 'What is it?' about [1] after 0 turns."
    assert parts[-2]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert parts[-1]["choices"] == []
    assert parts[-1]["usage"]["total_tokens"] == 0
    assert all(it["usage"] is None for it in parts[:-1])
    without = chunks((await ask(web, user("What is it?", picture()), stream=True)).text)
    assert not any("usage" in it for it in without)
    assert len({it["id"] for it in without}) == 1


class Waits(ScriptedEngine):
    """Writes nothing until it is cancelled."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        self.pause = 1000
        return await super().answer(conversation, sampling, tell)


@pytest.mark.parametrize("stream", [True, False])
async def test_hanging_up_frees_the_model(tmp_path: Path, stream: bool) -> None:
    engine = Waits()
    async with service(tmp_path, engine) as web:
        body = {"messages": [user("What?", picture())], "stream": stream}
        request = web.client.build_request("POST", CHAT, json=body)
        if stream:
            reply = await web.client.send(request, stream=True)
            await reply.aclose()
        else:
            task = asyncio.create_task(web.client.send(request))
            await until(lambda: engine.running)
            task.cancel()
        await until(lambda: engine.cancelled == 1)
    assert engine.running == 0


async def test_a_reader_hears_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.01)
    async with service(tmp_path, Waits()) as web:
        body = {"messages": [user("What?", picture())], "stream": True}
        async with web.client.stream("POST", CHAT, json=body) as reply:
            async for line in reply.aiter_lines():
                if line.startswith(":"):
                    return
    raise AssertionError("it ended without a word")


class Fails(ScriptedEngine):
    """Fails after the first word."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        tell(Piece("It"))
        raise Busy("There are too many requests at once. Please try again in a minute.")


async def test_an_error_within_a_stream_is_an_error_object(tmp_path: Path) -> None:
    async with service(tmp_path, Fails()) as web:
        reply = await ask(web, user("What?", picture()), stream=True)
    last = json.loads(reply.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "busy"
    assert last["error"]["type"] == "rate_limit_error"


async def test_a_stream_that_begins_again_ends_with_an_error_because_nothing_can_be_taken_back(tmp_path: Path) -> None:
    async with service(tmp_path, Interrupted(pause=0.05)) as web:
        reply = await ask(web, user("What?", picture()), stream=True)
        whole = await ask(web, user("What?", picture()))
    last = json.loads(reply.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["message"] == "The model was interrupted. Please ask again."
    assert whole.json()["choices"][0]["message"]["content"].startswith("Answer to 'What?'")


async def test_a_sentence_instead_of_a_streamed_answer_follows_it(tmp_path: Path) -> None:
    async with service(tmp_path, Doubtful()) as web:
        reply = await ask(web, user("What?", picture()), stream=True)
        whole = await ask(web, user("What?", picture()))
    said = "".join(each["choices"][0]["delta"].get("content") or "" for each in chunks(reply.text))
    assert said == "Answer to 'What?' about [1] after 0 turns.\n\nI am not sure of this."
    assert whole.json()["choices"][0]["message"]["content"] == "I am not sure of this."


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_before_the_answer_is_a_status_in_a_stream_too(tmp_path: Path, stream: bool) -> None:
    busy = Busy("Too many questions are waiting already. Please ask again in a minute.", 60.0)
    async with service(tmp_path, ScriptedEngine(script=lambda _: busy)) as web:
        reply = await ask(web, user("What?", picture()), stream=stream)
    assert reply.status_code == 429
    assert reply.headers["retry-after"] == "60"
    assert reply.json()["error"]["type"] == "rate_limit_error"


async def test_a_bug_is_a_500_in_the_same_shape(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: RuntimeError("a secret"))) as web:
        reply = await ask(web, user("What?", picture()))
    assert reply.status_code == 500
    assert reply.json()["error"]["type"] == "server_error"
    assert "secret" not in reply.text


class Long(ScriptedEngine):
    """Reaches the limit, with figures."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        return Answer("The", Ending.LENGTH, Figures(prompt_tokens=40, reused_tokens=30, answer_tokens=2))


async def test_usage_and_reason_are_the_engine_s(tmp_path: Path) -> None:
    async with service(tmp_path, Long()) as web:
        body = (await ask(web, user("What?", picture()))).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"] == {
        "prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42, "prompt_tokens_details": {"cached_tokens": 30},
    }  # fmt: skip


async def test_nothing_of_a_conversation_is_stored(web: Web) -> None:
    assert (await ask(web, user("A secret?", picture()))).status_code == 200
    assert (await web.client.get("/api/v1/conversations")).json()["conversations"] == []
    assert (await web.store.summaries()).summaries == ()


async def test_the_same_pictures_count_once_however_often_they_are_sent(tmp_path: Path) -> None:
    quota = QuotaConfig(questions_per_minute=0, pictures_per_minute=2)
    async with service(tmp_path, quota=quota) as web:
        for _ in range(4):
            assert (await ask(web, user("What?", picture("red"), picture("blue")))).status_code == 200
        reply = await ask(web, user("What?", picture("green")))
    assert reply.status_code == 429
    assert int(reply.headers["retry-after"]) > 0
    assert reply.json()["error"]["code"] == "quota_reached"


async def test_models_are_listed_and_others_are_not_found(web: Web) -> None:
    async with client(web) as asked:
        listed = await asked.models.list()
        [model] = listed.data
        nothing_extra(model)
        nothing_extra(await asked.models.retrieve(model.id))
        assert model.object == "model"
    wrong = await ask(web, user("What?", picture()), model="gpt-4o")
    for reply in (wrong, await web.client.get("/v1/models/gpt-4o"), await web.client.get("/v1/models/a/b")):
        assert reply.status_code == 404
        assert reply.json()["error"]["code"] == "model_not_found"
    assert (await ask(web, user("What?", picture()), model=model.id)).status_code == 200


async def test_other_addresses_say_where_to_ask(web: Web) -> None:
    for path in ("/v1/responses", "/v1/completions"):
        reply = await web.client.post(path, json={})
        assert reply.status_code == 404
        assert "/v1/chat/completions" in reply.json()["error"]["message"]
    assert (await web.client.get("/v1/embeddings")).json()["error"]["code"] == "not_found"
    wrong = await web.client.get(CHAT)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["error"]["code"] == "method_not_allowed"


async def test_the_description_tells_of_it(web: Web) -> None:
    page = (await web.client.get("/docs")).text
    assert CHAT in page
    assert "curl --json" in page

"""One engine elsewhere: what it is sent, and what becomes of everything that engines do."""

import asyncio
import base64
import io
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
import trustme
from aiohttp import web
from PIL import Image as PilImage

from core.answer import Answer, Ending
from core.conversation import Conversation, Question
from core.engine import EngineConfig
from core.errors import BadQuestion, BadSchema, EngineEnded, EngineUnreachable, ModelLoading, OperatorError
from core.events import BeganAgain, Event, Piece, Waiting
from core.remote.engine import RemoteEngine
from core.remote.failure import EngineFailed
from core.sampling import Sampling
from tests.core.remote.fake_engine import FakeEngine, Refusal, Reply, Script, fake_engines, refuses, says
from tests.fakes import image

KEY = "sk-very-secret"
QUESTION = "What colour is it?"


@asynccontextmanager
async def remote(*engines: FakeEngine, **settings: Any) -> AsyncIterator[RemoteEngine]:
    async with fake_engines(*engines) as urls:
        engine = await RemoteEngine.start(EngineConfig(urls=tuple(urls), **settings))
        try:
            yield engine
        finally:
            await engine.close()


def asked(text: str = QUESTION, id: str = "telegram:1") -> Conversation:
    return Conversation(id).ask(Question(text, (image("red"),)))


async def answer(
    engine: RemoteEngine, conversation: Conversation | None = None, sampling: Sampling = Sampling()
) -> Answer:
    return await engine.answer(conversation or asked(), sampling, lambda event: None)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.005)


async def test_an_answer_comes_piece_by_piece_with_its_figures() -> None:
    events: list[Event] = []
    async with remote(FakeEngine()) as engine:
        found = await engine.answer(asked(), Sampling(), events.append)
        figures = engine.stats()
    assert [event.text for event in events if isinstance(event, Piece)] == ["It", " is", " red."]
    assert events[0] == Waiting(1, None)
    assert (found.text, found.ending) == ("It is red.", Ending.DONE)
    assert (found.figures.prompt_tokens, found.figures.reused_tokens, found.figures.answer_tokens) == (100, 40, 7)
    assert (figures.answers, figures.running, figures.model) == (1, 0, "some/model")


async def test_the_engine_is_sent_standard_fields_and_each_picture_after_its_number() -> None:
    conversation = Conversation("telegram:42:7", system="Be brief.").ask(
        Question("Which?", (image("red"), image("blue")))
    )
    conversation = conversation.answered(Answer("The red one.", Ending.DONE)).ask(Question("Sure?"))
    sampling = Sampling(temperature=0.5, top_p=0.8, top_k=20, repetition_penalty=1.1, stop=("END",), max_new_tokens=99)
    fake = FakeEngine()
    async with remote(fake, api_key=KEY) as engine:
        await answer(engine, conversation, sampling)
    [body] = fake.asked
    system, question, reply, again = body.pop("messages")
    assert body == {
        "model": "some/model", "max_tokens": 99, "temperature": 0.5, "top_p": 0.8, "seed": 0, "stop": ["END"],
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    assert system == {"role": "system", "content": "Be brief."}
    assert reply == {"role": "assistant", "content": "The red one."}
    assert again == {"role": "user", "content": "Sure?"}
    kinds = [part["type"] for part in question["content"]]
    assert kinds == ["text", "image_url", "text", "image_url", "text"]
    assert [part["text"] for part in question["content"] if part["type"] == "text"] == [
        "Picture 1:",
        "Picture 2:",
        "Which?",
    ]
    url = question["content"][1]["image_url"]["url"]
    assert url.startswith("data:image/png;base64,")
    with PilImage.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as sent:
        assert (sent.size, sent.getpixel((0, 0))) == ((64, 48), (255, 0, 0))
    assert fake.headers[0]["Authorization"] == f"Bearer {KEY}"
    session = fake.headers[0]["x-session-id"]
    assert "42" not in session and session == fake.headers[0]["x-session-id"]


async def test_a_tall_picture_is_sent_in_its_tiles() -> None:
    tall = replace(image("red"), tiles=((0, 0, 64, 20), (0, 20, 64, 48)))
    fake = FakeEngine()
    async with remote(fake) as engine:
        written = await answer(engine, Conversation("web:1").ask(Question("Which?", (tall,))))
    assert written.figures.shown_whole == 0
    content = fake.asked[0]["messages"][0]["content"]
    words = [part["text"] for part in content if part["type"] == "text"]
    assert words == ["Picture 1, part 1 of 2:", "Picture 1, part 2 of 2:", "Which?"]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    sent = [PilImage.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]
    assert [picture.size for picture in sent] == [(64, 20), (64, 28)]


async def test_tall_pictures_are_sent_whole_where_their_tiles_do_not_fit() -> None:
    tall = replace(image("red"), tiles=((0, 0, 64, 20), (0, 20, 64, 48)) * 32)
    conversation = Conversation("web:1").ask(Question("Which?", (tall,)))
    small = FakeEngine(listed={"data": [{"id": "some/model", "meta": {"n_ctx_train": 256}}]})
    picky = FakeEngine()
    picky.scripts.append(refuses(400, "This model's maximum context length is 256 tokens"))
    for fake in (small, picky):
        async with remote(fake) as engine:
            written = await answer(engine, conversation)
        assert written.figures.shown_whole == 1
        label, picture, _ = fake.asked[-1]["messages"][0]["content"]
        assert label["text"] == "Picture 1:"
        data = base64.b64decode(picture["image_url"]["url"].partition(",")[2])
        with PilImage.open(io.BytesIO(data)) as sent:
            assert sent.size == (8, 6)


async def test_the_same_conversation_has_the_same_session_also_if_it_is_kept_elsewhere() -> None:
    fake = FakeEngine()
    async with remote(fake) as engine:
        for conversation in (
            asked(), asked("And now?"), asked(id="telegram:2"),
            replace(asked(id="chatcmpl-1"), stored=False), replace(asked(id="chatcmpl-2"), stored=False),
        ):  # fmt: skip
            await answer(engine, conversation)
    sessions = [headers["x-session-id"] for headers in fake.headers]
    assert sessions[0] == sessions[1] and sessions[3] == sessions[4]
    assert len(set(sessions)) == 3


async def test_an_answer_is_kept_within_a_json_schema_by_the_engine() -> None:
    fake = FakeEngine()
    fake.scripts += [says("{}"), refuses(400, "json_schema is not supported")]
    conversation = replace(asked(), answer_schema='{"type": "object"}')
    async with remote(fake) as engine:
        await answer(engine, conversation, Sampling(stop=("END",)))
        with pytest.raises(BadSchema):
            await answer(engine, conversation)
    named = {"name": "answer", "schema": {"type": "object"}, "strict": True}
    assert fake.asked[0]["response_format"] == {"type": "json_schema", "json_schema": named}
    assert "stop" not in fake.asked[0]


async def without_done(reply: Reply) -> None:
    await reply.delta("It is red.")
    await reply.finish()


async def usage_with_the_end(reply: Reply) -> None:
    await reply.delta("It is red.")
    await reply.finish(usage={"prompt_tokens": 5, "completion_tokens": 3})
    await reply.done()


async def comments_and_empty_deltas(reply: Reply) -> None:
    await reply.line(": ping")
    await reply.data({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
    await reply.data({"choices": [{"index": 0, "delta": {}}]})
    await reply.delta(None)
    await reply.delta("")
    await reply.data({"choices": None})
    await reply.data({"choices": [], "usage": None})
    await reply.line('event: message\nretry: 10\nid: 1\ndata: {"choices": [{"delta": {"content": "It is"}}]}')
    await reply.delta(" red.", extra={"deep": [1]})
    await reply.line(": still here")
    await reply.finish()
    await reply.done()


async def in_small_parts(reply: Reply) -> None:
    for part in (
        'data:{"choices":[{"delta":{"content":"It is \u2028 r',
        'ed."}}]}\r',
        "\n\r\n",
        'data: {"choices": [{"del',
    ):
        await reply.response.write(part.encode())
        await asyncio.sleep(0.01)
    await reply.response.write(b'ta": {}, "finish_reason": "stop"}]}\n\n')


async def halves_of_characters(reply: Reply) -> None:
    await reply.delta("It is red.\0")
    await reply.delta("\ud83d")
    await reply.delta("\ude42\udc00")
    await reply.finish()
    await reply.done()


async def open_after_the_end(reply: Reply) -> None:
    await reply.delta("It is red.")
    await reply.finish()
    await reply.done()
    await asyncio.Event().wait()


async def cut_after_the_end(reply: Reply) -> None:
    await reply.delta("It is red.")
    await reply.finish()
    await asyncio.sleep(0.05)
    reply.cut()


@pytest.mark.parametrize(
    "script",
    [
        without_done,
        usage_with_the_end,
        comments_and_empty_deltas,
        in_small_parts,
        halves_of_characters,
        open_after_the_end,
        cut_after_the_end,
    ],
)
async def test_what_real_engines_do_is_accepted(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.remote.stream.USAGE_WAIT_SECONDS", 0.2)
    pieces: list[str] = []
    fake = FakeEngine(usual=script)
    async with remote(fake) as engine:
        found = await engine.answer(
            asked(), Sampling(), lambda it: pieces.append(it.text) if isinstance(it, Piece) else None
        )
        await until(lambda: not fake.running)
    odd: dict[Script, str] = {halves_of_characters: "It is red.🙂\ufffd", in_small_parts: "It is \u2028 red."}
    expected = odd.get(script, "It is red.")
    assert (found.text, found.ending, "".join(pieces)) == (expected, Ending.DONE, expected)
    "".join(pieces).encode()  # no half of a character came through
    assert len(fake.asked) == 1


async def test_an_answer_that_was_cut_by_its_limit_says_so() -> None:
    async def cut_by_limit(reply: Reply) -> None:
        await reply.delta("It is")
        await reply.finish("length")

    async with remote(FakeEngine(usual=cut_by_limit)) as engine:
        assert (await answer(engine)).ending is Ending.LENGTH


async def test_an_engine_that_never_stops_is_stopped() -> None:
    async def endless(reply: Reply) -> None:
        while True:
            await reply.delta("ha" * 100)

    fake = FakeEngine(usual=endless)
    async with remote(fake) as engine:
        found = await answer(engine, sampling=Sampling(max_new_tokens=10))
        await until(lambda: not fake.running)
    assert found.ending is Ending.LENGTH and len(found.text) < 1000


async def error_object(reply: Reply) -> None:
    await reply.data({"error": {"message": f"CUDA is out of {QUESTION}", "code": 500}})


async def error_string(reply: Reply) -> None:
    await reply.data({"error": f"llama runner died on {QUESTION}"})


async def error_as_object_name(reply: Reply) -> None:
    await reply.data({"object": "error", "message": QUESTION, "code": 400})


async def a_page(reply: Reply) -> None:
    await reply.line(f"<html>{QUESTION}</html>")


async def no_json(reply: Reply) -> None:
    await reply.line(f"data: {QUESTION}")


async def a_list(reply: Reply) -> None:
    await reply.data(["no", "object"])


async def odd_types(reply: Reply) -> None:
    await reply.data({"choices": [{"delta": "text", "finish_reason": None}], "usage": [7]})
    await reply.data({"choices": "text", "usage": {"prompt_tokens": "many"}})
    await reply.data({"choices": [7]})


async def an_endless_event(reply: Reply) -> None:
    while True:
        await reply.response.write(b"data: " + b"x" * 100_000)


@pytest.mark.parametrize(
    "trouble",
    [
        error_object,
        error_string,
        error_as_object_name,
        a_page,
        no_json,
        a_list,
        odd_types,
        refuses(500),
        refuses(502, "<html>"),
    ],
)
async def test_an_error_before_the_first_word_is_no_answer_and_asked_once_more(
    trouble: Script | Refusal, caplog: pytest.LogCaptureFixture
) -> None:
    fake = FakeEngine()
    fake.scripts.append(trouble)
    with caplog.at_level(logging.DEBUG):
        async with remote(fake, api_key=KEY) as engine:
            assert (await answer(engine)).text == "It is red."
    assert len(fake.asked) == 2
    ours = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("core"))
    assert QUESTION not in ours and KEY not in ours


@pytest.mark.parametrize("trouble", [error_object, refuses(500)])
async def test_an_engine_that_always_breaks_is_asked_no_third_time(trouble: Script | Refusal) -> None:
    fake = FakeEngine(usual=trouble)
    async with remote(fake) as engine:
        with pytest.raises(EngineFailed):
            await answer(engine)
    assert len(fake.asked) == 2


def broken_off(text: str, how: Callable[[Reply], Awaitable[None] | None]) -> Script:
    async def script(reply: Reply) -> None:
        await reply.delta(text)
        await asyncio.sleep(0.02)
        if (waits := how(reply)) is not None:
            await waits

    return script


async def _nothing(reply: Reply) -> None:
    """The stream ends, properly as HTTP has it, without an end of the answer."""


@pytest.mark.parametrize("how", [Reply.cut, error_object, error_string, _nothing, Reply.done])
async def test_an_answer_that_breaks_off_is_written_once_more_from_its_beginning(
    how: Callable[[Reply], Awaitable[None] | None],
) -> None:
    fake, events = FakeEngine(), list[Event]()
    fake.scripts.append(broken_off("It is gr", how))
    async with remote(fake) as engine:
        found = await engine.answer(asked(), Sampling(), events.append)
    assert found.text == "It is red."
    told = [event for event in events if isinstance(event, Piece | BeganAgain)]
    assert told == [Piece("It is gr"), BeganAgain(), Piece("It"), Piece(" is"), Piece(" red.")]


async def test_an_answer_that_breaks_off_twice_is_left_for_later() -> None:
    fake = FakeEngine(usual=broken_off("It is gr", Reply.cut))
    async with remote(fake) as engine:
        with pytest.raises(EngineUnreachable):
            await answer(engine)
    assert len(fake.asked) == 2


async def test_a_question_that_ends_engines_each_time_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.remote.endpoint.PAUSES_SECONDS", (0.0,))
    fake = FakeEngine(usual=broken_off("It", Reply.cut))
    async with remote(fake) as engine:
        with pytest.raises(EngineFailed):
            await _persistently(engine)
    assert len(fake.asked) == 6


async def _persistently(engine: RemoteEngine) -> None:
    """Ask again whenever the engine is back, as stored questions are."""
    while True:
        await until(lambda: _is_ready(engine))
        with suppress(EngineUnreachable):
            await answer(engine)


async def test_an_engine_that_loads_is_waited_for_and_said_to_load() -> None:
    fake, events = FakeEngine(list_status=503), list[Event]()
    fake.scripts.append(refuses(503, "Loading model"))
    async with remote(fake) as engine:
        with pytest.raises(ModelLoading):
            engine.check()
        asking = asyncio.create_task(engine.answer(asked(), Sampling(), events.append))
        await until(lambda: bool(events))
        fake.list_status = 200
        assert (await asking).text == "It is red."
        engine.check()
    assert events[0] == Waiting(1, None)
    assert len(fake.asked) == 2


async def test_an_engine_that_is_busy_is_asked_again_when_it_says() -> None:
    fake = FakeEngine()
    fake.scripts.append(refuses(429, "slow down", **{"Retry-After": "1"}))
    async with remote(fake) as engine:
        assert (await answer(engine)).text == "It is red."


async def test_silence_before_the_first_word_ends() -> None:
    async def silent(reply: Reply) -> None:
        await asyncio.Event().wait()

    fake = FakeEngine(usual=silent)
    async with remote(fake, timeout_seconds=0.2) as engine:
        with pytest.raises(EngineUnreachable):
            await answer(engine)
        await until(lambda: not fake.running)
    assert len(fake.asked) == 1  # a second time would be as long


@pytest.mark.parametrize(
    "message", ["This model's maximum context length is 4096 tokens", "the request exceeds the available context size"]
)
async def test_a_conversation_that_is_too_long_for_the_engine_loses_old_turns(message: str) -> None:
    conversation = asked("one")
    for text in ("two", "three", "four"):
        conversation = conversation.answered(Answer("yes", Ending.DONE)).ask(Question(text))
    fake = FakeEngine(usual=refuses(400, message))
    fake.scripts += [refuses(400, message), says("It is red.")]
    async with remote(fake) as engine:
        assert (await answer(engine, conversation)).text == "It is red."
        with pytest.raises(BadQuestion, match="too long for the model"):
            await answer(engine, conversation)
    long, short = fake.asked[:2]
    assert (len(long["messages"]), len(short["messages"])) == (7, 3)
    assert "image_url" in str(short["messages"][0])  # the picture seen last stays


async def test_the_oldest_turns_go_before_the_engine_is_asked() -> None:
    conversation = asked("x" * 3000)
    for text in ("y" * 3000, "z" * 3000, "And?"):
        conversation = conversation.answered(Answer("yes", Ending.DONE)).ask(Question(text))
    fake = FakeEngine(listed={"data": [{"id": "some/model", "meta": {"n_ctx_train": 3000}}]})
    async with remote(fake) as engine:
        await answer(engine, conversation)
        with pytest.raises(BadQuestion, match="too long for the model"):
            await answer(engine, asked("w" * 9000))
    sent = str(fake.asked[0]["messages"])
    assert "xxx" not in sent and "And?" in sent and "image_url" in sent
    assert len(fake.asked) == 1


@pytest.mark.parametrize(
    ("listed", "settings", "reason"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}]}, {}, "set model in .core.engine.: it lists a, b"),
        ({"data": [{"id": "a"}]}, {"model": "c"}, "it has no model c, it lists a"),
    ],
)
async def test_a_wrong_model_is_the_operator_s_to_repair(listed: Any, settings: Any, reason: str) -> None:
    fake = FakeEngine(listed=listed)
    async with remote(fake, **settings) as engine:
        with pytest.raises(OperatorError, match=reason):
            engine.check()
        with pytest.raises(EngineUnreachable):
            await answer(engine)
    assert not fake.asked


async def test_an_engine_without_a_list_of_models_is_asked_for_the_one_that_is_set() -> None:
    fake = FakeEngine(list_status=404)
    async with remote(fake, model="mine") as engine:
        assert (await answer(engine)).text == "It is red."
    assert fake.asked[0]["model"] == "mine"
    async with remote(fake) as engine:
        with pytest.raises(OperatorError, match="set model in .core.engine.: it lists none"):
            engine.check()


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refusal_leaves_the_question_open_until_the_operator_repairs_it(status: int) -> None:
    fake = FakeEngine(usual=refuses(status, KEY))
    async with remote(fake) as engine:
        with pytest.raises(EngineUnreachable):
            await answer(engine)
        fake.usual = says("It is red.")
        await until(lambda: _is_ready(engine))
        assert (await answer(engine)).text == "It is red."


def _is_ready(engine: RemoteEngine) -> bool:
    try:
        engine.check()
    except OperatorError:
        return False
    return True


async def test_redirects_are_not_followed() -> None:
    other = FakeEngine()
    async with fake_engines(other) as [url]:
        fake = FakeEngine(usual=web.Response(status=307, headers={"Location": f"{url}/chat/completions"}))
        async with remote(fake, api_key=KEY) as engine:
            with pytest.raises(EngineUnreachable):
                await answer(engine)
    assert fake.asked and not other.asked


async def test_a_certificate_nobody_vouches_for_is_refused_and_a_trusted_one_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    fake = FakeEngine()
    await fake.start(ssl=context)
    try:
        engine = await RemoteEngine.start(EngineConfig(urls=(fake.url,), api_key=KEY))
        with pytest.raises(OperatorError, match="its certificate is not trusted"):
            engine.check()
        await engine.close()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        engine = await RemoteEngine.start(EngineConfig(urls=(fake.url,)))
        assert (await answer(engine)).text == "It is red."
        await engine.close()
    finally:
        await fake.stop()


async def slow(reply: Reply) -> None:
    await reply.delta("It")
    await asyncio.Event().wait()


@pytest.mark.parametrize("script", [slow, lambda reply: asyncio.Event().wait()])
async def test_stopping_closes_the_stream(script: Script) -> None:
    fake = FakeEngine(usual=script)
    async with remote(fake) as engine:
        asking = asyncio.create_task(answer(engine))
        await until(lambda: bool(fake.running))
        asking.cancel()
        await asyncio.wait([asking])
        await until(lambda: fake.hung_up == 1)
        assert engine.stats().running == 0


async def test_closing_ends_what_is_written_and_what_waits() -> None:
    fake = FakeEngine(usual=slow)
    async with remote(fake, requests=1) as engine:
        writing, waiting = (asyncio.create_task(answer(engine)) for _ in range(2))
        await until(lambda: bool(fake.running) and engine.stats().waiting == 1)
        await engine.close()
        for task in (writing, waiting):
            with pytest.raises(EngineEnded):
                await task
        with pytest.raises(EngineEnded):
            await answer(engine)


async def test_an_engine_that_is_not_there_is_found_when_it_comes() -> None:
    fake = FakeEngine()
    await fake.start()
    await fake.stop()
    engine = await RemoteEngine.start(EngineConfig(urls=(fake.url,)))
    try:
        with pytest.raises(EngineUnreachable, match="cannot be reached"):
            await answer(engine)
        with pytest.raises(OperatorError, match=rf"127.0.0.1:{fake.port}/v1: nothing listens there"):
            engine.check()
        await fake.start(fake.port)
        await until(lambda: _is_ready(engine))
        assert (await answer(engine)).text == "It is red."
    finally:
        await engine.close()
        await fake.stop()

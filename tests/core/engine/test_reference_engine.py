"""transformers' own engine: any architecture, with the limits and the manners of the native one."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration

from core.answer import Answer, Ending
from core.engine import EngineConfig
from core.engine.any_model import load_processor
from core.engine.config import Kind
from core.engine.engine import Engine
from core.engine.tokenizer import Tokenizer
from core.errors import BadQuestion, BadSchema, Busy, EngineEnded, OperatorError
from core.events import Event, Piece, Waiting
from core.model.description import DEMO
from core.sampling import Sampling
from tests.core.engine.any_tiny import make_other
from tests.core.engine.tiny import ask, make_image, read
from tests.demo import directly, sample

LONG = Sampling(max_new_tokens=100, temperature=1.0, seed=3)
Start = Callable[..., AbstractAsyncContextManager[Engine]]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_other(tmp_path_factory.mktemp("other"))


@pytest.fixture
def start(other: Path, tmp_path: Path) -> Start:
    @asynccontextmanager
    async def started(**settings: Any) -> AsyncIterator[Engine]:
        options = {"model": str(other), "kind": Kind.REFERENCE, "cache": tmp_path, "threads": 1} | settings
        engine = await Engine.start(EngineConfig(**options))
        try:
            yield engine
        finally:
            await engine.close()

    return started


async def test_it_says_what_the_native_engine_says(start: Start) -> None:
    turns = (
        ("What is the total?", (sample("invoice"),)),
        ("合计金额是多少？", ()),
        ("What is the price in picture 2?", (sample("product"),)),
    )
    answers = []
    for kind in Kind:
        async with start(model="demo", kind=kind, precision="float32") as engine:
            answers.append(await directly(engine, *turns))
    assert answers[0] == answers[1]
    assert answers[0][0]


async def test_another_architecture_says_what_transformers_says(start: Start, other: Path) -> None:
    picture, sampling = make_image(1), Sampling(temperature=0.8, top_k=30, seed=5, max_new_tokens=20)
    async with start(precision="float32") as engine:
        answer, events = await read(engine, ask("What is it?", picture), sampling)
        again, _ = await read(engine, ask("What is it?", picture), sampling)
    assert again.text == answer.text
    assert len([event for event in events if isinstance(event, Piece)]) > 3  # as it is written
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(other, dtype=torch.float32).eval()
    processor = load_processor(other, model.config)
    content = [{"type": "text", "text": "Picture 1: "}, {"type": "image"}, {"type": "text", "text": "What is it?"}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = processor(text=[text], images=[opened(picture.data)], return_tensors="pt")
    torch.manual_seed(5)
    out = model.generate(
        **inputs, do_sample=True, temperature=0.8, top_k=30, top_p=1.0, repetition_penalty=1.0, max_new_tokens=20
    )
    expected = processor.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert answer.text == expected


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


async def test_the_length_limit_is_kept_and_a_question_that_is_too_long_refused(start: Start) -> None:
    async with start(context_tokens=256) as engine:
        answer, _ = await read(engine, ask("What?", make_image(1)), Sampling(max_new_tokens=7, temperature=1.0))
        assert (answer.ending, answer.figures.answer_tokens) == (Ending.LENGTH, 7)
        with pytest.raises(BadQuestion, match="too long"):
            await read(engine, ask("word " * 400, make_image(1)), LONG)
        tall = [replace(make_image(seed, 64, 320), tiles=((0, 0, 64, 80), (0, 80, 64, 320)) * 2) for seed in range(5)]
        answer, _ = await read(engine, ask("What?", *tall), Sampling(max_new_tokens=7))
        assert answer.figures.prompt_tokens <= 256 - 7
        assert answer.figures.shown_whole == 5  # as their tiles do not fit
        before = ask("What?", make_image(1))
        for number in range(6):  # the oldest turns go, the picture stays
            before = ask(f"And {number}? " + "word " * 15, after=before, answer=Answer("yes " * 5, Ending.DONE))
        answer, _ = await read(engine, before, Sampling(max_new_tokens=7, temperature=1.0))
        assert answer.figures.prompt_tokens <= 256 - 7
        assert answer.figures.prompt_tokens > 12  # image tokens among them


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Sampling:
    """An answer that ends only when nobody waits for it any more: the token that ends one is never drawn."""

    def without_end(logits: torch.Tensor, *_: object) -> torch.Tensor:
        return logits.index_fill(0, torch.tensor([Tokenizer(DEMO).special("<|im_end|>")]), -1e9)

    monkeypatch.setattr("core.engine.reference.apply_penalties", without_end)
    return Sampling(max_new_tokens=4000, temperature=2.0)


async def test_questions_stand_in_line_are_told_their_place_and_too_many_refused(
    start: Start, endless: Sampling
) -> None:
    async with start(waiting=2) as engine:
        heard: list[list[Event]] = [[], [], []]
        first = asyncio.create_task(engine.answer(ask("1?", make_image(1)), endless, heard[0].append))
        while not any(isinstance(event, Piece) for event in heard[0]):
            await asyncio.sleep(0)
        later = [
            asyncio.create_task(engine.answer(ask(f"{n}?", make_image(n)), LONG, heard[n - 1].append)) for n in (2, 3)
        ]
        while not (heard[1] and heard[2]):
            await asyncio.sleep(0)
        with pytest.raises(Busy, match="Too many"):
            await engine.answer(ask("4?", make_image(4)), LONG, lambda event: None)
        first.cancel()
        answers = await asyncio.gather(*later)
    assert all(answer.text for answer in answers)
    assert next(event.position for event in heard[1] if isinstance(event, Waiting)) == 1
    assert [event.position for event in heard[2] if isinstance(event, Waiting)] == [2, 1]


async def test_who_leaves_frees_the_model_for_the_next(start: Start, endless: Sampling) -> None:
    async with start() as engine:
        heard: list[Event] = []
        leaving = asyncio.create_task(engine.answer(ask("1?", make_image(1)), endless, heard.append))
        while not heard or not isinstance(heard[-1], Piece):
            await asyncio.sleep(0)
        leaving.cancel()
        answer, _ = await read(engine, ask("2?", make_image(2)), Sampling(max_new_tokens=5))
        assert answer.figures.answer_tokens <= 5
        assert engine.stats().tokens_written < 4000


async def test_a_service_that_ends_tells_who_is_being_answered_and_who_waits(start: Start, endless: Sampling) -> None:
    async with start() as engine:
        heard: list[Event] = []
        asked = [asyncio.create_task(engine.answer(ask(f"{n}?", make_image(n)), endless, heard.append)) for n in (1, 2)]
        while not any(isinstance(event, Piece) for event in heard):
            await asyncio.sleep(0)
    for task in asked:
        with pytest.raises(EngineEnded):
            await task


async def test_one_question_that_fails_harms_no_other(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as engine:
        with monkeypatch.context() as patch:
            patch.setattr("core.engine.reference.apply_penalties", lambda *_: torch.full((1944,), torch.nan))
            with pytest.raises(Exception, match="."):
                await read(engine, ask("1?", make_image(1)), LONG)
        answer, _ = await read(engine, ask("2?", make_image(2)), LONG)
    assert answer.text


async def test_int8_and_what_is_no_such_model_are_refused(start: Start, other: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no int8"):
        async with start(precision="int8"):
            pass
    (tmp_path / "llama").mkdir()
    for name in ("tokenizer.json", "model.safetensors"):
        (tmp_path / "llama" / name).symlink_to(other / name)
    (tmp_path / "llama" / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(OperatorError, match="cannot load"):
        async with start(model=str(tmp_path / "llama")):
            pass


async def test_a_schema_is_refused_because_its_answer_might_not_obey(start: Start) -> None:
    async with start() as engine:
        with pytest.raises(BadSchema):
            await read(engine, replace(ask("What is it?", make_image(1)), answer_schema="{}"), LONG)

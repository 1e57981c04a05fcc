"""The engine's specification is equality: with transformers, and of every shortcut with the long way."""

import asyncio
import os
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import UnidentifiedImageError

from core import trace
from core.answer import Ending
from core.engine import EngineConfig
from core.engine.engine import Engine
from core.errors import BadQuestion, Busy, ModelMissing, OperatorError
from core.events import Looking, Waiting
from core.sampling import Sampling
from tests.core.engine.conftest import Start
from tests.core.engine.reference import Reference
from tests.core.engine.tiny import ask, make_image, make_model, read
from tests.writing import hang_up, writing

GREEDY = Sampling(max_new_tokens=12)


async def test_an_answer_equals_transformers_generate(start: Start, reference: Reference) -> None:
    question = ask("What is in the picture?", make_image(1))
    async with start() as engine:
        answer, events = await read(engine, question, GREEDY)
    assert answer.text == reference.generate(question, 12)
    assert answer.ending is Ending.LENGTH
    assert answer.figures.answer_tokens == 12
    assert events[0] == Looking(1, 1)


async def test_image_tokens_of_one_patch_equal_transformers_generate(start: Start, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", merge=1)
    question = ask("Compare.", make_image(1, 160, 64), make_image(2, 96, 112))
    async with start(model=str(folder)) as engine:
        answer, _ = await read(engine, question, GREEDY)
    assert answer.figures.prompt_tokens > 40 + 42
    assert answer.text == Reference(folder).generate(question, 12)


async def test_a_text_without_a_picture_equals_transformers_generate(start: Start, reference: Reference) -> None:
    question = ask("你好，你是谁？")
    async with start() as engine:
        answer, _ = await read(engine, question, GREEDY)
    assert answer.text == reference.generate(question, 12)


async def test_a_second_picture_in_turn_two_equals_full_recomputation(start: Start, reference: Reference) -> None:
    first = ask("What is it?", make_image(1, 160, 64))
    async with start() as engine:
        answer, _ = await read(engine, first, GREEDY)
        second = ask("Compare.", make_image(2, 96, 128), after=first, answer=answer)
        answer, _ = await read(engine, second, GREEDY)
        assert answer.figures.reused_tokens > 20
        assert answer.text == reference.generate(second, 12)
        third = ask("And now?", after=second, answer=answer)
        answer, _ = await read(engine, third, GREEDY)
        assert answer.figures.reused_tokens > 50
        assert answer.text == reference.generate(third, 12)


async def test_two_pictures_of_one_size_stay_two(start: Start, reference: Reference) -> None:
    one, two = make_image(1), make_image(2)
    async with start() as engine:
        texts = [(await read(engine, ask("Compare.", *pair), GREEDY))[0].text for pair in ((one, two), (two, one))]
    assert texts == [reference.generate(ask("Compare.", *pair), 12) for pair in ((one, two), (two, one))]
    assert texts[0] != texts[1]


async def test_a_forgotten_conversation_leaves_no_file(start: Start, tmp_path: Path) -> None:
    gone = replace(ask("What is it?", make_image(1)), id="t:gone")
    stays = replace(ask("And this?", make_image(2)), id="t:stays")
    async with start(cache=tmp_path / "cache") as engine:
        await read(engine, gone, GREEDY)
        answer, _ = await read(engine, stays, GREEDY)
        answering = await writing(partial(engine.answer, gone, Sampling(max_new_tokens=200)), object)
        await hang_up(answering)  # given up in the middle, and forgotten at once
        engine.forget("t:gone", [gone.turns[0].pictures[0].image.id])
        again, _ = await read(engine, stays, GREEDY)
    assert again.figures.reused_tokens == answer.figures.prompt_tokens - 1
    # Rows are named after their conversation first; the last answer's may end sooner, and then stand beside the others.
    names = {path.stem for path in (tmp_path / "cache" / "computed").rglob("*") if path.suffix}
    left = {name.rpartition("-")[0] if name.startswith("rows-") else name for name in names}
    assert sorted(name.partition("-")[0] for name in left) == ["picture", "rows"]


async def test_cached_equals_fresh(start: Start) -> None:
    question = ask("What is it?", make_image(1), make_image(2))
    async with start(cache_limit_gb=0) as engine:
        fresh, _ = await read(engine, question, GREEDY)
        cached, events = await read(engine, question, GREEDY)
    assert cached.text == fresh.text
    assert cached.figures.reused_tokens == cached.figures.prompt_tokens - 1
    assert not any(isinstance(event, Looking) for event in events)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
async def test_resumed_after_a_restart_equals_replayed(start: Start, tmp_path: Path, precision: str) -> None:
    first = ask("What is it?", make_image(1))
    async with start(precision=precision) as engine:
        answer, _ = await read(engine, first, GREEDY)
        second = ask("And its colour?", after=first, answer=answer)
    async with start(precision=precision) as engine:
        resumed, events = await read(engine, second, GREEDY)
    async with start(precision=precision, cache=tmp_path / "other") as engine:
        await read(engine, first, GREEDY)
        replayed, _ = await read(engine, second, GREEDY)
    async with start(precision=precision, cache_limit_gb=0) as engine:
        fresh, _ = await read(engine, second, GREEDY)
    assert resumed.text == replayed.text == fresh.text
    assert resumed.figures.reused_tokens > 20
    assert not any(isinstance(event, Looking) for event in events)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
async def test_batched_equals_alone(start: Start, precision: str) -> None:
    questions = [ask(f"Question {n}?", *[make_image(n + k, 96 + 32 * n, 64) for k in range(n % 3)]) for n in range(5)]
    async with start(precision=precision, cache_limit_gb=0) as engine:
        alone = [(await read(engine, question, GREEDY))[0] for question in questions]
    async with start(precision=precision, cache_limit_gb=0) as engine:
        together = await asyncio.gather(*[read(engine, question, GREEDY) for question in questions])
    assert [answer.text for answer, _ in together] == [answer.text for answer in alone]


async def test_a_picture_in_another_conversation_is_not_looked_at_again(start: Start) -> None:
    async with start() as engine:
        await read(engine, ask("What is it?", make_image(1)), GREEDY)
        _, events = await read(engine, ask("Something else about it?", make_image(3), make_image(1)), GREEDY)
        assert [event for event in events if isinstance(event, Looking)] == [Looking(1, 1)]
        assert engine.stats().pictures_computed == 2


async def test_a_picture_looked_at_ahead_is_ready_when_its_question_comes(start: Start) -> None:
    async with start() as engine:
        await engine.encode_ahead(make_image(1))
        while not engine.stats().pictures_computed:
            await asyncio.sleep(0.01)
        _, events = await read(engine, ask("What is it?", make_image(1)), GREEDY)
    assert not any(isinstance(event, Looking) for event in events)


async def test_one_picture_for_two_askers_is_looked_at_once(start: Start) -> None:
    async with start(cache_limit_gb=0) as engine:
        await asyncio.gather(*[read(engine, ask(f"Question {n}", make_image(1)), GREEDY) for n in range(3)])
        assert engine.stats().pictures_computed == 1


async def test_closing_stops_the_model_and_frees_its_memory(start: Start) -> None:
    async with start() as engine:
        answering = await writing(partial(engine.answer, ask("Write.", make_image(1)), Sampling(max_new_tokens=4000)))
        assert engine.stats().running == 1
        await hang_up(answering)
        written = engine.stats().tokens_written
        while engine.stats().running:
            await asyncio.sleep(0.001)
        assert engine.stats().tokens_written <= written + 2
        assert engine.stats().kv_bytes == 0
        answer, _ = await read(engine, ask("Still there?"), GREEDY)
        assert answer.text


async def test_sampling_draws_different_answers_and_greedy_the_same(start: Start) -> None:
    async with start() as engine:
        drawn = [
            (await read(engine, ask("Tell."), Sampling(temperature=1.5, top_p=1.0, seed=None, max_new_tokens=12)))[
                0
            ].text
            for _ in range(3)
        ]
        greedy = [(await read(engine, ask("Tell."), GREEDY))[0].text for _ in range(2)]
    assert len(set(drawn)) > 1
    assert len(set(greedy)) == 1


async def test_a_full_line_is_said_to_be_busy(start: Start) -> None:
    async with start(waiting=2) as engine:
        long = [ask(f"Long {n}", *[make_image(8 * n + k, 256, 256) for k in range(2)]) for n in range(5)]
        outcomes = await asyncio.gather(*[read(engine, question, GREEDY) for question in long], return_exceptions=True)
        busy = [outcome for outcome in outcomes if isinstance(outcome, Busy)]
        assert 1 <= len(busy) <= 3
        assert all(error.retry_after > 0 for error in busy)
        assert all(isinstance(outcome, Busy | tuple) for outcome in outcomes)


async def test_waiting_tells_the_place_in_line(start: Start) -> None:
    async with start() as engine:
        await read(engine, ask("Measure.", make_image(9, 256, 256)), GREEDY)
        asked = [ask(f"Question {n}", make_image(n, 256, 256)) for n in range(3)]
        outcomes = await asyncio.gather(*[read(engine, question, GREEDY) for question in asked])
    places = [[event.position for event in events if isinstance(event, Waiting)] for _, events in outcomes]
    seconds = [event.seconds for _, events in outcomes for event in events if isinstance(event, Waiting)]
    assert max(map(len, places)) >= 1
    assert all(line == sorted(line, reverse=True) for line in places)
    assert all(estimate is not None and estimate >= 0 for estimate in seconds)


async def test_a_question_too_long_for_the_context_is_refused_with_numbers(start: Start) -> None:
    async with start(context_tokens=256) as engine:
        with pytest.raises(BadQuestion, match=r"needs 1\d\d % of the room"):
            await read(engine, ask("What?", *[make_image(n, 256, 256) for n in range(5)]), GREEDY)


async def test_a_model_that_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(ModelMissing, match="python -m bots model fetch Qwen/NoSuchModel"):
        await Engine.start(EngineConfig(model="Qwen/NoSuchModel"))


async def test_too_little_memory_is_said_at_the_start(start: Start) -> None:
    with pytest.raises(OperatorError, match="Raise `memory_limit_gb`"):
        async with start(memory_limit_gb=0.1):
            pass


async def test_a_cache_that_cannot_be_made_is_said_at_the_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match=r"cannot be kept in .*file.*set `cache`"):
        async with start(cache=tmp_path / "file"):
            pass


async def test_an_open_answer_is_busy_when_the_engine_closes(start: Start) -> None:
    async with start() as engine:
        running = asyncio.create_task(read(engine, ask("Write."), Sampling(max_new_tokens=4000)))
        while not engine.stats().tokens_written:
            await asyncio.sleep(0.001)
    with pytest.raises(Busy, match="restart"):
        await running


async def test_a_picture_that_cannot_be_read_fails_only_its_own_question(start: Start) -> None:
    broken = replace(make_image(1), data=b"not a PNG")
    async with start() as engine:
        good = asyncio.create_task(read(engine, ask("What?", make_image(2)), GREEDY))
        with pytest.raises(UnidentifiedImageError):
            await read(engine, ask("What?", broken), GREEDY)
        assert (await good)[0].text


async def test_a_picture_that_cannot_be_looked_at_ahead_keeps_nobody_from_an_answer(start: Start) -> None:
    strip = make_image(1, 32, 32 * 223)
    async with start() as engine:
        await engine.encode_ahead(strip)
        with pytest.raises(BadQuestion, match="too long and narrow"):
            await asyncio.wait_for(read(engine, ask("What?", strip), GREEDY), 60)
        assert (await asyncio.wait_for(read(engine, ask("What?"), GREEDY), 60))[0].text


async def test_what_the_model_thread_logs_carries_the_id_of_its_question(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    trace.set_current("telegram:1:17")
    name = trace.current.get()
    async with start() as engine:
        with pytest.raises(UnidentifiedImageError):
            await read(engine, ask("What?", replace(make_image(1), data=b"not a PNG")), GREEDY)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert vars(record)["question"] == name


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows a thread's priority")
async def test_the_event_loop_goes_before_the_model(start: Start) -> None:
    async with start():
        model = next(thread for thread in threading.enumerate() if thread.name == "model")
        assert model.native_id
        assert os.getpriority(os.PRIO_PROCESS, model.native_id) > os.getpriority(os.PRIO_PROCESS, 0)

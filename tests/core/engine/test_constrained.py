"""Answers within a JSON Schema, from the whole engine: they are valid, and nobody else's answer changes by them."""

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from core.answer import Ending
from core.conversation import Conversation
from core.engine import grammar, worker
from core.engine.grammar import Grammar, Grammars
from core.errors import BadSchema
from core.sampling import Sampling
from tests.core.engine.conftest import Start
from tests.core.engine.tiny import ask, make_image, read

SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["invoice", "receipt", "letter"]},
        "total": {"type": "number"},
        "paid": {"type": ["boolean", "null"]},
        "lines": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
    },
    "required": ["kind", "total", "paid", "lines"],
    "additionalProperties": False,
}
GREEDY = Sampling(temperature=0.0, max_new_tokens=120)
DRAWN = Sampling(temperature=1.0, seed=5, presence_penalty=1.5, max_new_tokens=120)


def within(schema: Any, conversation: Conversation) -> Conversation:
    return replace(conversation, answer_schema=json.dumps(schema))


def question(seed: int = 1) -> Conversation:
    return replace(ask(f"What is it, {seed}?", make_image(seed)), id=f"test:{seed}")


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN, DRAWN.model_copy(update={"top_k": 3, "seed": 6})])
async def test_a_finished_answer_obeys_its_schema(start: Start, sampling: Sampling) -> None:
    async with start() as engine:
        answer, _ = await read(engine, within(SCHEMA, question()), sampling)
    assert answer.ending is Ending.DONE
    found = json.loads(answer.text)
    assert list(found) == ["kind", "total", "paid", "lines"]
    assert found["kind"] in ("invoice", "receipt", "letter")
    assert isinstance(found["total"], int | float)
    assert found["paid"] in (True, False, None)
    assert all(isinstance(line, int) for line in found["lines"])


async def test_an_answer_that_met_its_limit_says_so(start: Start) -> None:
    async with start() as engine:
        answer, _ = await read(engine, within(SCHEMA, question()), GREEDY.model_copy(update={"max_new_tokens": 4}))
        whole, _ = await read(engine, within({"const": 1}, question()), GREEDY.model_copy(update={"max_new_tokens": 1}))
    assert answer.ending is Ending.LENGTH
    assert (whole.text, whole.ending) == ("1", Ending.DONE)


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN])
async def test_neighbours_answer_as_if_they_were_alone(start: Start, sampling: Sampling) -> None:
    free, bound = [question(seed) for seed in range(3)], within(SCHEMA, question(7))
    alone = []
    for conversation in (*free, bound):
        async with start(cache_limit_gb=0) as engine:
            alone.append((await read(engine, conversation, sampling))[0].text)
    async with start(cache_limit_gb=0) as engine:
        together = await asyncio.gather(*(read(engine, each, sampling) for each in (free[0], bound, *free[1:])))
    texts = [answer.text for answer, _ in together]
    assert [texts[0], *texts[2:], texts[1]] == alone


async def test_what_is_cached_is_the_same_with_a_schema_and_without(start: Start) -> None:
    free, bound = question(), within(SCHEMA, question())
    async with start() as engine:
        first = [(await read(engine, each, GREEDY))[0] for each in (bound, free)]
        again = [(await read(engine, each, GREEDY))[0] for each in (bound, free)]
    async with start(cache_limit_gb=0) as engine:
        fresh = (await read(engine, free, GREEDY))[0]
    assert [answer.text for answer in first] == [answer.text for answer in again]
    assert fresh.text == first[1].text
    assert all(answer.figures.reused_tokens for answer in again)


async def test_what_a_schema_repeats_is_no_loop(start: Start) -> None:
    again = {"type": "string", "pattern": "^(again ){100}$"}
    async with start() as engine:
        answer, _ = await read(engine, within(again, question()), GREEDY.model_copy(update={"max_new_tokens": 900}))
    assert answer.ending is Ending.DONE
    assert json.loads(answer.text) == "again " * 100


async def test_texts_that_stop_other_answers_do_not_cut_json(start: Start) -> None:
    async with start() as engine:
        stopping = GREEDY.model_copy(update={"stop": (":", "{")})
        answer, _ = await read(engine, within(SCHEMA, question()), stopping)
    assert json.loads(answer.text)


async def test_a_schema_that_leads_nowhere_ends_in_an_error_for_its_asker_alone(start: Start) -> None:
    """There is no such number, which shows only after its last possible digit."""
    nowhere = within({"type": "number", "minimum": 1.00001, "maximum": 1.00009, "multipleOf": 0.7}, question(2))
    async with start() as engine:
        expected = (await read(engine, question(1), GREEDY))[0].text
        outcomes = await asyncio.gather(
            read(engine, question(1), GREEDY), read(engine, nowhere, GREEDY), return_exceptions=True
        )
        after, _ = await read(engine, question(1), GREEDY)
    assert isinstance(outcomes[1], BadSchema)
    assert not isinstance(outcomes[0], BaseException)
    assert outcomes[0][0].text == after.text == expected


async def test_the_first_schema_is_prepared_for_when_nothing_is_asked(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not before the model is ready: with 150,000 tokens that takes more than a second."""
    prepared = asyncio.Event()
    loop, prepare = asyncio.get_running_loop(), Grammars.prepare

    def preparing(self: Grammars) -> Any:
        found = prepare(self)
        loop.call_soon_threadsafe(prepared.set)
        return found

    monkeypatch.setattr(Grammars, "prepare", preparing)
    monkeypatch.setattr(worker, "QUIET_SECONDS", 3600.0)
    async with start() as engine:
        assert (await read(engine, question(), GREEDY))[0].text
        assert not prepared.is_set()
    monkeypatch.setattr(worker, "QUIET_SECONDS", 0.0)
    async with start() as engine:
        await asyncio.wait_for(prepared.wait(), 60)
        answer, _ = await read(engine, within({"const": 1}, question()), GREEDY)
    assert answer.text == "1"


async def test_a_tokenizer_that_no_schema_can_be_kept_with_still_answers(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grammar, "LLTokenizer", lambda *arguments, **options: json.loads("no tokenizer"))
    monkeypatch.setattr(worker, "QUIET_SECONDS", 0.0)
    async with start() as engine:
        with pytest.raises(BadSchema, match="cannot keep an answer within a JSON Schema"):
            await read(engine, within(SCHEMA, question()), GREEDY)
        answer, _ = await read(engine, question(), GREEDY)
    assert answer.text


async def test_a_schema_is_compiled_beside_the_loop_and_the_model(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def compile(self: Grammars, schema: str) -> Grammar:
        threads.append(threading.current_thread().name)
        return honest(self, schema)

    honest = Grammars.compile
    monkeypatch.setattr(Grammars, "compile", compile)
    async with start() as engine:
        await read(engine, within(SCHEMA, question()), GREEDY)
        with pytest.raises(BadSchema, match="uniqueItems"):
            await read(engine, within({"type": "array", "uniqueItems": True}, question()), GREEDY)
    assert [name.rpartition("_")[0] for name in threads] == ["grammar", "grammar"]

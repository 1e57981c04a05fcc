"""JSON of the real demo model through OpenAI's own package: finished answers parse and validate."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import openai
import pytest
from pydantic import BaseModel, Field

from core.engine.engine import Engine
from tests.bots.web.conftest import service
from tests.bots.web.openai.asking import client, nothing_extra, sent, user
from tests.demo import directly, sample


class Line(BaseModel):
    name: Annotated[str, Field(max_length=12)]
    amount: float


class Invoice(BaseModel):
    kind: Literal["invoice", "receipt"]
    total: float
    paid: bool | None
    lines: Annotated[list[Line], Field(max_length=2)]


TOOL: Any = {"type": "function", "function": {"name": "save", "parameters": Invoice.model_json_schema()}}
NAMED: Any = {"type": "function", "function": {"name": "save"}}
MESSAGES: list[Any] = [user("What is the total?", sent(sample("invoice")))]


async def test_the_package_parses_what_the_demo_model_writes(demo: Engine, tmp_path: Path) -> None:
    async with service(tmp_path, demo, engine_stats=demo.stats) as web, client(web) as asked:
        reply = await asked.chat.completions.parse(model="demo", messages=MESSAGES, response_format=Invoice)
        assert isinstance(reply.choices[0].message.parsed, Invoice)
        any_object = await asked.chat.completions.create(
            model="demo", messages=MESSAGES, response_format={"type": "json_object"}, max_tokens=30
        )
        nothing_extra(any_object)
        text = any_object.choices[0].message.content or ""
        assert text.startswith("{")
        if any_object.choices[0].finish_reason == "stop":
            assert isinstance(json.loads(text), dict)
        with pytest.raises(openai.LengthFinishReasonError):
            await asked.chat.completions.parse(model="demo", messages=MESSAGES, response_format=Invoice, max_tokens=3)


async def test_a_forced_call_has_valid_arguments_whole_and_streamed(demo: Engine, tmp_path: Path) -> None:
    async with service(tmp_path, demo, engine_stats=demo.stats) as web, client(web) as asked:
        reply = await asked.chat.completions.create(model="demo", messages=MESSAGES, tools=[TOOL], tool_choice=NAMED)
        nothing_extra(reply)
        calls = reply.choices[0].message.tool_calls
        assert calls
        assert calls[0].type == "function"
        Invoice.model_validate_json(calls[0].function.arguments)
        text = ""
        async for chunk in await asked.chat.completions.create(
            model="demo", messages=MESSAGES, tools=[TOOL], tool_choice="required", stream=True
        ):
            nothing_extra(chunk)
            for call in chunk.choices[0].delta.tool_calls or ():
                text += (call.function and call.function.arguments) or ""
            reason = chunk.choices[0].finish_reason
    assert text == calls[0].function.arguments
    assert reason == "tool_calls"


async def test_others_read_the_same_beside_json_and_a_refused_schema(demo: Engine, tmp_path: Path) -> None:
    [expected] = await directly(demo, ("What is the total?", (sample("invoice"),)))
    refused: Any = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"type": "array", "uniqueItems": True}},
    }
    async with service(tmp_path, demo, engine_stats=demo.stats) as web, client(web) as asked:
        answers = await asyncio.gather(
            asked.chat.completions.create(model="demo", messages=MESSAGES),
            asked.chat.completions.create(model="demo", messages=MESSAGES, tools=[TOOL], tool_choice=NAMED),
            asked.chat.completions.create(model="demo", messages=MESSAGES),
            asked.chat.completions.create(model="demo", messages=MESSAGES, response_format=refused),
            return_exceptions=True,
        )
    *others, error = answers
    assert isinstance(error, openai.BadRequestError)
    assert error.param == "response_format"
    assert "uniqueItems" in error.message
    texts = [not isinstance(it, BaseException) and it.choices[0].message.content for it in others]
    assert texts == [expected, None, expected]

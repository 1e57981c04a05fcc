"""What asks for JSON or forces a call over /v1, what the engine is told of it, and how its answer is written."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.answer import Answer, Ending
from core.conversation import Conversation
from core.errors import BadSchema
from core.events import Tell
from core.sampling import Sampling
from tests.bots.web.conftest import Web, service
from tests.bots.web.openai.asking import ask, picture, user
from tests.bots.web.openai.test_chat import chunks
from tests.fakes import ScriptedEngine

SCHEMA = {"type": "object", "properties": {"总额": {"type": "number"}}, "required": ["总额"]}
ARGUMENTS = '{"总额": 5}'
TOOL = {"type": "function", "function": {"name": "save", "description": "Save it.", "parameters": SCHEMA}}
OTHER = {"type": "function", "function": {"name": "other"}}
NAMED = {"type": "function", "function": {"name": "save"}}


def writes_arguments() -> ScriptedEngine:
    return ScriptedEngine(lambda conversation: ARGUMENTS)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"type": "text"}, None),
        (None, None),
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}, SCHEMA),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA, "strict": None, "description": "x"}}, SCHEMA),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, {"type": "object"}),
    ],
)
async def test_a_format_is_told_to_the_engine(tmp_path: Path, wanted: Any, told: Any) -> None:
    engine = writes_arguments()
    async with service(tmp_path, engine) as web:
        reply = await ask(web, user("What?", picture()), response_format=wanted, tools=[TOOL], tool_choice="auto")
    assert reply.status_code == 200, reply.text
    schema = engine.asked[0].answer_schema
    assert (schema and json.loads(schema)) == told
    [choice] = reply.json()["choices"]
    assert choice["message"] == {"role": "assistant", "content": ARGUMENTS, "refusal": None}
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("tools", "choice", "reason"),
    [([TOOL, OTHER], NAMED, "stop"), ([TOOL], "required", "tool_calls"), ([OTHER, TOOL, TOOL], NAMED, "stop")],
)
async def test_a_forced_call_is_answered_as_a_call(tmp_path: Path, tools: Any, choice: Any, reason: str) -> None:
    engine = writes_arguments()
    async with service(tmp_path, engine) as web:
        whole = await ask(web, user("Save it", picture()), tools=tools, tool_choice=choice)
        streamed = await ask(web, user("Save it", picture()), tools=tools, tool_choice=choice, stream=True)
    assert [json.loads(asked.answer_schema or "") for asked in engine.asked] == [SCHEMA, SCHEMA]
    [answered] = whole.json()["choices"]
    assert answered["finish_reason"] == reason
    assert answered["message"]["content"] is None
    [call] = answered["message"]["tool_calls"]
    assert call == {"id": call["id"], "type": "function", "function": {"name": "save", "arguments": ARGUMENTS}}
    assert call["id"].startswith("call_")
    first, *deltas, last = (part["choices"][0] for part in chunks(streamed.text))
    [begun] = first["delta"]["tool_calls"]
    assert begun == {
        "index": 0, "id": begun["id"], "type": "function", "function": {"name": "save", "arguments": ""},
    }  # fmt: skip
    assert first["delta"]["role"] == "assistant"
    assert "".join(delta["delta"]["tool_calls"][0]["function"]["arguments"] for delta in deltas) == ARGUMENTS
    assert (last["delta"], last["finish_reason"]) == ({}, reason)


async def test_a_function_without_parameters_is_called_with_none(tmp_path: Path) -> None:
    engine = writes_arguments()
    async with service(tmp_path, engine) as web:
        assert (await ask(web, user("Go", picture()), tools=[OTHER], tool_choice="required")).status_code == 200
    assert json.loads(engine.asked[0].answer_schema or "") == {
        "type": "object", "properties": {}, "additionalProperties": False,
    }  # fmt: skip


@dataclass
class MeetsItsLimit(ScriptedEngine):
    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        return Answer('{"总', Ending.LENGTH)


async def test_a_call_that_met_its_limit_says_so(tmp_path: Path) -> None:
    async with service(tmp_path, MeetsItsLimit()) as web:
        reply = await ask(web, user("Save it", picture()), tools=[TOOL], tool_choice="required")
    assert reply.json()["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_schema_that_is_refused_names_its_field(tmp_path: Path, stream: bool) -> None:
    error = BadSchema("This JSON Schema cannot be used here: {reason}", reason='Unimplemented keys: ["not"]')
    engine = ScriptedEngine(lambda conversation: error)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("response_format", {"response_format": {"type": "json_object"}}),
        ("tools", {"tools": [TOOL], "tool_choice": NAMED}),
    ]
    async with service(tmp_path, engine) as web:
        for param, fields in asked:
            reply = await ask(web, user("What?", picture()), stream=stream, **fields)
            assert reply.status_code == 400
            told = reply.json()["error"]
            assert (told["param"], told["code"]) == (param, "invalid_json_schema")
            assert '"not"' in told["message"]


@dataclass
class Breaks(ScriptedEngine):
    """Finds out in the middle of an answer that it cannot go on."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        await super().answer(conversation, sampling, tell)
        raise BadSchema("The answer cannot be continued within this JSON Schema. Please make the schema simpler.")


async def test_an_answer_that_breaks_is_an_error_and_no_json(tmp_path: Path) -> None:
    async with service(tmp_path, Breaks()) as web:
        whole = await ask(web, user("What?", picture()), response_format={"type": "json_object"})
        streamed = await ask(web, user("What?", picture()), response_format={"type": "json_object"}, stream=True)
    assert whole.status_code == 400
    last = json.loads(streamed.text.strip().rpartition("data: ")[2])
    for error in (whole.json()["error"], last["error"]):
        assert (error["param"], error["code"]) == ("response_format", "invalid_json_schema")
    assert "[DONE]" not in streamed.text
    assert '"finish_reason": "' not in streamed.text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": True}}}, "response_format"),
        ({"response_format": {"type": "grammar", "grammar": "start: /a/"}}, "response_format"),
        ({"response_format": {"type": "json_object"}, "stop": ["}"]}, "stop"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "required", "tools": [TOOL, OTHER]}, "tool_choice"),
        ({"tool_choice": "required", "tools": 5}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "missing"}}, "tools": [TOOL]}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools"}, "tools": [TOOL]}, "tool_choice"),
        ({"tool_choice": NAMED, "tools": [{"function": {"name": "save", "parameters": []}}]}, "tools"),
        ({"tool_choice": "required", "tools": [{"function": {"name": "a\nb"}}]}, "tool_choice"),
    ],
)
async def test_a_shape_that_cannot_be_is_a_400(web: Web, fields: dict[str, Any], param: str) -> None:
    reply = await ask(web, user("What?", picture()), **fields)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param


async def test_tools_that_are_not_forced_may_be_anything(web: Web) -> None:
    ignored: list[Any] = [5, "x", [None], [{"type": "custom"}], {}]
    for tools in ignored:
        assert (await ask(web, user("What?", picture()), tools=tools)).status_code == 200

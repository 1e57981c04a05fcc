"""Find out which shape an answer must have: JSON of a schema, or the arguments of the one function to be called."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bots.web.openai.errors import BadField
from core.errors import BadSchema

ANY_OBJECT: dict[str, Any] = {"type": "object"}
NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
MOST_NAME_CHARACTERS = 64  # of a function, as OpenAI has it


@dataclass(frozen=True, slots=True)
class Shape:
    """The JSON Schema of an answer, and the field that asked for it.

    `function` is the name of the function that the answer calls. `is_required` tells whether any function had to be
    called, and this is the only one.
    """

    schema: str
    param: str
    function: str | None = None
    is_required: bool = False


def shape_of(response_format: Any, tools: Any, tool_choice: Any) -> Shape | None:
    """Return the shape that these fields of a request ask for, or None for text. Raises `BadField`."""
    if tool_choice in (None, "none", "auto"):
        return _of_format(response_format)
    return _of_call(tools, tool_choice)


@contextmanager
def naming_field(shape: Shape | None) -> Iterator[None]:
    """Let an error about the schema name the field of the request that it came in."""
    try:
        yield
    except BadSchema as error:
        param = shape.param if shape else None
        raise BadField(error.sentence, param or "response_format", "invalid_json_schema", **error.values) from error


def _of_format(wanted: Any) -> Shape | None:
    kind = wanted.get("type") if isinstance(wanted, dict) else "text" if wanted is None else None
    if kind == "text":
        return None
    if kind == "json_object":
        return _shape(ANY_OBJECT, "response_format")
    if kind != "json_schema":
        raise BadField(
            "The type of response_format must be text, json_object or json_schema.",
            "response_format",
            "unsupported_value",
        )
    named = wanted.get("json_schema")
    schema = named.get("schema", ANY_OBJECT) if isinstance(named, dict) else None
    return _shape(schema, "response_format")


def _of_call(tools: Any, choice: Any) -> Shape:
    """Return the shape of a forced call. Every client may send tools, so they are looked at only here."""
    offered = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    functions: list[dict[str, Any]] = [it for it in offered if isinstance(it, dict) and _is_name(it.get("name"))]
    if choice == "required":
        found = functions if len(functions) == 1 else []
    else:
        chosen = choice.get("function") if isinstance(choice, dict) else None
        name = chosen.get("name") if isinstance(chosen, dict) else None
        found = [each for each in functions if each["name"] == name][:1]
    if not found:
        raise BadField(
            "Only the call of one function of tools can be forced: name it in tool_choice, or send no other tool.",
            "tool_choice",
            "unsupported_value",
        )
    schema = NO_ARGUMENTS if found[0].get("parameters") is None else found[0]["parameters"]
    return _shape(schema, "tools", found[0]["name"], choice == "required")


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= MOST_NAME_CHARACTERS and name.isascii() and name.isprintable()


def _shape(schema: Any, param: str, function: str | None = None, is_required: bool = False) -> Shape:
    if not isinstance(schema, dict):
        raise BadField("The JSON Schema must be a JSON object.", param, "invalid_json_schema")
    try:
        text = json.dumps(schema, ensure_ascii=False)
    except RecursionError:
        raise BadField("The JSON Schema is nested too deeply.", param, "invalid_json_schema") from None
    return Shape(text, param, function, is_required)

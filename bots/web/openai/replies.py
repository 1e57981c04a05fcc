"""Define what is answered, in the shapes of OpenAI's published schema."""

import json
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from bots.web.openai.shape import Shape
from core.answer import Answer, Ending

EXAMPLE_ID, EXAMPLE_TIME, EXAMPLE_MODEL = "chatcmpl-9f2c41d07ab34be2", 1796083200, "Qwen/Qwen3-VL-2B-Instruct"
OWNER = "picture-answers"

NOTES = "Answer-Notes"  # a header, because a reply has no field for it and its text may be JSON
NOTES_CHARACTERS = 3000  # proxies take 4 kB of headers by default

Id = Annotated[str, Field(examples=[EXAMPLE_ID])]
Time = Annotated[int, Field(description="Seconds since 1970.", examples=[EXAMPLE_TIME])]
ModelName = Annotated[str, Field(examples=[EXAMPLE_MODEL])]
FinishReason = Literal["stop", "length", "tool_calls"]


class ServedModel(BaseModel):
    id: ModelName
    object: Literal["model"] = "model"
    created: Time
    owned_by: str = OWNER


class Models(BaseModel):
    object: Literal["list"] = "list"
    data: list[ServedModel]


class PromptDetails(BaseModel):
    cached_tokens: int = Field(description="Of the prompt, those that were computed before.", examples=[0])


class Usage(BaseModel):
    prompt_tokens: int = Field(examples=[412])
    completion_tokens: int = Field(examples=[9])
    total_tokens: int = Field(examples=[421])
    prompt_tokens_details: PromptDetails


class CalledFunction(BaseModel):
    name: str = Field(examples=["save_invoice"])
    arguments: str = Field(description="JSON, as the function's parameters have it.", examples=['{"total": 1284.5}'])


class ToolCall(BaseModel):
    id: str = Field(examples=["call_9f2c41d07ab34be2"])
    type: Literal["function"] = "function"
    function: CalledFunction


class ReplyMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str | None = Field(examples=["The total is **1,284.50 EUR**."])
    refusal: None = None
    tool_calls: list[ToolCall] | None = Field(None, exclude_if=lambda value: value is None)


class Choice(BaseModel):
    index: int = 0
    message: ReplyMessage
    logprobs: None = None
    finish_reason: FinishReason = Field(examples=["stop"])


class Completion(BaseModel):
    """An answer."""

    id: Id
    object: Literal["chat.completion"] = "chat.completion"
    created: Time
    model: ModelName
    choices: list[Choice]
    usage: Usage


class FunctionDelta(BaseModel):
    name: str | None = None
    arguments: str


class ToolCallDelta(BaseModel):
    index: int = 0
    id: str | None = None
    type: Literal["function"] | None = None
    function: FunctionDelta


class Delta(BaseModel):
    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChunkChoice(BaseModel):
    index: int = 0
    delta: Delta
    logprobs: None = None
    finish_reason: FinishReason | None = None


class Chunk(BaseModel):
    """A part of an answer that is streamed. With `include_usage` the last one has no choices."""

    id: Id
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: Time
    model: ModelName
    choices: list[ChunkChoice]
    usage: Usage | None = None


class ErrorObject(BaseModel):
    message: str = Field(examples=["This file is not a picture I can read. Please send a JPEG, PNG or WebP file."])
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(examples=["messages.0.content.1.image_url.url"])
    code: str | None = Field(examples=["invalid_image"])


class ErrorReply(BaseModel):
    error: ErrorObject


def usage_of(answer: Answer) -> Usage:
    figures = answer.figures
    return Usage(
        prompt_tokens=figures.prompt_tokens,
        completion_tokens=figures.answer_tokens,
        total_tokens=figures.prompt_tokens + figures.answer_tokens,
        prompt_tokens_details=PromptDetails(cached_tokens=figures.reused_tokens),
    )


def finish_reason_of(answer: Answer, shape: Shape | None) -> FinishReason:
    """Return why an answer ended. OpenAI says `tool_calls` only where the model might have called another function."""
    if answer.ending is Ending.LENGTH:
        return "length"
    return "tool_calls" if shape and shape.is_required else "stop"


def message_of(answer_id: str, text: str, shape: Shape | None) -> ReplyMessage:
    if shape is None or shape.function is None:
        return ReplyMessage(content=text)
    function = CalledFunction(name=shape.function, arguments=text)
    return ReplyMessage(content=None, tool_calls=[ToolCall(id=call_id(answer_id), function=function)])


def notes_header(notes: Sequence[str]) -> dict[str, str]:
    """Return the header that says what was left out, as a JSON list in ASCII, with as many notes as fit."""
    fitting = [note for index, note in enumerate(notes) if len(json.dumps(notes[: index + 1])) <= NOTES_CHARACTERS]
    return {NOTES: json.dumps(fitting)} if fitting else {}


def first_delta(answer_id: str, shape: Shape | None) -> Delta:
    if shape is None or shape.function is None:
        return Delta(role="assistant", content="")
    function = FunctionDelta(name=shape.function, arguments="")
    return Delta(
        role="assistant", tool_calls=[ToolCallDelta(id=call_id(answer_id), type="function", function=function)]
    )


def delta_of(text: str, shape: Shape | None) -> Delta:
    if shape is None or shape.function is None:
        return Delta(content=text)
    return Delta(tool_calls=[ToolCallDelta(function=FunctionDelta(arguments=text))])


def call_id(answer_id: str) -> str:
    """Return the id of the one call of an answer."""
    return f"call_{answer_id.rpartition('-')[2]}"

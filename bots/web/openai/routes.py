"""Serve GET /v1/models, GET /v1/models/{id} and POST /v1/chat/completions."""

import secrets
import time
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bots.web.access.address import KEY_NAME, person_of
from bots.web.api.listener import while_wanted
from bots.web.json_body import parse, received
from bots.web.language import translator_for
from bots.web.openai.conversation import Reader
from bots.web.openai.errors import NoSuchModel
from bots.web.openai.fields import ChatRequest, check
from bots.web.openai.replies import (
    Choice,
    Completion,
    Models,
    ServedModel,
    finish_reason_of,
    message_of,
    notes_header,
    usage_of,
)
from bots.web.openai.schema import CHAT_BODY, COMPLETED, REFUSALS
from bots.web.openai.shape import Shape, naming_field
from bots.web.openai.stream import Chunks, ChunkStream
from bots.web.writing import Writing
from core import trace, work_context
from core.conversation import Conversation
from core.errors import NotFound

DEFAULT_MODEL = "picture-answers"  # while no engine says its name
NAME_CHARACTERS = 100  # of a wrong model's name, in the answer

router = APIRouter(prefix="/v1", responses=REFUSALS)


@router.get("/models", summary="List the model")
async def models(request: Request) -> Models:
    return Models(data=[_model(request)])


@router.get("/models/{model:path}", summary="Describe the model")
async def model(request: Request, model: str) -> ServedModel:
    _check_model(request, model)
    return _model(request)


@router.post(
    "/chat/completions",
    response_model=Completion,
    responses=COMPLETED,
    openapi_extra=CHAT_BODY,
    summary="Ask as OpenAI's programs do",
)
async def chat_completions(request: Request) -> Response:
    """Answer the last message. Nothing is stored; send the earlier messages again to ask on."""
    state, person = request.app.state, person_of(request.scope)
    assistant = state.receiver.assistant
    async with received(request) as sent:
        work_context.set_current(person, platform=_platform(request))  # a slow sender does not arrive earlier
        await assistant.check_question(person)
        async with state.bodies.slot(person):
            wanted = await parse(sent, check)
            _check_model(request, wanted.model)
            conversation, notes = await while_wanted(request, _read(request, wanted, person))
    trace.set_current(conversation.id)
    sampling = wanted.sampling(assistant.sampling)
    writing = Writing(state.receiver.broadcasts, assistant, conversation, sampling, person)
    headers = notes_header(notes)
    try:
        with naming_field(wanted.shape):
            await while_wanted(request, writing.begin())
            if not wanted.stream:
                return await _whole(request, writing, wanted.shape, headers)
    except BaseException:
        writing.end()
        raise
    chunks = Chunks(writing, _name(request), wanted.include_usage, translator_for(request), wanted.shape)
    return ChunkStream(chunks, headers)


async def _read(request: Request, wanted: ChatRequest, person: str) -> tuple[Conversation, list[str]]:
    state = request.app.state
    reader = Reader(state.config, state.images, state.receiver.assistant, person, translator_for(request))
    conversation, notes = await reader.read(wanted.messages, f"chatcmpl-{secrets.token_hex(16)}")
    return replace(conversation, answer_schema=wanted.shape.schema if wanted.shape else None), notes


async def _whole(request: Request, writing: Writing, shape: Shape | None, headers: dict[str, str]) -> Response:
    answer = await while_wanted(request, writing.broadcast.answer())
    writing.end()
    message = message_of(writing.id, answer.text, shape)
    choice = Choice(message=message, finish_reason=finish_reason_of(answer, shape))
    completion = Completion(
        id=writing.id, created=writing.created, model=_name(request), choices=[choice], usage=usage_of(answer)
    )
    return Response(completion.model_dump_json(), media_type="application/json", headers=headers)


@router.api_route("/responses", methods=["GET", "POST"], include_in_schema=False)
@router.api_route("/completions", methods=["GET", "POST"], include_in_schema=False)
async def other() -> Response:
    raise NotFound("This is not offered here: ask at /v1/chat/completions.")


def _model(request: Request) -> ServedModel:
    started = time.time() - request.app.state.operation.up_s
    return ServedModel(id=_name(request), created=int(started))


def _name(request: Request) -> str:
    """Return the model's name: as the hub has it, or its folder's last part."""
    name: str = request.app.state.operation.about()["model"]
    is_hubs = name.count("/") == 1 and not name.startswith(("/", ".", "~"))
    return (name if is_hubs else name.rstrip("/").rpartition("/")[2]) or DEFAULT_MODEL


def _check_model(request: Request, name: str | None) -> None:
    own = _name(request)
    if name and name != own:
        raise NoSuchModel("There is no model {name} here, only {own}.", name=name[:NAME_CHARACTERS], own=own)


def _platform(request: Request) -> str:
    """Return what these questions are counted under: the name of the caller's key, if it has one."""
    key = request.scope.get(KEY_NAME)
    return f"api:{key}" if key else "api"

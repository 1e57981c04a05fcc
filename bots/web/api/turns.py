"""Serve what can be made from an answer: table, text, drawn boxes, small print, other versions, a rating."""

import asyncio
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from bots.conversing.actions import file_of
from bots.conversing.answer_action import AnswerAction
from bots.web.access.address import person_of
from bots.web.api.dependencies import Key, Known, Number, WholeInMemory, WithReceiver, cache_control, viewer_of
from bots.web.api.openapi import ANSWERED, PNG, REFUSALS
from bots.web.api.questions import answer_response, questions_of
from bots.web.api.schema import Analysis, Versions
from bots.web.api.view import drawing_of
from bots.web.message import WebMessage, digest_of
from bots.web.submission import Submission
from core.answers.boxes import draw, labelled, pointed_at
from core.assistant import QUESTION_CHARACTERS
from core.conversation import Conversation
from core.errors import BadQuestion, NotFound

router = APIRouter(prefix="/api/v1/conversations/{conversation_id}/turns/{turn}", responses=REFUSALS)


async def _asked(known: Known, turn: Annotated[int, Path(ge=1, le=1_000_000, examples=[1])]) -> Conversation:
    """Return the conversation up to the turn that the address names, which is its last."""
    if turn > len(known.turns):
        raise _no_answer()
    return known.until(turn)


Asked = Annotated[Conversation, Depends(_asked)]


async def _version(
    asked: Asked,
    receiver: WithReceiver,
    version: Annotated[int, Query(ge=0, le=1_000, description="Which of its versions, from 1; 0: as it is now.")] = 0,
) -> Conversation:
    """Return the conversation up to that turn, with the version of it that is asked for."""
    if not version:
        return asked
    versions = await receiver.store.versions_of(asked.id, len(asked.turns))
    if version > len(versions):
        raise _no_answer()
    return replace(asked, turns=(*asked.turns[:-1], versions[version - 1]))


Version = Annotated[Conversation, Depends(_version)]
Drawing = Annotated[str, Query(description="Which answer is drawn, as in a view: only with it is it cached.")]


@router.get(
    "/table.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}},
    summary="Get an answer's table for a spreadsheet",
)
async def table(known: Version) -> Response:
    """Return the table as CSV in UTF-8 with a byte-order mark. No cell is taken for a formula."""
    return _file(known, AnswerAction.CSV, "text/csv; charset=utf-8")


@router.get(
    "/answer.md",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
    summary="Get an answer as a Markdown file",
)
async def text(known: Version) -> Response:
    return _file(known, AnswerAction.TEXT, "text/markdown; charset=utf-8")


@router.get(
    "/marked/{number}.png",
    response_class=Response,
    responses=PNG,
    summary="Get a picture with the answer's boxes drawn on it",
)
async def marked(
    known: Version, number: Number, receiver: WithReceiver, _: WholeInMemory, of: Drawing = ""
) -> Response:
    turn = known.turns[-1]
    found = labelled(pointed_at(turn, known))
    boxes = next((boxes for it, boxes in found.items() if it.number == number), None)
    image = await receiver.store.numbered_picture(known.id, number) if boxes else None
    if not boxes or image is None or turn.answer is None:
        raise NotFound("The answer points at nothing in this picture.")
    png = await draw(image, boxes)
    headers = {"Cache-Control": cache_control(drawing_of(turn.answer), of, "max-age=3600")}
    return Response(png, media_type="image/png", headers=headers)


@router.post("/smallprint", response_model=Analysis, responses=ANSWERED, summary="Ask again with sharper pictures")
async def small_print(
    request: Request,
    asked: Asked,
    receiver: WithReceiver,
    stream: Annotated[bool, Query()] = False,
    html: Annotated[bool, Query()] = False,
    key: Key = None,
) -> Response:
    """Ask the same question about the same pictures, less shrunk. The first answer stays."""
    number, turn = len(asked.turns), asked.turns[-1]
    request.state.question = turn.text
    numbers = tuple(picture.number for picture in turn.pictures)
    web_message = WebMessage(
        person_of(request.scope),
        turn.text,
        AnswerAction.SMALL_PRINT,
        numbers,
        idempotency_key=key or "",
        digest=digest_of(AnswerAction.SMALL_PRINT, [number]),
    )
    broadcast = await receiver.take(Submission(asked.id, web_message))
    return await answer_response(request, broadcast, questions_of(asked), stream, html)


@router.get("/versions", summary="Read all versions of a question and its answer")
async def versions(request: Request, asked: Asked, receiver: WithReceiver) -> Versions:
    """Return what it was before it was asked again or edited, oldest first; the last one is what it is now."""
    found = await receiver.store.versions_of(asked.id, len(asked.turns))
    return Versions(versions=await asyncio.to_thread(viewer_of(request).versions, asked, found))


@router.post("/edit", response_model=Analysis, responses=ANSWERED, summary="Ask a question again in other words")
async def edit(
    request: Request,
    asked: Asked,
    receiver: WithReceiver,
    query: Annotated[str, Form(min_length=1, max_length=QUESTION_CHARACTERS, description="The new words.")],
    stream: Annotated[bool, Query()] = False,
    html: Annotated[bool, Query()] = False,
    key: Key = None,
) -> Response:
    """Ask about the same pictures in other words. The old words and their answer become an earlier version."""
    request.state.question = words = query.strip()
    if not words:
        raise BadQuestion("Please ask a question: the field query is empty.")
    number = len(asked.turns)
    web_message = WebMessage(
        person_of(request.scope),
        words,
        idempotency_key=key or "",
        digest=digest_of("edit", [number]),
        turn=number,
    )
    questions = [*questions_of(asked)[:-1], words]
    broadcast = await receiver.take(Submission(asked.id, web_message))
    return await answer_response(request, broadcast, questions, stream, html)


@router.post("/rating", status_code=204, summary="Rate an answer")
async def rate(asked: Asked, receiver: WithReceiver, rating: Annotated[int, Form(ge=-1, le=1)]) -> None:
    """Rate an answer: 1 is a thumb up, -1 down, 0 removes the rating."""
    key = await receiver.store.key_of_turn(asked.id, len(asked.turns))
    if key is None or not await receiver.store.rate(key, rating):
        raise _no_answer()


def _no_answer() -> NotFound:
    return NotFound("There is no such answer in this conversation.")


def _file(known: Conversation, action: AnswerAction, kind: str) -> Response:
    file = file_of(known.turns[-1], action)
    if file is None:
        raise NotFound("This answer has no such file.")
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.data, media_type=kind, headers=headers)

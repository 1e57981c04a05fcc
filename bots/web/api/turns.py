"""Serve what can be made from an answer: its table, its text, drawn boxes, a closer look, a rating."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from bots.conversing.actions import file_of
from bots.conversing.draft import AnswerAction
from bots.web.access.address import person_of
from bots.web.api.conversations import Key, Known, Number, WithReceiver, answer_response, cache_control, questions_of
from bots.web.api.schema import ANSWERED, PNG, REFUSALS, Analysis
from bots.web.api.view import drawing_of
from bots.web.message import WebMessage, digest_of
from core.answers.boxes import draw, labelled, pointed_at
from core.conversation import Turn
from core.errors import NotFound

router = APIRouter(prefix="/api/v1/conversations/{conversation_id}/turns/{turn}", responses=REFUSALS)


async def _turn(known: Known, turn: Annotated[int, Path(ge=1, le=1_000_000, examples=[1])]) -> Turn:
    if turn > len(known.turns):
        raise NotFound("There is no such answer in this conversation.")
    return known.turns[turn - 1]


async def _whole_in_memory(request: Request) -> AsyncIterator[None]:
    """Hold one of the few places for answers that stay in memory until they are read."""
    async with request.app.state.whole_in_memory.place(person_of(request.scope)):
        yield


WholeInMemory = Annotated[None, Depends(_whole_in_memory)]
OneTurn = Annotated[Turn, Depends(_turn)]
Drawing = Annotated[str, Query(description="Which answer is drawn, as in a view: only with it is it cached.")]


@router.get(
    "/table.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}},
    summary="Get an answer's table for a spreadsheet",
)
async def table(turn: OneTurn) -> Response:
    """Return the table as CSV in UTF-8 with a byte-order mark. No cell is taken for a formula."""
    return _file(turn, AnswerAction.CSV, "text/csv; charset=utf-8")


@router.get(
    "/answer.md",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
    summary="Get an answer as a Markdown file",
)
async def text(turn: OneTurn) -> Response:
    return _file(turn, AnswerAction.TEXT, "text/markdown; charset=utf-8")


@router.get(
    "/marked/{number}.png",
    response_class=Response,
    responses=PNG,
    summary="Get a picture with the answer's boxes drawn on it",
)
async def marked(
    known: Known, turn: OneTurn, number: Number, receiver: WithReceiver, _: WholeInMemory, of: Drawing = ""
) -> Response:
    pictures = known.until(known.turns.index(turn) + 1).pictures
    found = labelled(pointed_at(turn, pictures))
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
    known: Known,
    receiver: WithReceiver,
    turn: OneTurn,
    stream: Annotated[bool, Query()] = False,
    html: Annotated[bool, Query()] = False,
    key: Key = None,
) -> Response:
    """Ask the same question about the same pictures, less shrunk. The first answer stays."""
    request.state.question = turn.text
    number = known.turns.index(turn) + 1
    numbers = tuple(picture.number for picture in turn.pictures)
    sent = WebMessage(
        person_of(request.scope),
        turn.text,
        AnswerAction.SMALL_PRINT,
        numbers,
        idempotency_key=key or "",
        digest=digest_of(AnswerAction.SMALL_PRINT, [number]),
    )
    questions = questions_of(known)[:number]
    return await answer_response(request, await receiver.take(known.id, sent), questions, stream, html)


@router.post("/rating", status_code=204, summary="Rate an answer")
async def rate(known: Known, receiver: WithReceiver, turn: OneTurn, rating: Annotated[int, Form(ge=-1, le=1)]) -> None:
    """Rate an answer: 1 is a thumb up, -1 down, 0 removes the rating."""
    keys = await receiver.store.keys(known.id)
    number = known.turns.index(turn)
    if number >= len(keys) or not await receiver.store.rate(keys[number], rating):
        raise NotFound("There is no such answer in this conversation.")


def _file(turn: Turn, action: AnswerAction, kind: str) -> Response:
    file = file_of(turn, action)
    if file is None:
        raise NotFound("This answer has no such file.")
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.data, media_type=kind, headers=headers)

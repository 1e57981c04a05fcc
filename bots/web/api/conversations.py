"""Serve the REST API below /api/v1: everything that a program, or the page, can ask for."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from bots.conversing.document_pages import check_pages, keep_document
from bots.web.access.address import person_of
from bots.web.access.owner import list_of
from bots.web.api.form import Form, read_form
from bots.web.api.listener import while_wanted
from bots.web.api.openapi import ADD_FORM, ANSWERED, ASK_FORM, PNG, REFUSALS, form
from bots.web.api.schema import EXAMPLE_ID, Analysis, ConversationView, DocumentView, Pictures, Stopped
from bots.web.api.sse import EventStream, Stream
from bots.web.api.unkept import answer_unkept, open_unkept
from bots.web.api.upload import form_digest, open_files
from bots.web.api.view import Viewer, pictures_of
from bots.web.broadcast import Broadcast
from bots.web.language import translator_for, translator_of
from bots.web.message import WebMessage, digest_of
from bots.web.receiver import Receiver
from core.answers.transcript import archive
from core.conversation import Conversation, Picture
from core.errors import BadQuestion, NotFound


async def _receiver(request: Request) -> Receiver:
    receiver: Receiver = request.app.state.receiver
    return receiver


ConversationId = Annotated[str, Path(examples=[EXAMPLE_ID])]


async def _known(conversation_id: ConversationId, receiver: "WithReceiver") -> Conversation:
    return await receiver.conversation(conversation_id)


def viewer_of(request: Request) -> Viewer:
    state = request.app.state
    return Viewer(translator_for(request), state.config.receipt, state.images.image_tokens, state.config.path)


WithReceiver = Annotated[Receiver, Depends(_receiver)]
Known = Annotated[Conversation, Depends(_known)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9_-]{16,128}$",
        description="A random text that names this question. With it the question is stored and survives a lost "
        "connection or a restart, and sending it again gives the same answer, once; with another question it is "
        "refused. Without it, hanging up stops the answer.",
    ),
]
Number = Annotated[int, Path(ge=1, le=1_000_000, examples=[1])]
Of = Annotated[
    str, Query(description="The beginning of the picture's id, as in a view: only with it is the file cached.")
]

router = APIRouter(prefix="/api/v1", responses=REFUSALS)


@router.post(
    "/analyze",
    response_model=Analysis,
    responses=ANSWERED,
    openapi_extra=form(ASK_FORM),
    summary="Ask about pictures",
)
async def analyze(request: Request, receiver: WithReceiver, key: Key = None) -> Response:
    """Ask a question about one or more pictures, or continue a conversation."""
    state = request.app.state
    async with read_form(request, state.config, state.images) as form:
        if not form.query:
            raise BadQuestion("Please ask a question: the field query is empty.")
        if not form.conversation and not form.files:
            raise BadQuestion("Please send a picture with your question: the field image is empty.")
        if form.region and (form.files or form.pages or len(form.pictures) != 1):
            raise BadQuestion("A region is a part of one picture of the conversation: name it in the field pictures.")
        if form.keep:
            broadcast, questions = await _taken(request, receiver, form, key)
        else:
            opened = await open_unkept(request, form, key)
    if form.keep:
        return await answer_response(request, broadcast, questions, form.stream, form.html)
    return await answer_unkept(request, form, opened, viewer_of(request))


async def _taken(request: Request, receiver: Receiver, form: Form, key: str | None) -> tuple[Broadcast, list[str]]:
    """Take a question, and return its answer and the questions of its conversation, with this one last."""
    person = person_of(request.scope)
    conversation_id, questions = form.conversation or receiver.new_id(list_of(request), key), [form.query]
    if form.conversation and (key is None or receiver.find(key) is None):
        questions = [*questions_of(await receiver.conversation(conversation_id)), form.query]
    digest = await form_digest(form) if key else None
    region, pages = form.region.corners if form.region else (), () if form.files else form.pages
    web_message = WebMessage(
        person, form.query, pictures=form.pictures, idempotency_key=key or "", digest=digest, region=region,
        alone=form.alone, pages=pages, document=form.document,
    )  # fmt: skip
    broadcast = await receiver.resume(conversation_id, web_message) if key else None
    if broadcast is None:
        await receiver.assistant.check_question(person)
        if pages:
            await check_pages(receiver.services, conversation_id, pages, form.document)
        limits = await receiver.limits(form.conversation or "", form.settings)
        opened = await open_files(request, form, limits, receiver.assistant)
        if form.settings:
            await receiver.store.change_settings(conversation_id, form.settings)
        broadcast = await receiver.take(conversation_id, web_message, opened.images, opened.notes, opened.documents)
    return broadcast, questions


@router.post(
    "/pictures", response_model=Pictures, openapi_extra=form(ADD_FORM), summary="Add pictures ahead of a question"
)
async def add_pictures(request: Request, receiver: WithReceiver) -> Pictures:
    """Add pictures.

    They are encoded while the question is being written, and belong to the conversation's next question.
    """
    state = request.app.state
    async with read_form(request, state.config, state.images) as form:
        if not form.files:
            raise BadQuestion("Please send a picture: the field image is empty.")
        if form.conversation:
            await receiver.conversation(form.conversation)
        limits = await receiver.limits(form.conversation or "", form.settings)
        opened = await open_files(request, form, limits, receiver.assistant)
    conversation_id = form.conversation or receiver.new_id(list_of(request))
    if form.settings:
        await receiver.store.change_settings(conversation_id, form.settings)
    numbers, removed = await receiver.assistant.add_pictures(conversation_id, opened.images, person_of(request.scope))
    await keep_document(receiver.store, conversation_id, person_of(request.scope), opened.documents)
    added = [Picture(number, image) for number, image in zip(numbers, opened.images, strict=True)]
    viewer = viewer_of(request)
    known, asking = await receiver.shown(conversation_id)
    return Pictures(
        conversation=conversation_id,
        pictures=[viewer.picture(conversation_id, picture) for picture in added],
        removed=list(removed),
        notes=viewer.notes(opened.notes, removed),
        document=await document_view(receiver, viewer, known, asking),
    )


@router.get("/conversations/{conversation_id}", summary="Read a conversation")
async def conversation(request: Request, conversation_id: ConversationId, receiver: WithReceiver) -> ConversationView:
    known, asking = await receiver.shown(conversation_id)
    versions = await receiver.store.version_counts(known.id)
    viewer = viewer_of(request)
    # In a thread of its own: rendering the Markdown of a long conversation takes a while.
    view = await asyncio.to_thread(viewer.conversation, known, asking, versions)
    view.document = await document_view(receiver, viewer, known, asking)
    return view


@router.delete("/conversations/{conversation_id}", status_code=204, summary="Delete a conversation and its pictures")
async def forget(request: Request, known: Known, receiver: WithReceiver) -> None:
    await receiver.forget(known.id, person_of(request.scope))


@router.get(
    "/conversations/{conversation_id}/export",
    response_class=Response,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
    summary="Take a conversation along",
)
async def export(request: Request, known: Known, receiver: WithReceiver) -> Response:
    """Export a zip with the pictures and the transcript, as Markdown and as JSON."""
    packed = archive(known, receiver.store.picture_data, translator_of(request.headers))
    headers = {"Content-Disposition": 'attachment; filename="conversation.zip"'}
    return StreamingResponse(packed, media_type="application/zip", headers=headers)


@router.post("/conversations/{conversation_id}/stop", summary="Stop the running answer")
async def stop(conversation_id: str, receiver: WithReceiver) -> Stopped:
    """Keep what was written so far as the answer."""
    if await receiver.stop(conversation_id):
        return Stopped(stopped=True)
    await receiver.conversation(conversation_id)
    return Stopped(stopped=False)


@router.post(
    "/conversations/{conversation_id}/retry",
    response_model=Analysis,
    responses=ANSWERED,
    summary="Answer the last question again",
)
async def retry(
    request: Request,
    known: Known,
    receiver: WithReceiver,
    stream: Annotated[bool, Query()] = False,
    html: Annotated[bool, Query()] = False,
    key: Key = None,
) -> Response:
    """Answer again with other random choices. The new answer replaces the old one."""
    if not known.turns:
        raise NotFound("There is no question to answer again yet. Send a picture and ask about it.")
    request.state.question = known.turns[-1].text
    broadcast = await receiver.take(
        known.id,
        WebMessage(person_of(request.scope), command="retry", idempotency_key=key or "", digest=digest_of("retry")),
    )
    return await answer_response(request, broadcast, questions_of(known), stream, html)


@router.get(
    "/conversations/{conversation_id}/pictures/{number}",
    response_class=Response,
    responses=PNG,
    summary="Get a picture as the model sees it",
)
async def picture(conversation_id: str, number: Number, receiver: WithReceiver, of: Of = "") -> Response:
    image_id, size = await receiver.picture(conversation_id, number)
    headers = {"Cache-Control": cache_control(image_id, of), "Content-Length": str(size)}
    return StreamingResponse(receiver.store.picture_data(image_id), media_type="image/png", headers=headers)


@router.delete(
    "/conversations/{conversation_id}/pictures/{number}",
    status_code=204,
    summary="Remove a picture from a conversation",
)
async def remove_picture(known: Known, number: Number, receiver: WithReceiver) -> None:
    await receiver.assistant.remove_picture(known.id, number)


@router.delete(
    "/conversations/{conversation_id}/waiting/{number}",
    status_code=204,
    summary="Take a picture off the next question",
)
async def withdraw_picture(known: Known, number: Number, receiver: WithReceiver) -> None:
    """Withdraw a waiting picture. Earlier questions keep it; otherwise it is removed."""
    if not await receiver.store.discard_picture(known.id, number):
        raise NotFound("There is no picture {number} in this conversation.", number=number)


def cache_control(identity: str, of: str, kept: str = "max-age=86400, immutable") -> str:
    """Return how long a browser may keep a file whose address says what it is `of`.

    Without that, or with that of another file, it is not kept: a waiting picture's number may pass to another picture.
    """
    return f"private, {kept}" if of and identity.startswith(of) else "no-store"


async def document_view(
    receiver: Receiver, viewer: Viewer, known: Conversation, asking: Sequence[Broadcast], pages: Sequence[int] = ()
) -> DocumentView | None:
    """Return a conversation's document, and which pages of it wait for the next question.

    What is asked about already is not among them, unless these `pages` were chosen for the next question too.
    """
    if (document := await receiver.store.document_outline(known.id)) is None:
        return None
    taken, again = pictures_of(asking), {document.images.get(page) for page in pages}
    waiting = [it for it in known.waiting if it.number not in taken or it.image.id in again]
    return viewer.document(known.id, document, waiting, receiver.services.images.page_limit)


def questions_of(known: Conversation) -> list[str]:
    return [turn.text for turn in known.turns]


async def answer_response(
    request: Request,
    broadcast: Broadcast,
    questions: Sequence[str],
    stream: bool,
    html: bool,
) -> Response:
    """Return the whole answer to the last of the conversation's questions, or its events as they come."""
    receiver, viewer = await _receiver(request), viewer_of(request)
    if stream:
        stream_of = Stream(receiver, broadcast, viewer, html, questions)
        return EventStream(stream_of, lambda: receiver.hang_up(broadcast))
    try:
        answer = await while_wanted(request, broadcast.answer())
    finally:
        receiver.hang_up(broadcast)
    analysis = viewer.analysis(broadcast.conversation_id, answer, viewer.notes(broadcast.notes, broadcast.removed))
    return Response(analysis.model_dump_json(), media_type="application/json")

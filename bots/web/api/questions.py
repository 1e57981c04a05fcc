"""Take questions, and return their answers: whole, or as they come."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from bots.conversing.document_pages import check_pages
from bots.web.access.address import person_of
from bots.web.access.owner import list_of
from bots.web.api.dependencies import Key, Known, WithReceiver, viewer_of
from bots.web.api.form import Form, read_form
from bots.web.api.listener import while_wanted
from bots.web.api.openapi import ANSWERED, ASK_FORM, REFUSALS, form
from bots.web.api.schema import Analysis
from bots.web.api.sse import EventStream, Stream
from bots.web.api.unkept import answer_unkept, open_unkept
from bots.web.api.upload import form_digest, open_files
from bots.web.broadcast import Broadcast
from bots.web.message import WebMessage, digest_of
from bots.web.receiver import Receiver
from bots.web.submission import Submission
from core.conversation import Conversation
from core.errors import BadQuestion, NotFound

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
        questions = [*questions_of(await receiver.conversations.outline(conversation_id)), form.query]
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
        begins = not form.conversation
        submission = Submission(conversation_id, web_message, opened.images, opened.documents, begins)
        broadcast = await receiver.take(submission, opened.notes)
    return broadcast, questions


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
    person = person_of(request.scope)
    web_message = WebMessage(person, command="retry", idempotency_key=key or "", digest=digest_of("retry"))
    broadcast = await receiver.take(Submission(known.id, web_message))
    return await answer_response(request, broadcast, questions_of(known), stream, html)


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
    receiver: Receiver = request.app.state.receiver
    viewer = viewer_of(request)
    if stream:
        stream_of = Stream(receiver, broadcast, viewer, html, questions)
        return EventStream(stream_of, lambda: receiver.hang_up(broadcast))
    try:
        answer = await while_wanted(request, broadcast.answer())
    finally:
        receiver.hang_up(broadcast)
    analysis = viewer.analysis(broadcast.conversation_id, answer, viewer.notes(broadcast.notes, broadcast.removed))
    return Response(analysis.model_dump_json(), media_type="application/json")

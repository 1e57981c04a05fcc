"""Answer a question of which nothing is kept."""

from starlette.requests import Request
from starlette.responses import Response

from bots.web.access.address import person_of
from bots.web.api.form import Form
from bots.web.api.listener import while_wanted
from bots.web.api.sse import EventStream, Stream
from bots.web.api.upload import Opened, open_files
from bots.web.api.view import Viewer
from bots.web.writing import Writing
from core import trace
from core.assistant import check_length
from core.conversation import Conversation, Question
from core.errors import BadQuestion


async def open_unkept(request: Request, form: Form, key: str | None) -> Opened:
    """Open the pictures of a question that may stand alone. Raises `BotError`."""
    if key or form.conversation or form.pictures or form.settings:
        raise BadQuestion(
            "Nothing is stored with keep=false: leave out conversation, pictures, settings and Idempotency-Key."
        )
    check_length(form.query)
    state = request.app.state
    await state.receiver.assistant.check_question(person_of(request.scope))
    return await open_files(request, form, state.images, state.receiver.assistant)


async def answer_unkept(request: Request, form: Form, opened: Opened, viewer: Viewer) -> Response:
    """Return the whole answer, or its events as they come. Hanging up frees the model."""
    receiver, person = request.app.state.receiver, person_of(request.scope)
    assistant = receiver.assistant
    conversation = Conversation(receiver.new_id(), stored=False).ask(Question(form.query, opened.images))
    trace.set_current(conversation.id)
    writing = Writing(receiver.broadcasts, assistant, conversation, assistant.sampling, person)
    writing.broadcast.notes = list(opened.notes)
    try:
        await while_wanted(request, writing.begin())
        if form.stream:
            return EventStream(Stream(None, writing.broadcast, viewer, form.html, [form.query]), writing.end)
        answer = await while_wanted(request, writing.broadcast.answer())
    except BaseException:
        writing.end()
        raise
    writing.end()
    analysis = viewer.analysis(None, answer, viewer.notes(opened.notes, ()))
    return Response(analysis.model_dump_json(), media_type="application/json")

"""Serve a conversation's document: its pages, small, and which of them the next question shows."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Path, Request, Response

from bots.conversing.document_pages import NoDocument, NoPage, choose_pages
from bots.web.access.address import person_of
from bots.web.api.dependencies import ConversationId, Of, WholeInMemory, WithReceiver, cache_control, viewer_of
from bots.web.api.openapi import PNG, REFUSALS
from bots.web.api.schema import Choice, DocumentView, PageNumber, Pictures
from bots.web.api.view import Viewer, pictures_of
from bots.web.broadcast import Broadcast
from bots.web.platform import WEB
from bots.web.receiver import Receiver
from core.conversation import Conversation
from core.pictures.documents import page_thumbnail

THUMBNAIL_PIXELS = 240  # twice what the page shows, for screens with small pixels

router = APIRouter(prefix="/api/v1/conversations/{conversation_id}/document", responses=REFUSALS)


@router.put("/chosen", summary="Choose pages of the document for the next question")
async def choose(
    request: Request, conversation_id: ConversationId, receiver: WithReceiver, choice: Annotated[Choice, Body()]
) -> Pictures:
    """Let these pages wait for the next question, as pictures that are sent ahead of it do, and no others of it."""
    known, asking = await receiver.conversations.shown(conversation_id)
    pages = list(dict.fromkeys(choice.pages))
    removed = await choose_pages(receiver.services, known, person_of(request.scope), pages, pictures_of(asking))
    known, viewer = await receiver.store.outline(known.id), viewer_of(request)
    document = await document_view(receiver, viewer, known, asking, pages)
    numbers = {it.picture for it in document.chosen} if document else set()
    return Pictures(
        conversation=known.id,
        pictures=[viewer.picture(known.id, picture) for picture in known.waiting if picture.number in numbers],
        removed=list(removed),
        notes=viewer.notes((), removed),
        document=document,
    )


@router.get("/pages/{page}", response_class=Response, responses=PNG, summary="Get a page of the document, small")
async def thumbnail(
    conversation_id: ConversationId,
    page: Annotated[PageNumber, Path(examples=[1])],
    receiver: WithReceiver,
    _: WholeInMemory,
    of: Of = "",
) -> Response:
    known = await receiver.store.document_outline(conversation_id) if WEB.owns(conversation_id) else None
    if known is None:
        raise NoDocument
    if page > known.page_count:
        raise NoPage(known.page_count)
    document = await receiver.store.document(conversation_id)
    if document is None or document.digest != known.digest:
        raise NoDocument
    png = await page_thumbnail(document.data, page, THUMBNAIL_PIXELS, receiver.services.images)
    return Response(png, media_type="image/png", headers={"Cache-Control": cache_control(document.digest, of)})


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

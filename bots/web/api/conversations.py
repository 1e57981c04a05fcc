"""Let a conversation be read, taken along, stopped and deleted."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from bots.web.access.address import person_of
from bots.web.api.dependencies import ConversationId, Known, WithReceiver, viewer_of
from bots.web.api.document import document_view
from bots.web.api.openapi import REFUSALS
from bots.web.api.schema import ConversationView, Stopped
from bots.web.language import translator_of
from core.answers.transcript import archive

router = APIRouter(prefix="/api/v1", responses=REFUSALS)


@router.get("/conversations/{conversation_id}", summary="Read a conversation")
async def conversation(request: Request, conversation_id: ConversationId, receiver: WithReceiver) -> ConversationView:
    known, asking = await receiver.conversations.shown(conversation_id)
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
    await receiver.conversations.outline(conversation_id)
    return Stopped(stopped=False)

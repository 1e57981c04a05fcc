"""Take pictures ahead of a question, and serve those of a conversation: as the model sees them, small, and as sent."""

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from bots.conversing.document_pages import keep_document
from bots.web.access.address import person_of
from bots.web.access.owner import list_of
from bots.web.api.dependencies import (
    ConversationId,
    Known,
    Number,
    Of,
    WholeInMemory,
    WithReceiver,
    cache_control,
    viewer_of,
)
from bots.web.api.document import document_view
from bots.web.api.form import read_form
from bots.web.api.openapi import ADD_FORM, PNG, REFUSALS, form
from bots.web.api.schema import Pictures
from bots.web.api.upload import open_files
from bots.web.platform import WEB
from core.conversation import Picture
from core.errors import BadQuestion, NotFound
from core.pictures import workers

THUMBNAIL_PIXELS = 96  # twice what the page shows, for screens with small pixels
KINDS = {b"\xff\xd8\xff": "jpg", b"\x89PNG": "png", b"GIF8": "gif", b"RIFF": "webp"}  # that browsers show, by signature
TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
UNKNOWN = "application/octet-stream"
BINARY = {"type": "string", "format": "binary"}

router = APIRouter(prefix="/api/v1", responses=REFUSALS)


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
            await receiver.conversations.outline(form.conversation)
        limits = await receiver.limits(form.conversation or "", form.settings)
        opened = await open_files(request, form, limits, receiver.assistant)
    conversation_id = form.conversation or receiver.new_id(list_of(request))
    if form.settings:
        await receiver.store.change_settings(conversation_id, form.settings)
    person, begins = person_of(request.scope), not form.conversation
    numbers, removed = await receiver.assistant.add_pictures(conversation_id, opened.images, person, begins=begins)
    await keep_document(receiver.store, conversation_id, person, opened.documents)
    added = [Picture(number, image) for number, image in zip(numbers, opened.images, strict=True)]
    viewer = viewer_of(request)
    known, asking = await receiver.conversations.shown(conversation_id)
    return Pictures(
        conversation=conversation_id,
        pictures=[viewer.picture(conversation_id, picture) for picture in added],
        removed=list(removed),
        notes=viewer.notes(opened.notes, removed),
        document=await document_view(receiver, viewer, known, asking),
    )


@router.get(
    "/conversations/{conversation_id}/pictures/{number}",
    response_class=Response,
    responses=PNG,
    summary="Get a picture as the model sees it",
)
async def picture(conversation_id: str, number: Number, receiver: WithReceiver, of: Of = "") -> Response:
    image_id, size = await receiver.conversations.picture(conversation_id, number)
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


@router.get(
    "/conversations/{conversation_id}/pictures/{number}/thumbnail",
    response_class=Response,
    responses=PNG,
    summary="Get a picture, small",
)
async def thumbnail(
    conversation_id: str, number: Number, receiver: WithReceiver, _: WholeInMemory, of: Of = ""
) -> Response:
    image = await receiver.store.numbered_picture(conversation_id, number) if WEB.owns(conversation_id) else None
    if image is None:
        raise NotFound("There is no picture {number} in this conversation.", number=number)
    [(_facts, png)] = await workers.run("core.pictures.drawing:thumbnail", image.data, {"pixels": THUMBNAIL_PIXELS})
    return Response(png, media_type="image/png", headers={"Cache-Control": cache_control(image.id, of)})


@router.get(
    "/conversations/{conversation_id}/pictures/{number}/original",
    response_class=Response,
    responses={200: {"content": {kind: {"schema": BINARY} for kind in (*TYPES.values(), UNKNOWN)}}},
    summary="Get a picture as it was sent",
)
async def original(
    conversation_id: ConversationId, number: Number, receiver: WithReceiver, _: WholeInMemory, of: Of = ""
) -> Response:
    """Return the file if it was kept, which it is where the model sees much less; else the PNG that the model sees."""
    image_id, size = await receiver.conversations.picture(conversation_id, number)
    data = await receiver.store.original(image_id)
    ending = "png" if data is None else next((end for mark, end in KINDS.items() if data.startswith(mark)), "bin")
    headers = {
        "Cache-Control": cache_control(image_id, of, "max-age=3600"),
        "Content-Disposition": f'attachment; filename="picture-{number}.{ending}"',
    }
    kind = TYPES.get(ending, UNKNOWN)
    if data is not None:
        return Response(data, media_type=kind, headers=headers)
    headers["Content-Length"] = str(size)
    return StreamingResponse(receiver.store.picture_data(image_id), media_type=kind, headers=headers)

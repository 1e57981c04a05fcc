"""Serve the file that a picture came in, to look at it more closely than the model does."""

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from bots.web.api.conversations import ConversationId, Number, Of, WithReceiver, cache_control
from bots.web.api.openapi import REFUSALS
from bots.web.api.turns import WholeInMemory

KINDS = {b"\xff\xd8\xff": "jpg", b"\x89PNG": "png", b"GIF8": "gif", b"RIFF": "webp"}  # that browsers show, by signature
TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
UNKNOWN = "application/octet-stream"
BINARY = {"type": "string", "format": "binary"}

router = APIRouter(prefix="/api/v1", responses=REFUSALS)


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
    image_id, size = await receiver.picture(conversation_id, number)
    original = await receiver.store.original(image_id)
    ending = (
        "png" if original is None else next((end for mark, end in KINDS.items() if original.startswith(mark)), "bin")
    )
    headers = {
        "Cache-Control": cache_control(image_id, of, "max-age=3600"),
        "Content-Disposition": f'attachment; filename="picture-{number}.{ending}"',
    }
    kind = TYPES.get(ending, UNKNOWN)
    if original is not None:
        return Response(original, media_type=kind, headers=headers)
    headers["Content-Length"] = str(size)
    return StreamingResponse(receiver.store.picture_data(image_id), media_type=kind, headers=headers)

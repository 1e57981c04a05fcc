"""Show a shared conversation to everyone who has its link. Nothing can be changed here, and its id is not told."""

import asyncio
import re
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response, StreamingResponse

from bots.web.api.dependencies import viewer_of
from bots.web.page.pages import show
from bots.web.receiver import Receiver
from core.conversation import Conversation
from core.errors import NotFound

LINK = re.compile(r"[A-Za-z0-9_-]{43}")

router = APIRouter(prefix="/shared", include_in_schema=False)


@router.get("/{link}")
async def shared(request: Request, link: str) -> Response:
    try:
        known = await _behind(request, link)
    except NotFound:
        return show(request, "shared.html", 404, turns=[], link="")
    view = await asyncio.to_thread(viewer_of(request).conversation, known, [])
    return show(request, "shared.html", turns=view.turns, link=link)


@router.get("/{link}/pictures/{number}")
async def picture(request: Request, link: str, number: Annotated[int, Path(ge=1, le=1_000_000)]) -> Response:
    receiver: Receiver = request.app.state.receiver
    known = await _behind(request, link)
    if number not in {picture.number for turn in known.turns for picture in turn.pictures}:  # another one may wait
        raise NotFound("There is nothing at this address.")
    image_id, size = await receiver.conversations.picture(known.id, number)
    headers = {"Content-Length": str(size)}  # not kept by browsers: the link may be revoked
    return StreamingResponse(receiver.store.picture_data(image_id), media_type="image/png", headers=headers)


async def _behind(request: Request, link: str) -> Conversation:
    receiver: Receiver = request.app.state.receiver
    found = await receiver.store.shared(link) if LINK.fullmatch(link) else None
    if found is None:
        raise NotFound("There is nothing at this address.")
    return await receiver.conversations.outline(found)

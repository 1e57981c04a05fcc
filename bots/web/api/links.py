"""Serve the link that opens one conversation for reading, for those who may change that."""

import secrets

from fastapi import APIRouter, Request

from bots.web.api.dependencies import Known, WithReceiver
from bots.web.api.openapi import REFUSALS
from bots.web.api.schema import Link

router = APIRouter(prefix="/api/v1/conversations/{conversation_id}/link", responses=REFUSALS)


@router.post("", summary="Share a conversation by a link")
async def share(request: Request, known: Known, receiver: WithReceiver) -> Link:
    """Return the address where everybody who has it can read the conversation, what is asked later included.

    It needs no token, and is only for reading. Asked for again, it is the same until it is revoked.
    """
    link = await receiver.store.share(known.id, secrets.token_urlsafe(32))
    return Link(path=f"{request.app.state.config.path}/shared/{link}")


@router.delete("", status_code=204, summary="Take the link back")
async def unshare(known: Known, receiver: WithReceiver) -> None:
    """Let the link open nothing any more. Sharing again makes another one."""
    await receiver.store.unshare(known.id)

"""Serve the list of conversations, and how one's own stand in it."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request

from bots.web.access.address import person_of
from bots.web.access.owner import NO_ONE, owner_of
from bots.web.api.dependencies import Known, WithReceiver
from bots.web.api.openapi import REFUSALS
from bots.web.api.schema import Arrangement, Summaries, SummaryView
from bots.web.json_body import Text
from bots.web.platform import WEB
from core.conversation_list import ConversationSummary

router = APIRouter(prefix="/api/v1/conversations", responses=REFUSALS)


@router.get("", response_model_exclude_none=True, summary="List the conversations")
async def conversations(
    request: Request,
    receiver: WithReceiver,
    after: Annotated[
        str,
        Query(
            pattern=r"^((pinned~)?[0-9]{1,20}(\.[0-9]{1,20})?~web:[0-9a-zA-Z:_-]{1,100})?$",
            description="`next` of a list.",
        ),
    ] = "",
    words: Annotated[
        Text,
        Query(
            max_length=100, description="Only those in whose name, questions or answers each of these words is found."
        ),
    ] = "",
) -> Summaries:
    """One's own and everybody's: pinned ones, then the newest, up to 200. Where there are more, `next` asks for them.

    Own are those that were begun in this browser, or by the person whom a proxy signed in. What programs begin is in no
    list; its id opens it. The newest 2,000 are searched.
    """
    owner = owner_of(request)
    async with request.app.state.lists.slot(person_of(request.scope)):
        asking, writing = await receiver.conversations.asking()
        page = await receiver.store.summaries(
            WEB.name, after, asking.keys(), owner="" if owner == NO_ONE else owner, words=words
        )
    path = request.app.state.config.path
    views = [
        SummaryView(
            id=known.id,
            title=known.title or asking.get(known.id, ""),
            named=known.named,
            pinned=known.pinned,
            updated=known.updated,
            writing=known.id in writing,
            thumbnail=_thumbnail(known, path),
        )
        for known in page.summaries
    ]
    return Summaries(conversations=views, next=page.next)


@router.patch("/{conversation_id}", status_code=204, summary="Name or pin a conversation")
async def arrange(known: Known, receiver: WithReceiver, wanted: Annotated[Arrangement, Body()]) -> None:
    await receiver.store.arrange(known.id, wanted.name, wanted.pinned)


def _thumbnail(known: ConversationSummary, path: str) -> str | None:
    if known.picture is None:
        return None
    number, image_id = known.picture
    return f"{path}/api/v1/conversations/{known.id}/pictures/{number}/thumbnail?of={image_id[:8]}"

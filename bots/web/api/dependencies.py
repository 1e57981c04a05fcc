"""Provide what routes of the API have in common: what an address names, parameters, and slots for large answers."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from bots.web.access.address import person_of
from bots.web.api.schema import EXAMPLE_ID
from bots.web.api.view import Viewer
from bots.web.language import translator_for
from bots.web.receiver import Receiver
from core.conversation import Conversation


async def _receiver(request: Request) -> Receiver:
    receiver: Receiver = request.app.state.receiver
    return receiver


ConversationId = Annotated[str, Path(examples=[EXAMPLE_ID])]


async def _known(conversation_id: ConversationId, receiver: "WithReceiver") -> Conversation:
    return await receiver.conversations.outline(conversation_id)


async def _whole_in_memory(request: Request) -> AsyncIterator[None]:
    """Hold one of the few slots for answers that stay in memory until they are read."""
    async with request.app.state.whole_in_memory.slot(person_of(request.scope)):
        yield


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
WholeInMemory = Annotated[None, Depends(_whole_in_memory)]
Number = Annotated[int, Path(ge=1, le=1_000_000, examples=[1])]
Of = Annotated[
    str, Query(description="The beginning of the picture's id, as in a view: only with it is the file cached.")
]


def viewer_of(request: Request) -> Viewer:
    state = request.app.state
    return Viewer(translator_for(request), state.config.receipt, state.images.image_tokens, state.config.path)


def cache_control(identity: str, of: str, kept: str = "max-age=86400, immutable") -> str:
    """Return how long a browser may keep a file whose address says what it is `of`.

    Without that, or with that of another file, it is not kept: a waiting picture's number may pass to another picture.
    """
    return f"private, {kept}" if of and identity.startswith(of) else "no-store"

"""Stand in for the engine if torch is not installed: everything works except answering, which says why."""

import asyncio
from collections.abc import Collection
from typing import NoReturn

from core.answer import Answer
from core.conversation import Conversation
from core.errors import EngineMissing
from core.events import Tell
from core.image import Image
from core.sampling import Sampling


class MissingEngine:
    """Implements `core.assistant.Engine`, and whatever else the service asks of an engine."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        """Raise `EngineMissing`."""
        self.check()

    async def encode_ahead(self, image: Image) -> None:
        """Do nothing."""

    def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
        """Do nothing: nothing was computed."""

    def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None:
        """Do nothing: nothing was computed."""

    def check(self) -> NoReturn:
        """Raise `EngineMissing`."""
        raise EngineMissing("There is no model on this server yet. The log of the server says what to install.")

    async def ended(self) -> None:
        """Wait for ever: there is nothing that could end."""
        await asyncio.Event().wait()

    def stats(self) -> None:
        """Return no stats."""

    async def close(self) -> None:
        """Do nothing."""

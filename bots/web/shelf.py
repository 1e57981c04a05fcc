"""What the web needs of a store beyond one conversation. `storage.Store` has it all."""

from collections.abc import Sequence
from typing import Protocol

from core.assistant import History
from core.conversation import Image, Summary
from core.inbox import Mailbox


class Shelf(History, Mailbox, Protocol):
    ratings: bool  # whether answers may be rated

    async def conversations(self, prefix: str) -> Sequence[Summary]:
        """Every conversation whose id begins with `prefix`, newest first."""
        ...

    async def keys(self, conversation_id: str) -> Sequence[str]:
        """Of the turns that `load` gives, in the same order."""
        ...

    async def numbered_picture(self, conversation_id: str, number: int) -> Image | None:
        """One picture of a conversation; the others are not read for it."""
        ...

    async def picture(self, image_id: str) -> Image:
        """With the bytes that were sent, where they were kept. Raises `NotFound`."""
        ...

    async def rate(self, key: str, rating: int) -> bool:
        """1 is a thumb up, -1 down, 0 takes it back; False when no turn was saved under `key`."""
        ...

    async def check(self) -> None:
        """Raises `StoreDown` when nothing could be written down now."""
        ...

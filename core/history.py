"""Say what a history of conversations is to those who ask: `storage.store.Store` remembers in a database."""

from collections.abc import Sequence
from typing import Protocol

from core.conversation import Conversation, Turn
from core.image import Image
from core.tally import Tallies


class History(Tallies, Protocol):
    """What remembers: `storage.store.Store`, or the tests' dictionary."""

    async def load(self, conversation_id: str) -> Conversation:
        """Return the conversation since its last restart. An unknown id is an empty conversation."""
        ...

    async def outline(self, conversation_id: str) -> Conversation:
        """Return what `load` returns, without the data of images, for callers that only need numbers and words."""
        ...

    async def answered(self, key: str) -> Turn | None:
        """Return the turn that was saved under `key`, if any, as in an outline."""
        ...

    async def picture(self, image_id: str) -> Image:
        """Return a picture with its data. Raises `NotFound`."""
        ...

    async def make_room(self, person: str, images: Sequence[Image]) -> None:
        """Make room for a question of this person with these pictures. Raises `NoRoom` if that is impossible."""
        ...

    async def save(
        self, conversation_id: str, turn: Turn, key: str, replaces: str | None = None, person: str | None = None
    ) -> None:
        """Save a finished turn in one transaction. `replaces` is the key of a turn that it replaces."""
        ...

    async def add_pictures(
        self,
        conversation_id: str,
        images: Sequence[Image],
        person: str | None = None,
        first: int | None = None,
        *,
        begins: bool = True,
    ) -> Sequence[int]:
        """Save pictures that wait for their question, all or none, and return their numbers.

        The same picture keeps its number. A new one gets `first`, unless that number was given before. Unless they may
        be what a conversation `begins` with, raises `ConversationGone` if there is none.
        """
        ...

    async def remove_picture(self, conversation_id: str, number: int, keeps_document: bool = False) -> bool:
        """Remove a picture, and the document that it is a page of. Return False if there is no such picture."""
        ...

    async def restart(self, conversation_id: str) -> None:
        """Restart the conversation. Earlier turns stay on disk until they expire, but no longer belong to it."""
        ...

    async def forget(self, conversation_id: str, key: str | None = None) -> tuple[str, ...]:
        """Remove the conversation and the pictures that it alone uses; see `storage.store.Store.forget`."""
        ...

    async def key_of_turn(self, conversation_id: str, number: int) -> str | None:
        """Return the key of a saved turn, by its number from 1."""
        ...

"""What the platforms keep on disk and look up there: `storage.Store`, which alone knows the tables."""

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from typing import Protocol

from core.assistant import History
from core.conversation import Image, SummaryPage, Turn
from core.inbox import Mailbox, Message


class Store(History, Mailbox, Protocol):
    """Every method raises `StoreDown` when the disk fails."""

    ratings: bool  # whether answers may be rated

    async def turn_of_sent(self, adapter: str, sent: str, conversation_id: str | None = None) -> Turn | None:
        """The turn whose answer stands in the platform's message `sent`."""
        ...

    async def conversation_of(self, key: str) -> str | None:
        """The conversation that the message `key` was put into; None for one that is not known."""
        ...

    async def last_pictured(self, prefix: str) -> str | None:
        """Of the conversations whose id begins with `prefix`, the one with pictures that changed last."""
        ...

    async def is_sent(self, adapter: str, sent: str) -> bool:
        """Whether the platform's message `sent` is known to carry (a part of) an answer."""
        ...

    async def conversations(self, prefix: str, after: str, untitled: Collection[str]) -> SummaryPage:
        """Those whose id begins with `prefix` and in which something was asked, newest first; see `storage.Store`."""
        ...

    async def keys(self, conversation_id: str) -> Sequence[str]:
        """Of the turns that `load` gives, in the same order."""
        ...

    async def answered_today(self) -> int:
        """How many questions, since midnight of this machine's time zone."""
        ...

    async def move(self, conversation_id: str, new_id: str) -> bool:
        """The platform gave the conversation's place another name; False when nothing was said there."""
        ...

    async def check(self) -> None:
        """Raises `StoreDown` when nothing could be written down now."""
        ...

    async def expire(self) -> int:
        """Forget what nobody wrote in for long, unless the clock is in doubt; returns how many conversations."""
        ...

    @property
    def doubt(self) -> str:
        """Why nothing expires at the moment, as a sentence for the operator; empty when all is well."""
        ...

    async def notices(self) -> dict[str, str]:
        """What the operator should know of the disk and the limit, as sentences; empty ones when all is well."""
        ...

    def clock_jumped(self) -> bool:
        """Whether somebody moved the clock since `expire` looked at it."""
        ...

    # Pictures, and the platform's files that they came in

    async def picture(self, image_id: str) -> Image:
        """With the bytes that were sent, where they were kept. Raises `NotFound`."""
        ...

    async def picture_size(self, conversation_id: str, number: int) -> tuple[str, int] | None:
        """The id of a picture of a conversation, and how many bytes `picture_data` will give."""
        ...

    def picture_data(self, image_id: str) -> AsyncGenerator[bytes]:
        """A picture in pieces, each read when it is asked for. Raises `NotFound`, also when it is removed meanwhile."""
        ...

    async def numbered_picture(self, conversation_id: str, number: int) -> Image | None:
        """One picture of a conversation; the others are not read for it."""
        ...

    async def withdraw_picture(self, conversation_id: str, number: int) -> bool:
        """It does not wait for the next question any more; one that no turn shows is removed. False without it."""
        ...

    async def put_question(
        self,
        adapter: str,
        key: str,
        conversation_id: str,
        images: Sequence[Image],
        payload: Callable[[Sequence[int], Sequence[int]], str],
        person: str,
    ) -> Message | None:
        """As `put`, with pictures of its own; `payload` is told their numbers, and which of these are new."""
        ...

    async def take_back(self, message: Message, numbers: Sequence[int]) -> None:
        """A question that was refused leaves nothing: not its key, nor these pictures, if no other question shows
        them."""
        ...

    async def remember_file(self, file: str, conversation_id: str, image_ids: Sequence[str]) -> None: ...

    async def known_files(self, conversation_id: str) -> set[str]: ...

    async def remove_file(self, file: str) -> bool: ...

    # People

    async def rate(self, key: str, rating: int) -> bool:
        """1 is a thumb up, -1 down, 0 takes it back; False when no turn was saved under `key`."""
        ...

    async def rate_sent(self, adapter: str, sent: str, rating: int) -> bool:
        """As `rate`, for the turn whose answer stands in the platform's message `sent`."""
        ...

    async def block(self, person: str) -> bool:
        """`person` is the platform's id of somebody; False when they were blocked before."""
        ...

    async def unblock(self, person: str) -> bool:
        """False when they were not blocked."""
        ...

    async def is_blocked(self, person: str) -> bool: ...

    # Sessions of the web page

    async def end_session(self, session: str, until: float) -> None:
        """Remember that a session was ended, at least until that moment in seconds since 1970."""
        ...

    async def is_ended(self, session: str) -> bool: ...

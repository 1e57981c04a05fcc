"""Define a message being written on a platform, as the delivery loop sees it, and its errors."""

from typing import Protocol, TypeVar

from bots.conversing.answer_action import AnswerAction
from bots.conversing.events import File
from core.answer import Answer

Chunk = TypeVar("Chunk")


class Draft(Protocol[Chunk]):
    """A message being written on some platform; use it with `async with`. A `Chunk` is what one message can hold.

    Chunks compare by content. Every method raises `RetryLater`, `Refused` or (`edit`) `Gone`, and no error of its SDK.
    """

    async def __aenter__(self) -> object: ...

    async def __aexit__(self, *_: object) -> None: ...

    keeps_old_answer: bool  # the messages to edit hold an earlier answer, which an error must not replace

    @property
    def interval(self) -> float:
        """Seconds until the next edit of a growing answer."""
        ...

    @property
    def scarce(self) -> bool:
        """Whether so few writes are allowed now that none may be wasted.

        Then nothing is posted before there are words, and an answer that is complete by then is posted once.
        """
        ...

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        """Set the actions for which the finished answer gets buttons."""
        ...

    def split(self, text: str) -> list[Chunk]:
        """Return the whole text as messages, in order. A longer text only ever changes the last chunks."""
        ...

    async def status(self, sentence: str) -> bool:
        """Show what is happening if the platform has a place of its own for it; otherwise return False.

        Called once at the start with an empty sentence: the question was received.
        """
        ...

    async def preview(self, text: str) -> bool:
        """Show a growing answer if the platform has a place of its own for it; otherwise return False."""
        ...

    async def post(self, chunk: Chunk | None = None) -> str:
        """Post a placeholder, or the first words if writes are scarce. Return the platform's id of it."""
        ...

    async def edit(self, posted_id: str, chunk: Chunk, answer: Answer | None, last: bool) -> None:
        """Make the message say `chunk`. `answer` is None while it is being written; `last` carries the buttons."""
        ...

    async def send(self, content: Chunk | File, answer: Answer, last: bool) -> str:
        """Post a finished message without a placeholder, and return the platform's id.

        This is for messages that cannot be edited, or while writes are scarce. If it is repeated after a crash or a
        lost reply, the message appears twice, so nothing else is sent this way.
        """
        ...

    async def attach(self, posted_id: str, file: File) -> None:
        """Turn the placeholder `posted_id` into a message with this file.

        It may be called again for the same one after a crash.
        """
        ...

    async def remove(self, posted_id: str) -> None:
        """Delete a message that the answer no longer needs. It may be gone already."""
        ...

"""A message being written on some platform, as the reply loop sees it, and what can go wrong with one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from core.conversation import Answer, Event

Part = TypeVar("Part")


class Later(Exception):
    """The platform asks to wait, or cannot be reached: try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.0f} s")
        self.seconds = seconds


class Failed(Later):
    """As `Later`, but the platform did not ask for it: the write failed, or nobody knows whether it was done."""


class Refused(Exception):
    """The platform will never take this message: the chat is gone or the bot is blocked."""


class NotWritable(Refused):
    """The bot may not write in this chat, but whoever asked can be told elsewhere."""


class Gone(Exception):
    """This one message is not there any more, or cannot be edited; its chat is there: another takes its place."""


@dataclass(frozen=True, slots=True)
class File:
    """Something to take along with an answer, told among its events; the answer's text may be empty."""

    name: str
    data: bytes = field(repr=False)
    caption: str = ""

    @property
    def is_picture(self) -> bool:
        return self.name.endswith(".png")


Tell = Callable[[Event | File], None]  # never blocks
Ask = Callable[[Tell], Awaitable[Answer]]  # tells the events of an answer and returns it


class Draft(Protocol[Part]):
    """A message being written on some platform. A `Part` is what one of its messages can hold.

    Parts compare by content. Every method raises `Later`, `Refused` or (`edit`) `Gone`, and nothing else of its SDK.
    """

    keeps: bool  # where messages are written over, they are an answer: what is no answer does not take its place

    @property
    def interval(self) -> float:
        """Seconds until the next edit of a growing answer."""
        ...

    @property
    def scarce(self) -> bool:
        """Whether so much is written there just now that every write counts: nothing is posted before there are words,
        and an answer that is whole by then is posted once."""
        ...

    def split(self, text: str) -> list[Part]:
        """The whole text as messages, in order; a longer text only ever changes the last parts."""
        ...

    async def status(self, sentence: str) -> bool:
        """Show what is happening where the platform has a place of its own for it; False where it has none.

        Called once at the start with an empty sentence: the question was received.
        """
        ...

    async def preview(self, text: str) -> bool:
        """Show a growing answer where the platform has a place of its own for it; False where it has none."""
        ...

    async def post(self, part: Part | None = None) -> str:
        """Post a placeholder, or the first words where writes are scarce; returns the platform's id of it."""
        ...

    async def edit(self, sent: str, part: Part, answer: Answer | None, last: bool) -> None:
        """Make the message say `part`. `answer` is None while it is being written; `last` carries the buttons."""
        ...

    async def send(self, content: Part | File, answer: Answer, last: bool) -> str:
        """Post a finished message without a placeholder, where messages cannot be edited or writes are scarce; returns
        the platform's id.

        Done again after a crash or a lost reply it shows twice, so nothing else is done this way.
        """
        ...

    async def attach(self, sent: str, file: File) -> None:
        """Make the placeholder `sent` a message with this file; may be called again for the same one after a crash."""
        ...

    async def remove(self, sent: str) -> None:
        """Take away a message that the answer no longer needs; one that is gone already is fine."""
        ...

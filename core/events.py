"""Define what is told while an answer is written."""

from collections.abc import Callable
from dataclasses import dataclass

from core.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Waiting:
    """The question is in the queue. `position` 1 is next; `seconds` until the first piece, if speeds are known."""

    position: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Looking:
    """The vision encoder works on the `picture`-th of `total` new pictures."""

    picture: int
    total: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to append to the answer, never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """Text to append to what the model thinks before its answer."""

    text: str


@dataclass(frozen=True, slots=True)
class BeganAgain:
    """The pieces so far are void.

    The engine was lost, and the answer is written again from its beginning; or they were a `thought` before it.
    """

    thought: str = ""


@dataclass(frozen=True, slots=True)
class PicturesRemoved:
    """Pictures that were removed from their conversation to make room."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConversationLoaded:
    """What the model is asked, with the open question last.

    Callers that need the pictures or earlier words find them here, and load nothing again.
    """

    conversation: Conversation


Event = ConversationLoaded | Waiting | Looking | Thought | Piece | BeganAgain | PicturesRemoved
Tell = Callable[[Event], None]  # never blocks

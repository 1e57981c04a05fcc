"""Define what is told while an answer is made for people: the model's events, and files."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.answer import Answer
from core.events import Event


@dataclass(frozen=True, slots=True)
class File:
    """A file with an answer, told among its events. The answer's text may be empty."""

    name: str
    data: bytes = field(repr=False)
    caption: str = ""

    @property
    def is_picture(self) -> bool:
        return self.name.endswith(".png")


Tell = Callable[[Event | File], None]  # never blocks
Ask = Callable[[Tell], Awaitable[Answer]]  # tells the events of an answer and returns it

"""Define what is called while a request is answered."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bots.conversing.answer_action import AnswerAction
from core.image import Image
from core.stop import Stop


async def _always() -> bool:
    return True


def _ignore(told: object) -> None:
    pass


async def _ignore_images(index: int, images: Sequence[Image]) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHooks:
    """What is called while a request is answered."""

    stop: Stop = field(default_factory=Stop)  # tells whether the answer is to stop
    offer: Callable[[tuple[AnswerAction, ...]], None] = _ignore  # told what else can be had, before the answer ends
    on_note: Callable[[str], None] = _ignore  # told what is left out, where the platform says so itself
    on_opened: Callable[[int, Sequence[Image]], Awaitable[None]] = _ignore_images  # gets what the n-th file became
    may_change_settings: Callable[[], Awaitable[bool]] = _always  # of the conversation; may ask the platform

"""Define how an answer is shown, as the dispatcher sees it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from bots.conversing.answer_action import AnswerAction
from bots.conversing.events import Ask


class Reply(Protocol):
    """How a growing answer is shown: in messages that are edited, or to readers who get each piece."""

    @property
    def begun(self) -> bool:
        """Whether any of the answer has been written."""
        ...

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        """Set the actions for which the finished answer gets buttons."""
        ...

    async def write(self, ask: Ask) -> object:
        """Ask, and return once the answer is shown, whole."""
        ...


Record = Callable[[Sequence[str]], Awaitable[None]]  # writes down the ids of the messages that carry an answer

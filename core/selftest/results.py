"""Ask the tasks one after the other, as a person would, and judge the answers."""

import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from core.answer import Answer, Ending, Figures
from core.assistant import Engine
from core.conversation import Conversation, Question
from core.errors import BotError, EngineEnded
from core.events import Event, Piece
from core.image import Image
from core.pictures.images import ImagesConfig, make_image
from core.sampling import Sampling
from core.selftest.drawing import FOLDER
from core.selftest.tasks import Task

log = logging.getLogger(__name__)


class Verdict(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    BROKEN = "broken"  # there is no answer, but an error


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task. `text` is the answer, or the error's sentence."""

    task: Task
    verdict: Verdict
    text: str
    ending: Ending = Ending.FAILED
    figures: Figures = field(default_factory=Figures)
    first_token_s: float | None = None
    is_new: bool = False  # it shows a picture for the first time

    @property
    def looped(self) -> bool:
        return self.ending is Ending.REPEATED


async def load_pictures(tasks: Sequence[Task], config: ImagesConfig) -> dict[str, Image]:
    """Open the tasks' pictures by name, as if people had sent them."""
    names = dict.fromkeys(name for task in tasks for name in task.pictures)
    return {name: await make_image((FOLDER / f"{name}.png").read_bytes(), config) for name in names}


def start_conversation(task: Task, pictures: Mapping[str, Image], number: int = 0) -> Conversation:
    """Return a new conversation with the task's question, still open. `number` tells it from others."""
    images = tuple(pictures[name] for name in task.pictures)
    return Conversation(f"selftest:{number}").ask(Question(task.question, images))


async def ask_all(
    engine: Engine, tasks: Sequence[Task], pictures: Mapping[str, Image], sampling: Sampling
) -> AsyncIterator[Result]:
    """Yield each task's result. One that fails harms no other; raises `EngineEnded` if the engine is gone."""
    conversation, shown = Conversation("selftest:0"), set[str]()
    for number, task in enumerate(tasks):
        asked = (
            start_conversation(task, pictures, number) if task.pictures else conversation.ask(Question(task.question))
        )
        result = replace(await _ask(engine, task, asked, sampling), is_new=bool({*task.pictures} - shown))
        shown.update(task.pictures)
        if result.verdict is not Verdict.BROKEN:
            conversation = asked.answered(Answer(result.text, result.ending, result.figures))
        elif task.pictures:  # a follow-up needs the pictures, and no answer
            conversation = replace(asked, turns=(), waiting=asked.turns[-1].pictures)
        yield result


async def _ask(engine: Engine, task: Task, conversation: Conversation, sampling: Sampling) -> Result:
    begun, first = time.monotonic(), None

    def hear(event: Event) -> None:
        nonlocal first
        if isinstance(event, Piece) and first is None:
            first = time.monotonic() - begun

    try:
        answer = await engine.answer(conversation, sampling, hear)
    except EngineEnded:
        raise
    except BotError as error:
        return Result(task, Verdict.BROKEN, str(error))
    except Exception as error:  # a bug, too, is something that the self-test has to tell
        log.exception("the question %r cannot be answered", task.question)
        return Result(task, Verdict.BROKEN, f"{type(error).__name__}, see the log")
    right = answer.ending is Ending.DONE and task.expected.holds(answer.text)
    verdict = Verdict.RIGHT if right else Verdict.WRONG
    return Result(task, verdict, answer.text, answer.ending, answer.figures, first)

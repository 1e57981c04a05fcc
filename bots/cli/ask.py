"""Ask in the terminal. Only the answer goes to stdout; progress, notes and timings go to stderr."""

import signal
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console

from bots.cli.answer_output import AnswerOutput, AnswerStream
from bots.cli.ask_files import translator_for
from core.answer import Answer
from core.errors import BotError
from core.events import Tell
from core.image import Image


class Answerer(Protocol):
    """Who answers: the model in this process, or a running service. Files go with the first question that is taken.

    `notes` say what was left out of the last question's files.
    """

    notes: Sequence[str]

    async def ask(self, text: str, tell: Tell) -> Answer:
        """Answer a question about the files, or about what was said before. Raises `BotError`."""
        ...

    async def images(self) -> Sequence[Image]:
        """Return the pictures that were asked about, in the order in which the model numbers them."""
        ...

    def timing(self, answer: Answer) -> str: ...


async def converse(answerer: Answerer, output: AnswerOutput, console: Console, query: str, chat: bool) -> None:
    """Answer the question, if there is one. In a chat, read further ones. Raises `BotError`."""
    while True:
        if query:
            try:
                await _answer(answerer, output, console, query)
            except BotError as error:  # its pictures stay for the next question
                sentence = translator_for(query).explain(error)
                if not chat:
                    raise BotError(sentence) from error
                console.print(sentence, soft_wrap=True)
        if not chat:
            return
        try:
            query = _typed(console)
        except (EOFError, KeyboardInterrupt):
            return


async def _answer(answerer: Answerer, output: AnswerOutput, console: Console, query: str) -> None:
    translator = translator_for(query)
    with AnswerStream(console, translator, output.shows_pieces) as stream:
        answer = await answerer.ask(query, stream.tell)
        stream.finish(answer)
    for note in [*answerer.notes, *await output.write(query, answer, answerer.images, translator)]:
        console.print(note, style="dim", soft_wrap=True)
    console.print(answerer.timing(answer), style="dim", soft_wrap=True)


def _typed(console: Console) -> str:
    """Read a line.

    Exits at the first Ctrl-C: asyncio's own handler only cancels a task, and the prompt would wait on.
    """
    asyncios = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return console.input("? ").strip()
    finally:
        signal.signal(signal.SIGINT, asyncios)

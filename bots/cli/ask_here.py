"""Answer questions of the terminal with the model in this process."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from rich.console import Console

from bots.cli.ask_files import LocalFile, open_all, translator_for
from bots.config import Settings
from bots.service import open_services
from core.assistant import Assistant
from core.conversation import Answer, Ending, Image, Question, Tell
from core.i18n import Translator
from core.model.description import ModelDescription

ID = "terminal:1"


class HereAnswerer:
    """Implements `bots.cli.ask.Answerer`."""

    def __init__(self, assistant: Assistant, images: tuple[Image, ...]) -> None:
        self._assistant = assistant
        self._images = self._unasked = images
        self._number = 0

    async def ask(self, text: str, tell: Tell) -> Answer:
        self._number += 1
        answer = await self._assistant.ask(ID, Question(text, self._unasked), str(self._number), tell=tell)
        self._unasked = ()
        return answer

    async def images(self) -> Sequence[Image]:
        return self._images

    def timing(self, answer: Answer) -> str:
        figures = answer.figures
        stages = f"pictures {figures.image_s:.1f}, reading {figures.prefill_s:.1f}, writing {figures.decode_s:.1f}"
        cut = "" if answer.ending is Ending.DONE else f", {answer.ending}"
        return f"{figures.total_s:.1f} s: {stages}; {figures.answer_tokens} tokens{cut}"


@asynccontextmanager
async def answer_here(
    settings: Settings, files: Sequence[LocalFile], query: str, console: Console
) -> AsyncIterator[HereAnswerer]:
    """Open the files, then load the model. A terminal chat is private and ends with its window. Raises `BotError`."""
    images = await open_all(files, query, settings.images, console)
    with tempfile.TemporaryDirectory() as folder:
        storage = settings.storage.model_copy(update={"url": f"sqlite+aiosqlite:///{folder}/chat.sqlite"})
        opening = open_services(replace(settings, storage=storage))
        status = console.status(f"Loading {settings.engine.model} …")
        status.start()
        try:
            async with opening as services:
                status.stop()
                _introduce(services.model, console, translator_for(query))
                try:
                    yield HereAnswerer(services.assistant, images)
                finally:
                    await services.assistant.forget(ID)  # removes cached results, too
        finally:
            status.stop()


def _introduce(model: ModelDescription, console: Console, translator: Translator) -> None:
    """Say what one has to know of the model before its answers."""
    if model.introduction is not None:
        how = f"{translator.say('how to get the real one')}: python -m bots model fetch"
        console.print(f"{translator.explain(model.introduction)} · {how}", style="dim", soft_wrap=True)

"""Answer questions of the terminal with the model in this process."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from rich.console import Console

from bots.cli.ask_files import LocalFile, open_all, pictures_of, translator_for
from bots.config import Settings
from bots.service import open_services
from core.answer import Answer, Ending
from core.assistant import Assistant
from core.conversation import Question
from core.errors import BadImage
from core.events import Tell
from core.i18n import Translator
from core.image import Image
from core.model.description import ModelDescription
from core.pictures.documents import Document, document_for, open_document
from core.pictures.images import ImagesConfig
from core.settings import ConversationSettings

ID = "terminal:1"


class LocalAnswerer:
    """Implements `bots.cli.ask.Answerer`."""

    def __init__(
        self,
        assistant: Assistant,
        documents: Sequence[Document],
        opened_for: str = "",
        limits: ImagesConfig = ImagesConfig(),
    ) -> None:
        """Ask about files that were opened for their first question, or before there was one: ""."""
        self.notes: Sequence[str] = ()
        self._assistant = assistant
        self._documents = documents
        self._opened_for = opened_for
        self._limits = limits
        self._unasked = list(documents)
        self._asked: list[Document] = []
        self._number = 0

    async def ask(self, text: str, tell: Tell) -> Answer:
        self._number += 1
        asked = await self._turned(text)
        answer = await self._assistant.ask(ID, Question(text, pictures_of(asked)), str(self._number), tell=tell)
        self._asked += asked
        self._unasked = []
        return answer

    async def images(self) -> Sequence[Image]:
        return pictures_of(self._asked)

    async def _turned(self, text: str) -> list[Document]:
        """Return what to show with a question: a document with the pages that it names in place of others."""
        self.notes = ()
        data, translator = document_for(self._documents, text), translator_for(text)
        if data is None or text == self._opened_for:
            return self._unasked
        try:
            opened = await open_document(data, text, self._limits)
        except BadImage as error:  # a page that it does not have; the question may be about another one
            self.notes = [translator.explain(error)]
            return self._unasked
        self.notes = [opened.note(translator, kept=True)]
        return [*(document for document in self._unasked if document.data != data), opened]

    def timing(self, answer: Answer) -> str:
        figures = answer.figures
        stages = f"pictures {figures.image_s:.1f}, reading {figures.prefill_s:.1f}, writing {figures.decode_s:.1f}"
        cut = "" if answer.ending is Ending.DONE else f", {answer.ending}"
        return f"{figures.total_s:.1f} s: {stages}; {figures.answer_tokens} tokens{cut}"


@asynccontextmanager
async def answer_locally(
    settings: Settings,
    files: Sequence[LocalFile],
    query: str,
    console: Console,
    chat: bool,
    wanted: ConversationSettings = ConversationSettings(),
) -> AsyncIterator[LocalAnswerer]:
    """Open the files, then load the model. A terminal chat is private and ends with its window. Raises `BotError`."""
    limits = settings.images.sharpened(wanted.pixel_factor)
    documents, translator = await open_all(files, query, limits), translator_for(query)
    for note in filter(None, (document.note(translator, kept=chat) for document in documents)):
        console.print(note, style="dim", soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        storage = settings.storage.model_copy(update={"url": f"sqlite+aiosqlite:///{folder}/chat.sqlite"})
        opening = open_services(replace(settings, storage=storage))
        status = console.status(f"Loading {settings.engine.model} …")
        status.start()
        try:
            async with opening as services:
                status.stop()
                _introduce(services.model, console, translator)
                await services.store.change_settings(ID, wanted)
                try:
                    yield LocalAnswerer(services.assistant, documents, query, limits)
                finally:
                    await services.assistant.forget(ID)  # removes cached results, too
        finally:
            status.stop()


def _introduce(model: ModelDescription, console: Console, translator: Translator) -> None:
    """Say what one has to know of the model before its answers."""
    if model.introduction is not None:
        how = f"{translator.say('how to get the real one')}: python -m bots model fetch"
        console.print(f"{translator.explain(model.introduction)} · {how}", style="dim", soft_wrap=True)

"""Ask in the terminal. Only the answer goes to stdout; progress and timings go to stderr."""

import os
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bots.config import Settings
from bots.service import open_services
from core.assistant import Assistant
from core.conversation import Ending, Event, Figures, Looking, Piece, Question, Waiting
from core.errors import BadImage, BadQuestion, BotError, OperatorError
from core.i18n import Translator
from core.pictures.documents import Document, open_document
from core.pictures.file_types import SUFFIXES
from core.pictures.images import ImagesConfig

ID = "terminal:1"


async def converse(settings: Settings, words: list[str], chat: bool) -> None:
    """Answer one question about the pictures among `words`, or chat about them. Raises `BotError` for bad input."""
    paths, query = _sort(words)
    if not paths:
        raise BadQuestion('Name a picture and ask: python -m bots ask invoice.png "What is the total?"')
    console, translator = Console(stderr=True, markup=False), _translator(query)
    try:
        documents = [await _open(path, paths, query, settings.images) for path in paths]
    except BadImage as error:
        raise type(error)(translator.explain(error)) from error
    for note in filter(None, (document.note(translator) for document in documents)):
        console.print(note, style="dim")
    images = tuple(image for document in documents for image in document.images)
    with tempfile.TemporaryDirectory() as folder:  # a terminal chat is private and ends with its window
        storage = settings.storage.model_copy(update={"url": f"sqlite+aiosqlite:///{folder}/chat.sqlite"})
        settings = replace(settings, storage=storage)
        async with AsyncExitStack() as stack:
            with console.status(f"Loading {settings.engine.model} …"):
                services = await stack.enter_async_context(open_services(settings))
            try:
                await _talk(services.assistant, console, Question(query, images), chat or not query)
            finally:
                await services.assistant.forget(ID)  # removes cached results, too


async def _talk(assistant: Assistant, console: Console, question: Question, chat: bool) -> None:
    number = 0
    while True:
        if question.text:
            number += 1
            try:
                await _answer(assistant, console, question, str(number))
                question = Question("")
            except BotError as error:  # its pictures stay for the next question
                sentence = _translator(question.text).explain(error)
                if not chat:
                    raise BotError(sentence) from error
                console.print(sentence)
        if not chat:
            return
        try:
            text = _typed(console)
        except (EOFError, KeyboardInterrupt):
            return
        question = Question(text, question.images)


def _typed(console: Console) -> str:
    """Read a line.

    Exits at the first Ctrl-C: asyncio's own handler only cancels a task, and the prompt would wait on.
    """
    asyncios = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return console.input("? ").strip()
    finally:
        signal.signal(signal.SIGINT, asyncios)


async def _answer(assistant: Assistant, console: Console, question: Question, key: str) -> None:
    status = console.status("…")
    status.start()
    translator = _translator(question.text)

    def show(event: Event) -> None:
        match event:
            case Waiting():
                status.update(translator.say("One moment …"))
            case Looking(picture, of):
                status.update(translator.say("Looking at picture {picture} of {of} …", picture=picture, of=of))
            case Piece(text):
                status.stop()
                sys.stdout.write(text)
                sys.stdout.flush()

    try:
        answer = await assistant.ask(ID, question, key, tell=show)
        sys.stdout.write("\n")
        sys.stdout.flush()
        console.print(_timing(answer.figures, answer.ending), style="dim")
    finally:
        status.stop()


def _translator(question: str) -> Translator:
    return Translator("en").for_question(question)


def _timing(figures: Figures, ending: Ending) -> str:
    stages = f"pictures {figures.image_s:.1f}, reading {figures.prefill_s:.1f}, writing {figures.decode_s:.1f}"
    cut = "" if ending is Ending.DONE else f", {ending}"
    return f"{figures.total_s:.1f} s: {stages}; {figures.answer_tokens} tokens{cut}"


def _sort(words: list[str]) -> tuple[list[Path], str]:
    """Separate files from the question: the last word is the question unless it is a file."""
    *first, last = words
    if os.path.isfile(last):  # a question may be too long for a Path
        return [Path(word) for word in words], ""
    if not first and _looks_like_a_file(last):
        return [Path(last)], ""
    return [Path(word) for word in first], last


def _looks_like_a_file(word: str) -> bool:
    return Path(word).suffix.lower() in SUFFIXES


async def _open(path: Path, paths: list[Path], query: str, images: ImagesConfig) -> Document:
    try:
        return await open_document(_read(path), query, images)
    except BadImage as error:
        if len(paths) == 1 or str(path) in str(error):
            raise
        raise type(error)(f"{path}: {_translator(query).explain(error)}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BadImage("There is no file {path}.", path=str(path)) from None
    except OSError as error:
        raise OperatorError("{path} cannot be read: {reason}", path=str(path), reason=error.strerror or "") from None

"""Read the command line of `ask`: files, stdin, and the question."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadImage, BadQuestion, OperatorError
from core.i18n import Translator
from core.image import Image
from core.pictures.documents import Document, open_document
from core.pictures.file_types import SUFFIXES
from core.pictures.images import ImagesConfig
from core.units import MEGABYTE

STDIN = "-"


@dataclass(frozen=True, slots=True)
class LocalFile:
    name: str
    data: bytes


def read_words(words: Sequence[str], chat: bool, limits: ImagesConfig) -> tuple[list[LocalFile], str]:
    """Return the files, and the question, which may be empty. Raises `BotError` for bad input."""
    names, query = _sort(words)
    if not names:
        raise BadQuestion('Name a picture and ask: python -m bots ask invoice.png "What is the total?"')
    if STDIN in names and (chat or not query or names.count(STDIN) > 1):
        raise BadQuestion("From stdin (-) comes one picture: write the question behind it, and leave out --chat.")
    most = int(limits.file_limit_mb * MEGABYTE) + 1  # one more than allowed, so that the refusal is the usual one
    return [LocalFile(name, _read(name, most)) for name in names], query


async def open_all(files: Sequence[LocalFile], query: str, limits: ImagesConfig) -> list[Document]:
    """Return all files as pictures, with the pages that the question names. Raises `BadImage`."""
    try:
        return [await _open(file, len(files) > 1, query, limits) for file in files]
    except BadImage as error:
        raise type(error)(translator_for(query).explain(error)) from error


def pictures_of(documents: Sequence[Document]) -> tuple[Image, ...]:
    """Return the pictures of these files, each once."""
    return tuple({image.id: image for document in documents for image in document.images}.values())


def translator_for(question: str) -> Translator:
    return Translator("en").for_question(question)


async def _open(file: LocalFile, is_named: bool, query: str, limits: ImagesConfig) -> Document:
    try:
        return await open_document(file.data, query, limits)
    except BadImage as error:
        if not is_named:
            raise
        raise type(error)(f"{file.name}: {translator_for(query).explain(error)}") from error


def _sort(words: Sequence[str]) -> tuple[list[str], str]:
    """Separate files from the question: the last word is the question unless it is a file."""
    *first, last = words
    if last == STDIN or os.path.isfile(last):  # a question may be too long for a Path
        return [*words], ""
    if not first and Path(last).suffix.lower() in SUFFIXES:
        return [last], ""
    return first, last


def _read(name: str, most: int) -> bytes:
    try:
        if name == STDIN:
            return sys.stdin.buffer.read(most)
        with open(name, "rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise BadImage("There is no file {path}.", path=name) from None
    except OSError as error:
        raise OperatorError("{path} cannot be read: {reason}", path=name, reason=error.strerror or "") from None

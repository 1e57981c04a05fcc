"""Turn a posted form into a question's text and its safe pictures. File names are never used."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bots.web.access.address import person_of
from bots.web.api.listener import while_wanted
from bots.web.config import WebConfig
from bots.web.errors import voice_for
from bots.web.message import digest_of
from core import asker
from core.assistant import Assistant
from core.conversation import Image
from core.errors import BadImage, BadQuestion, TooLarge
from core.i18n import Translator
from core.pictures.documents import Document, open_document
from core.pictures.images import ImagesConfig

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
NUMBERS = re.compile(r"\d{1,6}(,\d{1,6})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Form:
    """A posted form. `pictures` are numbers of the conversation's pictures; `files` have not been opened yet."""

    query: str
    files: tuple[UploadFile, ...]
    pictures: tuple[int, ...]
    conversation: str | None
    stream: bool
    html: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """The pictures of the files. `notes` say what was left out."""

    images: tuple[Image, ...] = ()
    notes: tuple[str, ...] = ()


@asynccontextmanager
async def read_form(request: Request, config: WebConfig) -> AsyncIterator[Form]:
    """Read the form. Its files can be read until the end of the block. Raises `BadQuestion` or `TooLarge`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in FORM_TYPES:
        raise _unreadable()
    try:
        # Accept one file more than allowed, so that the refusal is ours.
        posted = await request.form(max_files=config.pictures + 1, max_fields=20)
    except HTTPException as error:
        raise _too_many(config) if "Too many files" in str(error.detail) else _unreadable() from None
    asker.set_current(person_of(request.scope))  # a slow sender does not arrive earlier
    try:
        request.state.question = _text(posted, "query").strip()
        yield _checked(posted, config)
    finally:
        await posted.close()


async def open_files(request: Request, form: Form, images: ImagesConfig, assistant: Assistant) -> Opened:
    """Count the files against the person's quota, then open them. Stops when the client hangs up.

    Raises `QuotaReached`, `BadImage` and `ClientDisconnect`.
    """
    if not form.files:
        return Opened()
    assistant.count_files(person_of(request.scope), secrets.token_hex(16), len(form.files))
    return await while_wanted(request, _opened(form, images, voice_for(request)))


async def form_digest(form: Form) -> str:
    """Return a digest of the files and numbers, by which the same question is known when it comes again."""
    return digest_of(numbers=form.pictures, files=[await _file_digest(file) for file in form.files])


async def _file_digest(file: UploadFile) -> str:
    content = await file.read()
    await file.seek(0)
    return (await asyncio.to_thread(hashlib.sha256, content)).hexdigest()


def _checked(posted: FormData, config: WebConfig) -> Form:
    files = [part for part in posted.getlist("image") if isinstance(part, UploadFile)]
    if len(files) < len(posted.getlist("image")):
        raise BadQuestion("The field image must be a file. Pictures are not fetched from addresses.")
    if len(files) > config.pictures:
        raise _too_many(config)
    numbers = _text(posted, "pictures").replace(" ", "")
    if numbers and not NUMBERS.fullmatch(numbers):
        raise BadQuestion("The field pictures must be numbers of pictures, such as 1,3.")
    return Form(
        query=_text(posted, "query").strip(),
        files=tuple(files),
        pictures=tuple(dict.fromkeys(int(number) for number in numbers.split(",") if number)),
        conversation=_text(posted, "conversation") or None,
        stream=_truth(posted, "stream"),
        html=_truth(posted, "html"),
    )


async def _opened(form: Form, images: ImagesConfig, translator: Translator) -> Opened:
    documents = [await _open(index, form, images, translator) for index in range(len(form.files))]
    return Opened(
        tuple(image for document in documents for image in document.images),
        tuple(note for document in documents if (note := document.note(translator))),
    )


async def _open(index: int, form: Form, images: ImagesConfig, translator: Translator) -> Document:
    try:
        return await open_document(await form.files[index].read(), form.query, images)
    except BadImage as error:
        if len(form.files) == 1:
            raise
        name = translator.say("File {number} of {of}", number=index + 1, of=len(form.files))
        raise type(error)(f"{name}: {translator.explain(error)}") from error


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    if not isinstance(value, str):
        raise BadQuestion("The field {name} must be text, not a file.", name=name)
    if "\0" in value or any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise BadQuestion("The field {name} has characters that are not text.", name=name)
    return value


def _truth(form: FormData, name: str) -> bool:
    value = _text(form, name).lower()
    if value not in ("", "true", "false", "1", "0"):
        raise BadQuestion("The field {name} must be true or false.", name=name)
    return value in ("true", "1")


def _unreadable() -> BadQuestion:
    return BadQuestion("The form could not be read. Send multipart/form-data with the fields image and query.")


def _too_many(config: WebConfig) -> TooLarge:
    return TooLarge("At most {limit} pictures in one question, please.", limit=config.pictures)

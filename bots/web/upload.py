"""A posted form -> a question's text and its safe pictures. File names are never looked at."""

import re
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bots.web.address import person_of
from bots.web.config import Config
from bots.web.problem import voice_for
from core import asker
from core.conversation import Image
from core.documents import Document, open_document
from core.errors import BadImage, BadQuestion, TooLarge
from core.images import Config as ImagesConfig
from core.voice import Voice

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
NUMBERS = re.compile(r"\d{1,6}(,\d{1,6})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Upload:
    """`pictures` are numbers of pictures that the conversation already has; `notes` say what was left out."""

    query: str
    images: tuple[Image, ...]
    notes: tuple[str, ...]
    pictures: tuple[int, ...]
    conversation: str | None
    stream: bool
    html: bool


async def read_upload(request: Request, config: Config, images: ImagesConfig) -> Upload:
    """Raises `BadQuestion`, `BadImage` or `TooLarge`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in FORM_TYPES:
        raise _unreadable()
    try:
        # One file more than allowed is let through, so that the refusal can be ours.
        async with request.form(max_files=config.pictures + 1, max_fields=20) as form:
            asker.begin(person_of(request.scope))  # who sends slowly does not arrive earlier for it
            request.state.question = _text(form, "query").strip()
            return await _read(form, config, images, voice_for(request))
    except HTTPException as error:
        raise _too_many(config) if "Too many files" in str(error.detail) else _unreadable() from None


async def _read(form: FormData, config: Config, images: ImagesConfig, voice: Voice) -> Upload:
    files = [part for part in form.getlist("image") if isinstance(part, UploadFile)]
    if len(files) < len(form.getlist("image")):
        raise BadQuestion("The field image must be a file. Pictures are not fetched from addresses.")
    if len(files) > config.pictures:
        raise _too_many(config)
    numbers = _text(form, "pictures").replace(" ", "")
    if numbers and not NUMBERS.fullmatch(numbers):
        raise BadQuestion("The field pictures must be numbers of pictures, such as 1,3.")
    query = _text(form, "query").strip()
    documents = [await _open(index, files, query, images, voice) for index in range(len(files))]
    return Upload(
        query=query,
        images=tuple(image for document in documents for image in document.images),
        notes=tuple(note for document in documents if (note := document.note(voice))),
        pictures=tuple(dict.fromkeys(int(number) for number in numbers.split(",") if number)),
        conversation=_text(form, "conversation") or None,
        stream=_truth(form, "stream"),
        html=_truth(form, "html"),
    )


async def _open(index: int, files: list[UploadFile], query: str, images: ImagesConfig, voice: Voice) -> Document:
    try:
        return await open_document(await files[index].read(), query, images)
    except BadImage as error:
        if len(files) == 1:
            raise
        name = voice.say("File {number} of {of}", number=index + 1, of=len(files))
        raise type(error)(f"{name}: {voice.explain(error)}") from error


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


def _too_many(config: Config) -> TooLarge:
    return TooLarge("At most {limit} pictures in one question, please.", limit=config.pictures)

"""Read a posted question: a form with files, or JSON with files in base64. File names are never used."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import BaseModel, BeforeValidator, Field
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bots.conversing.document_pages import check_page_count
from bots.web import data_url
from bots.web.access.address import person_of
from bots.web.access.owner import check_owner
from bots.web.api.schema import LARGEST_NUMBER, MOST_PAGES, NUMBERS, PageNumber, SettingsView
from bots.web.config import WebConfig
from bots.web.json_body import Text, fields_of, parse, received
from core import work_context
from core.conversation import MOST_PICTURES
from core.errors import BadQuestion, TooLarge
from core.pictures.images import ImagesConfig
from core.regions import Region, numbered
from core.settings import ConversationSettings

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
JSON_TYPE = "application/json"
MOST_FIELDS = 20


class UploadedFile(Protocol):
    async def read(self) -> bytes:
        """Return the whole file, also when it is called again. Raises `BadField` and `TooLarge`."""
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """A posted question. `pictures` are numbers of the conversation's pictures; `files` have not been opened yet.

    It takes up the pictures that wait in the conversation, unless its own stand `alone`.

    With a `region` it is about that part of its one picture. `pages`, in their order, are those of a document that it
    is about, whose digest `document` may tell.
    """

    query: str
    files: tuple[UploadedFile, ...]
    pictures: tuple[int, ...]
    conversation: str | None
    stream: bool
    html: bool
    keep: bool
    alone: bool = False
    region: Region | None = None
    settings: ConversationSettings | None = None  # of the conversation that it begins
    pages: tuple[int, ...] = ()
    document: str = ""


@asynccontextmanager
async def read_form(request: Request, config: WebConfig, images: ImagesConfig) -> AsyncIterator[Form]:
    """Read the form. Its files can be read until the end of the block.

    Raises `BadQuestion` or `TooLarge`, and `ConversationGone` for a conversation in somebody else's list.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (*FORM_TYPES, JSON_TYPE):
        raise _unreadable()
    async with (_json if kind == JSON_TYPE else _multipart)(request, config, images) as form:
        request.state.question = form.query
        check_owner(request, form.conversation or "")
        check_page_count(form.pages, images.page_limit)
        if form.settings and form.conversation:
            raise BadQuestion(
                "The field settings is for a new conversation. /docs says how to change those of another."
            )
        yield form


@dataclass(frozen=True, slots=True)
class _Upload:
    file: UploadFile

    async def read(self) -> bytes:
        await self.file.seek(0)
        return await self.file.read()


@asynccontextmanager
async def _multipart(request: Request, config: WebConfig, _: ImagesConfig) -> AsyncIterator[Form]:
    try:
        # Accept one file more than allowed, so that the refusal is ours.
        posted = await request.form(max_files=config.pictures + 1, max_fields=MOST_FIELDS)
    except HTTPException as error:
        raise _too_many(config) if "Too many files" in str(error.detail) else _unreadable() from None
    work_context.set_current(person_of(request.scope))  # a slow sender does not arrive earlier
    try:
        yield _checked(posted, config)
    finally:
        await posted.close()


def _checked(posted: FormData, config: WebConfig) -> Form:
    files = [part for part in posted.getlist("image") if isinstance(part, UploadFile)]
    if len(files) < len(posted.getlist("image")):
        raise BadQuestion("The field image must be a file. Pictures are not fetched from addresses.")
    if len(files) > config.pictures:
        raise _too_many(config)
    pictures, pages = _numbers(posted, "pictures"), _numbers(posted, "pages")
    if pictures is None:
        raise BadQuestion("The field pictures must be numbers of pictures, such as 1,3.")
    if pages is None or 0 in pages:
        raise BadQuestion("The field pages must be numbers of pages, such as 5,6.")
    return Form(
        query=_text(posted, "query").strip(),
        files=tuple(_Upload(file) for file in files),
        pictures=pictures,
        conversation=_text(posted, "conversation") or None,
        stream=_truth(posted, "stream"),
        html=_truth(posted, "html"),
        keep=_truth(posted, "keep", default=True),
        alone=_truth(posted, "alone"),
        region=_region(_text(posted, "region")),
        settings=_settings(_text(posted, "settings")),
        pages=tuple(sorted(set(pages))),
        document=_text(posted, "document"),
    )


def _numbers(form: FormData, name: str) -> tuple[int, ...] | None:
    """Read numbers with commas. Return None for something else."""
    text = _text(form, name).replace(" ", "")
    if text and not re.fullmatch(NUMBERS, text, re.ASCII):
        return None
    return tuple(dict.fromkeys(int(number) for number in text.split(",") if number))


def _region(text: str) -> Region | None:
    """Read four numbers with commas, in brackets or without."""
    try:
        numbers = [float(number) for number in text.strip().removeprefix("[").removesuffix("]").split(",")]
    except ValueError:
        numbers = []
    return numbered(numbers) if text else None


def _settings(text: str) -> ConversationSettings | None:
    if not text:
        return None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise BadQuestion("The field settings must be JSON. /docs says what is expected.") from None
    return fields_of(said, SettingsView).settings()


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    if not isinstance(value, str):
        raise BadQuestion("The field {name} must be text, not a file.", name=name)
    if "\0" in value or any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise BadQuestion("The field {name} has characters that are not text.", name=name)
    return value


def _truth(form: FormData, name: str, default: bool = False) -> bool:
    value = _text(form, name).lower()
    if value not in ("", "true", "false", "1", "0"):
        raise BadQuestion("The field {name} must be true or false.", name=name)
    return value in ("true", "1") if value else default


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _Body(BaseModel, strict=True, extra="forbid", frozen=True):
    """The fields in JSON. Unknown ones are refused: a misspelt `keep` would keep what it should not."""

    query: Text = ""
    image: Annotated[list[str], BeforeValidator(_listed)] = []
    conversation: Text | None = None
    pictures: Annotated[list[Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]], Field(max_length=MOST_PICTURES)] = []
    pages: Annotated[list[PageNumber], Field(max_length=MOST_PAGES)] = []
    document: Text = ""
    stream: bool = False
    html: bool = False
    keep: bool = True
    alone: bool = False
    region: list[float] = []
    settings: SettingsView | None = None


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A file in base64, with or without the beginning of a data URL."""

    text: str
    param: str
    limits: ImagesConfig

    async def read(self) -> bytes:
        read = data_url.read if ":" in self.text[:10] else data_url.decode
        return await asyncio.to_thread(read, self.text, self.param, self.limits)


@asynccontextmanager
async def _json(request: Request, config: WebConfig, images: ImagesConfig) -> AsyncIterator[Form]:
    person = person_of(request.scope)
    async with received(request) as sent:
        work_context.set_current(person)
        async with request.app.state.bodies.slot(person):
            body = await parse(sent, lambda found: fields_of(found, _Body))
            if len(body.image) > config.pictures:
                raise _too_many(config)
            yield Form(
                query=body.query.strip(),
                files=tuple(_Encoded(text, f"image.{index}", images) for index, text in enumerate(body.image)),
                pictures=tuple(dict.fromkeys(body.pictures)),
                conversation=body.conversation or None,
                stream=body.stream,
                html=body.html,
                keep=body.keep,
                alone=body.alone,
                region=numbered(body.region) if "region" in body.model_fields_set else None,
                settings=body.settings.settings() if body.settings else None,
                pages=tuple(sorted(set(body.pages))),
                document=body.document,
            )


def _unreadable() -> BadQuestion:
    return BadQuestion(
        "The form could not be read. Send multipart/form-data or JSON with the fields image and query; /docs says more."
    )


def _too_many(config: WebConfig) -> TooLarge:
    return TooLarge("At most {limit} pictures in one question, please.", limit=config.pictures)

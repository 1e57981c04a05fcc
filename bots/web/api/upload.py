"""Open the files of a posted question: safe pictures, or a sentence that names the bad one."""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass

from starlette.requests import Request

from bots.web.access.address import person_of
from bots.web.api.form import Form, UploadedFile
from bots.web.api.listener import while_wanted
from bots.web.language import translator_for
from bots.web.message import digest_of
from bots.web.openai.errors import BadField
from core.assistant import Assistant
from core.errors import BadImage
from core.i18n import Translator
from core.image import Image
from core.pictures.documents import Document, open_document
from core.pictures.images import ImagesConfig


@dataclass(frozen=True, slots=True)
class Opened:
    """The pictures of the files, and the files they came in. `notes` say what was left out."""

    images: tuple[Image, ...] = ()
    notes: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()


async def open_files(request: Request, form: Form, images: ImagesConfig, assistant: Assistant) -> Opened:
    """Count the files against the person's quota, then open them. Stops when the client hangs up.

    Raises `QuotaReached`, `BadImage`, `BadField` and `ClientDisconnect`.
    """
    if not form.files:
        return Opened()
    await assistant.count_files(person_of(request.scope), secrets.token_hex(16), len(form.files))
    return await while_wanted(request, _opened(form, images, translator_for(request)))


async def form_digest(form: Form) -> str:
    """Return a digest of what comes with the words, by which the same question is known when it comes again."""
    files = [await _file_digest(file) for file in form.files]
    corners = form.region.corners if form.region else ()
    parts = [
        "region" if form.region else "",
        f"pages:{','.join(map(str, form.pages))}" if form.pages else "",
        "alone" if form.alone else "",
        f"document:{form.document}" if form.document else "",  # last, as it may be any text
    ]
    return digest_of(" ".join(filter(None, parts)), [*form.pictures, *corners], files)


async def _file_digest(file: UploadedFile) -> str:
    return (await asyncio.to_thread(hashlib.sha256, await file.read())).hexdigest()


async def _opened(form: Form, images: ImagesConfig, translator: Translator) -> Opened:
    documents = [await _open(index, form, images, translator) for index in range(len(form.files))]
    return Opened(
        tuple(image for document in documents for image in document.images),
        tuple(note for document in documents if (note := document.note(translator, kept=form.keep))),
        tuple(documents),
    )


async def _open(index: int, form: Form, images: ImagesConfig, translator: Translator) -> Document:
    try:
        return await open_document(await form.files[index].read(), form.query, images, form.pages)
    except (BadImage, BadField) as error:
        if len(form.files) == 1:
            raise
        name = translator.say("File {number} of {of}", number=index + 1, of=len(form.files))
        sentence = f"{name}: {translator.explain(error)}"
        if isinstance(error, BadField):
            raise BadField(sentence, error.param, error.code) from error
        raise type(error)(sentence) from error

"""Keep a document with its conversation, and turn to the pages of it that a later question names."""

from collections.abc import Sequence
from dataclasses import dataclass

from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from bots.conversing.store import Store
from core.conversation import Image
from core.errors import BadImage
from core.i18n import Translator
from core.pictures.documents import Document, open_document
from core.pictures.kept_document import KeptDocument
from core.pictures.page_ranges import page_ranges


@dataclass(frozen=True, slots=True)
class Turned:
    """The pictures of a question, with the named pages in place of others of their document; `note` says which."""

    images: tuple[Image, ...]
    note: str = ""


async def keep_document(
    store: Store, conversation_id: str, person: str, opened: Sequence[Document], begins: bool = False
) -> None:
    """Keep the last of these files that has pages not looked at yet. The conversation may begin with it."""
    if (document := document_to_keep(opened)) is not None:
        await store.keep_document(conversation_id, person, document, begins)


def document_to_keep(opened: Sequence[Document]) -> KeptDocument | None:
    """Return the last of these files that has pages not looked at yet."""
    document = next((it for it in reversed(opened) if it.data is not None), None)
    if document is None or document.data is None:
        return None
    return KeptDocument(document.data, tuple(image.id for image in document.images))


async def turn_pages(
    request: AnswerRequest, services: Services, images: Sequence[Image], translator: Translator
) -> Turned:
    """Open the pages that a question names of its conversation's document. Without any, its pictures stay as they are.

    Pages that wait for a question and are not named wait no longer. Raises `Busy` for a question that would be refused.
    """
    here, store = request.conversation_id, services.store
    document = await store.document(here) if page_ranges(request.text) else None
    if document is None:
        return Turned(tuple(images))
    services.assistant.check_question(request.person)
    try:
        opened = await open_document(document.data, request.text, await services.limits(here))
    except BadImage as error:  # a page that it does not have; the question may be about another one
        return Turned(tuple(images), translator.explain(error))
    named = {image.id: image for image in opened.images}
    others = set(document.image_ids) - named.keys()
    for picture in (await store.outline(here)).waiting:
        if picture.image.id in others:
            await store.withdraw_picture(here, picture.number)
    await store.add_document_pages(here, list(named))
    kept = {image.id: image for image in images if image.id not in others}
    return Turned(tuple({**kept, **named}.values()), opened.note(translator, kept=True))

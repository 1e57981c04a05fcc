"""Keep a document with its conversation, and open the pages of it that a later question names or that are chosen."""

import asyncio
import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from bots.conversing.store import Store
from core.conversation import Conversation
from core.errors import BadImage, NotFound, TooLarge
from core.i18n import Translator
from core.image import Image
from core.pictures.documents import Document, open_document, pages_left_out
from core.pictures.kept_document import DocumentOutline, KeptDocument
from core.pictures.page_ranges import page_ranges


class NoDocument(NotFound):
    code = "no_document"

    def __init__(self) -> None:
        super().__init__("There is no document in this conversation. Please send it again.")


class NoPage(NotFound):
    code = "no_page"

    def __init__(self, page_count: int) -> None:
        super().__init__("This document has {of} pages; please ask about one of them.", of=page_count)


class TooManyPages(TooLarge):
    code = "too_many_pages"

    def __init__(self, limit: int) -> None:
        super().__init__("At most {limit} pages in one question, please.", limit=limit)


@dataclass(frozen=True, slots=True)
class NamedPages:
    """The pictures of a question, with the named pages in place of others of their document; `note` says which."""

    images: tuple[Image, ...]
    note: str = ""


async def keep_document(
    store: Store, conversation_id: str, person: str, opened: Sequence[Document], begins: bool = False
) -> None:
    """Keep the last of these files that has several pages. The conversation may begin with it."""
    if (document := await document_to_keep(opened)) is not None:
        await store.keep_document(conversation_id, person, document, begins)


async def document_to_keep(opened: Sequence[Document]) -> KeptDocument | None:
    """Return the last of these files that has several pages; without its data if it is too large to be kept."""
    document = next((it for it in reversed(opened) if it.page_count > 1), None)
    if document is None:
        return None
    data = document.data or b""
    image_ids = tuple(image.id for image in document.images)
    digest = (await asyncio.to_thread(hashlib.sha256, data)).hexdigest()[:32]
    return KeptDocument(data, image_ids, document.pages, document.page_count, digest)


async def open_named_pages(
    request: AnswerRequest, services: Services, images: Sequence[Image], translator: Translator
) -> NamedPages:
    """Open the pages of its conversation's document that a question chooses or names. Without any, nothing changes.

    Other pages that wait for a question wait no longer, but for those of later questions if this one is `alone`.
    Raises `Busy` for a question that would be refused.
    """
    here, store = request.conversation_id, services.store
    if not (request.pages or page_ranges(request.text)):
        return NamedPages(tuple(images))
    known = await store.document_outline(here)  # None too for one that a version before kept
    if request.document and (known is None or known.digest != request.document):
        return NamedPages(tuple(images))
    if known is not None and request.pages:
        chosen, missing = _there(known, request.pages, {image.id for image in images})
        if not missing:  # they were chosen ahead: nothing is read or drawn again
            await services.assistant.check_question(request.asker.person)
            kept = await _without(store, request, images, set(known.images.values()) - chosen)
            return NamedPages(
                tuple(kept.values()), pages_left_out(request.pages, known.page_count, translator, kept=True)
            )
    document = await store.document(here)
    if document is None or (known is not None and known.digest != document.digest):
        return NamedPages(tuple(images))
    await services.assistant.check_question(request.asker.person)
    try:
        opened = await open_document(document.data, request.text, await services.limits(here), request.pages)
    except BadImage as error:  # a page that it does not have; the question may be about another one
        return NamedPages(tuple(images), translator.explain(error))
    named = {image.id: image for image in opened.images}
    kept = await _without(store, request, images, set(document.image_ids) - named.keys())
    await _note_pages(store, here, opened, document)
    return NamedPages(tuple({**kept, **named}.values()), opened.note(translator, kept=True))


async def check_pages(
    services: Services, conversation_id: str, pages: Sequence[int], digest: str = ""
) -> DocumentOutline | None:
    """Return the document of these pages, or None if their own, by its `digest`, is not kept any more.

    Raises `NoDocument`, `NoPage` or `TooManyPages` if a question cannot be about them.
    """
    outline = await services.store.document_outline(conversation_id)
    if digest and (outline is None or outline.digest != digest):
        return None
    if outline is None:
        raise NoDocument
    check_page_count(pages, services.images.page_limit)
    if max(pages, default=1) > outline.page_count:
        raise NoPage(outline.page_count)
    return outline


def check_page_count(pages: Sequence[int], limit: int) -> None:
    """Raise `TooManyPages`."""
    if len(pages) > limit:
        raise TooManyPages(limit)


async def choose_pages(
    services: Services, conversation: Conversation, person: str, pages: Sequence[int], taken: Collection[int] = ()
) -> tuple[int, ...]:
    """Let these pages of a conversation's document wait for the next question, and no others of it.

    Pictures with the numbers `taken` belong to questions that are being asked, and stay. Return the numbers of earlier
    pictures that had to make room. Raises what `check_pages` does, and `BotError`.
    """
    here, store = conversation.id, services.store
    known = await check_pages(services, here, pages)
    if known is None:
        raise NoDocument
    wanted, missing = _there(known, pages, {picture.image.id for picture in conversation.waiting})
    removed: tuple[int, ...] = ()
    if missing:  # only then is the file read, and counted
        await services.assistant.count_files(person, secrets.token_hex(16), 1)
        limits = await services.limits(here)
        document = await store.document(here)
        if document is None or document.digest != known.digest:
            raise NoDocument
        opened = await open_document(document.data, config=limits, chosen=missing)
        _, removed = await services.assistant.add_pictures(here, opened.images, person, begins=False)
        await _note_pages(store, here, opened, document)
        wanted |= {image.id for image in opened.images}
    await _withdraw(store, here, set(known.images.values()) - wanted, taken)
    return removed


def _there(known: DocumentOutline, pages: Sequence[int], image_ids: Collection[str]) -> tuple[set[str], list[int]]:
    """Return which of these pictures the pages of a document are, and the pages that are none of them."""
    there = {page: known.images[page] for page in pages if known.images.get(page) in image_ids}
    return set(there.values()), sorted(set(pages) - there.keys())


async def _without(
    store: Store, request: AnswerRequest, images: Sequence[Image], others: Collection[str]
) -> dict[str, Image]:
    """Return a question's pictures by their ids, without the `others`, which wait no longer."""
    gone = {image.id for image in images}.intersection(others) if request.alone else others
    await _withdraw(store, request.conversation_id, gone)
    return {image.id: image for image in images if image.id not in others}


async def _note_pages(store: Store, conversation_id: str, opened: Document, document: KeptDocument) -> None:
    images = {page: image.id for page, image in zip(opened.pages, opened.images, strict=True)}
    await store.add_document_pages(conversation_id, document.digest, images)


async def _withdraw(
    store: Store, conversation_id: str, image_ids: Collection[str], taken: Collection[int] = ()
) -> None:
    """Let these pictures wait for no question any more, but for the numbers that are `taken`."""
    for picture in (await store.outline(conversation_id)).waiting:
        if picture.image.id in image_ids and picture.number not in taken:
            await store.withdraw_picture(conversation_id, picture.number)

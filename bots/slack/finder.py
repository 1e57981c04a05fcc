"""Find the pictures that a question in Slack is about: its own, and those earlier in its thread.

Pictures of a thread are numbered in their order. Of many, the latest are taken in. The others are taken in when a
person asks for them by number.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bots.conversing.document_pages import keep_document
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from bots.slack.events import SlackFile
from bots.slack.files import Files
from bots.slack.message import SlackMessage, no_picture, pictures
from bots.slack.threads import Threads
from core.answers.receipt import left_out, not_looked_at
from core.errors import BadQuestion, BotError
from core.i18n import Translator
from core.picture_names import named_pictures
from core.pictures.documents import open_document

log = logging.getLogger(__name__)
THREAD_PICTURES = 10  # taken in together


@dataclass(slots=True)
class Found:
    """The pictures of a question. `own` came with it; those of `numbers` were taken in from the thread and wait for it.

    `notes` are sentences about what is not looked at. `images` are the ids of a file's images.
    """

    own: tuple[SlackFile, ...] = ()
    numbers: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    images: dict[str, list[str]] = field(default_factory=dict)


class Finder:
    def __init__(self, threads: Threads, files: Files, services: Services) -> None:
        self._threads = threads
        self._files = files
        self._services = services

    async def find(self, asked: SlackMessage, request: AnswerRequest, translator: Translator) -> Found:
        """Find a question's pictures.

        Raises a picture's `BotError` if a retry may help and there is no other, and `Busy`.
        """
        known = await self._services.store.known_files(request.conversation_id)
        wanted = named_pictures(request.text)
        earlier, own = await self._threads.files(asked, acquainted=bool(known) and not wanted)
        candidates = pictures(earlier)
        found = Found(tuple(pictures(own)))
        new, older = _split(candidates, known)
        await self._take_in(new, older, request, found, translator)
        for number in sorted(wanted):
            if number <= len(candidates) and (file := candidates[number - 1]) in older:
                older.remove(file)
                await self._take([file], number, request, found, translator)
        if earlier and not (candidates or found.own):
            found.notes.append(no_picture(earlier, translator))
        if older and found.numbers:
            found.notes.append(left_out([candidates.index(file) + 1 for file in older], translator))
        if others := [file.shown for file in own if file not in found.own and file.shown]:
            found.notes.append(not_looked_at(others, translator))
        return found

    async def _take_in(
        self,
        new: Sequence[SlackFile],
        older: list[SlackFile],
        request: AnswerRequest,
        found: Found,
        translator: Translator,
    ) -> None:
        """Take in the latest pictures. The others go to `older`, and their numbers are reserved."""
        left, first = new[:-THREAD_PICTURES], None
        if left:
            older += left
            first = (await self._services.store.outline(request.conversation_id)).next_number + len(left)
        await self._take(new[-THREAD_PICTURES:], first, request, found, translator)

    async def _take(
        self,
        files: Sequence[SlackFile],
        first: int | None,
        request: AnswerRequest,
        found: Found,
        translator: Translator,
    ) -> None:
        """Take in a file. If that fails, it is named and the others are used."""
        store, conversation_id = self._services.store, request.conversation_id
        errors: list[tuple[SlackFile, BotError]] = []
        with suppress(BadQuestion):  # more than a person may send at once, which must not make the thread useless
            key = ":".join([request.key, *(file.id or "" for file in files)])
            await self._services.assistant.count_files(request.asker.person, key, len(files))
        limits = await self._services.limits(conversation_id) if files else self._services.images
        for file in files:
            try:
                document = await open_document(await self._files.download(file), request.text, limits)
            except BotError as error:
                log.info("a picture earlier in a thread cannot be looked at: %s", error.sentence)
                errors.append((file, error))
                continue
            found.numbers += await store.add_pictures(conversation_id, document.images, first=first)
            first = None
            found.notes += [note] if (note := document.note(translator, kept=True)) else []
            await keep_document(store, conversation_id, request.asker.person, [document])
            if file.id:
                ids = found.images[file.id] = [image.id for image in document.images]
                await store.remember_file(f"slack:{file.id}", conversation_id, ids)  # need not be downloaded again
        if errors and not (found.numbers or found.own) and errors[0][1].retryable:
            raise errors[0][1]
        found.notes += [_named(file, error, translator, alone=len(files) == 1) for file, error in errors]


def _split(candidates: Sequence[SlackFile], known: set[str]) -> tuple[list[SlackFile], list[SlackFile]]:
    """Return the files after the last known one, and earlier unknown ones, which were left out before."""
    seen = [index for index, file in enumerate(candidates) if f"slack:{file.id}" in known]
    last = seen[-1] + 1 if seen else 0
    older = [file for index, file in enumerate(candidates[:last]) if index not in seen]
    return list(candidates[last:]), older


def _named(file: SlackFile, error: BotError, translator: Translator, alone: bool) -> str:
    reason = translator.explain(error)
    return reason if alone or not file.shown else f"{file.shown}: {reason}"

"""Open the files of a request, and keep their pictures for a later question."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from bots.conversing.document_pages import keep_document
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from core.answers.receipt import made_room
from core.errors import BadImage, BotError, Busy, NoPicture
from core.i18n import Translator
from core.image import Image
from core.pictures.documents import open_document


@dataclass(slots=True)
class Attachments:
    """The files of a request. What is wrong with one, or left out of it, is added to `notes`."""

    request: AnswerRequest
    services: Services
    translator: Translator
    notes: list[str]
    has_pages: bool = False  # one of the files; those that the question names were chosen from it

    async def open(self) -> list[Image]:
        """Open the files. One that cannot be opened is named in a note, and the others are used."""
        request, store = self.request, self.services.store
        pictures: list[Image] = []
        errors: list[tuple[int, BadImage | Busy]] = []
        await self.services.assistant.count_files(
            request.asker.person, request.replaces or request.key, len(request.files)
        )
        limits = await self.services.limits(request.conversation_id) if request.files else self.services.images
        for index, file in enumerate(request.files):
            try:
                document = await open_document(await file.read(), request.text, limits)
            except (BadImage, Busy) as error:
                errors.append((index, error))
                continue
            pictures += document.images
            self.has_pages |= document.page_count > 1
            await keep_document(store, request.conversation_id, request.asker.person, [document], begins=True)
            self.notes.append(document.note(self.translator, kept=True))
            await request.hooks.on_opened(index, document.images)
        self.notes[:] = [note for note in self.notes if note] + [self._named(index, error) for index, error in errors]
        if errors and not pictures:
            raise next((error for _, error in errors if error.retryable), no_picture())
        return pictures

    def _named(self, index: int, error: BotError) -> str:
        """Return what is wrong with a file, and with which if there are several."""
        files, reason = self.request.files, self.translator.explain(error)
        if len(files) == 1:
            return reason
        name = files[index].name or self.translator.say("File {number} of {of}", number=index + 1, of=len(files))
        return f"{name}: {reason}"

    async def keep_all(self) -> list[str]:
        """Keep the pictures that came with a command. Return what to say about them and about what was no picture."""
        try:
            pictures = await self.open()
        except NoPicture:  # the notes name what is wrong with each file
            return self.notes
        return [await self.keep(pictures), *self.notes] if pictures else self.notes

    async def keep_for_later(self, pictures: list[Image]) -> None:
        """Keep the pictures for a later question. If there are too many just now, they have to be sent again."""
        if self.request.chooses:
            return
        with suppress(Busy):
            await self.keep(pictures)

    async def keep(self, pictures: list[Image]) -> str:
        """Let the pictures wait for a question. Return what to say about them."""
        numbers, gone = await self.services.assistant.add_pictures(
            self.request.conversation_id, pictures, self.request.asker.person
        )
        if gone:
            self.notes.append(made_room(gone, self.translator))
        return say_got_pictures(numbers, self.translator)


def say_got_pictures(numbers: Sequence[int], translator: Translator) -> str:
    """Return what to say to pictures without a question. One that came again has kept its number."""
    numbers = sorted(set(numbers))
    if len(numbers) == 1:
        return translator.say("Got picture {number}. What would you like to know?", number=numbers[0])
    return translator.say("Got pictures {numbers}. What would you like to know?", numbers=translator.listed(numbers))


def no_picture() -> NoPicture:
    """Return what is said to a question without any picture."""
    return NoPicture("Send a picture with your question, or reply to a picture and ask about it.")

"""Make a conversation of the messages of a request: turns of a person and the model, with their pictures."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bots.web import data_url
from bots.web.config import WebConfig
from bots.web.openai.errors import BadField
from bots.web.openai.fields import Message
from bots.web.openai.turns import RequestFile, Turn, Turns, too_many_pictures
from core.answer import Answer, Ending
from core.assistant import Assistant
from core.conversation import MOST_PICTURES, Conversation, Picture, Question
from core.errors import BadImage, TooLarge
from core.i18n import Translator
from core.image import Image
from core.pictures.documents import Document, document_for, open_document
from core.pictures.images import ImagesConfig

LOW_IMAGE_TOKENS = 256  # for `detail: low`, as OpenAI shrinks to 512x512
HIGH_FACTOR, MOST_IMAGE_TOKENS = 4, 16_384  # for `detail: high`, as for small print in chats


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads messages for one person, within the limits of the page and of pictures."""

    config: WebConfig
    images: ImagesConfig
    assistant: Assistant
    person: str
    translator: Translator

    async def read(self, messages: Sequence[Message], conversation_id: str) -> tuple[Conversation, list[str]]:
        """Return the conversation with the open question last, and what was left out of that. Raises `BotError`."""
        made = Turns()
        for index, message in enumerate(messages):
            made.add(message, f"messages.{index}")
        made.check(self.config.pictures)
        contents = await asyncio.to_thread(self._decoded, made.turns)
        digests = [hashlib.sha256(content).hexdigest() for content in contents.values()]
        await self.assistant.count_contents(self.person, digests)
        known: set[str] = set()
        for turn in made.turns:
            for file in turn.files:
                turn.documents.append(await self._open(file, contents.pop(id(file)), turn.text))
                known.update(image.id for image in turn.documents[-1].images)
            if len(known) > MOST_PICTURES:
                raise too_many_pictures()
        notes = await self._open_named_pages(made.turns, MOST_PICTURES - len(known))
        conversation = Conversation(conversation_id, system="\n\n".join(made.system), stored=False)
        for turn in made.turns:
            conversation = _asked(conversation, turn)
            if turn.answer is not None:
                conversation = conversation.answered(Answer("\n".join(turn.answer), Ending.DONE))
        return conversation, [note for note in notes if note]

    async def _open_named_pages(self, turns: Sequence[Turn], room: int) -> list[str]:
        """Give each question without files the pages that it names of the document before it.

        There is `room` for so many pictures; the newest questions come first. Return what was left out of the last.
        """
        last, translator = turns[-1], self.translator.for_question(turns[-1].text)
        notes = [document.note(translator, kept=True) for document in last.documents]
        for index, turn in reversed(list(enumerate(turns))):
            before = [document for earlier in turns[:index] for document in earlier.documents]
            data = None if turn.documents else document_for(before, turn.text)
            if data is None:
                continue
            try:
                opened = await self._named_pages(data, turn.text, room)
            except BadImage as error:
                note = translator.explain(error)
                room = max(0, room - 1)  # an attempt counts, so that no request opens a document without end
            else:
                turn.pages, room = opened.images, room - len(opened.images)
                note = opened.note(translator, kept=True)
            notes += [note] if turn is last else []
        return notes

    async def _named_pages(self, data: bytes, question: str, room: int) -> Document:
        if not room:
            raise too_many_pictures()
        limits = self.images.model_copy(update={"page_limit": min(self.images.page_limit, room)})
        return await open_document(data, question, limits)

    def _decoded(self, turns: Sequence[Turn]) -> dict[int, bytes]:
        files = [file for turn in turns for file in turn.files]
        return {
            id(file): (data_url.read if file.is_url else data_url.decode)(file.text, file.param, self.images)
            for file in files
        }

    async def _open(self, file: RequestFile, content: bytes, question: str) -> Document:
        limits = self.images.model_copy(update={"image_tokens": self._image_tokens(file.detail)})
        if file.detail == "low":
            limits = limits.model_copy(update={"tiles": 1})
        try:
            return await open_document(content, question, limits)
        except BadImage as error:
            sentence = f"{file.param}: {self.translator.explain(error)}"
            if isinstance(error, TooLarge):
                raise TooLarge(sentence) from error
            raise BadField(sentence, file.param, "invalid_image") from error

    def _image_tokens(self, detail: str | None) -> int:
        own = self.images.image_tokens
        return {"low": min(own, LOW_IMAGE_TOKENS), "high": min(HIGH_FACTOR * own, MOST_IMAGE_TOKENS)}.get(
            detail or "", own
        )


def _asked(conversation: Conversation, turn: Turn) -> Conversation:
    """Return the conversation with a question. Its pictures keep the numbers that they came with, if they are free."""
    known = {picture.number: picture.image.id for picture in conversation.pictures}
    numbered: list[Picture] = []
    others: list[Image] = []
    for number, images in turn.pictures:
        if number is not None and len(images) == 1 and known.setdefault(number, images[0].id) == images[0].id:
            numbered.append(Picture(number, images[0]))
        else:
            others += images
    first = max([conversation.next_number, *(number + 1 for number in known)])
    question = Question(turn.text, (*others, *turn.pages), small_print=tuple(numbered))
    return replace(conversation, next_number=first).ask(question)

"""Make a conversation of the messages of a request: turns of a person and the model, with their pictures."""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from bots.web import data_url
from bots.web.config import WebConfig
from bots.web.openai.errors import BadField
from bots.web.openai.fields import ContentPart, Message
from core.assistant import Assistant
from core.conversation import MOST_PICTURES, Answer, Conversation, Ending, Image, Picture, Question
from core.errors import BadImage, TooLarge
from core.i18n import Translator
from core.pictures.documents import open_document
from core.pictures.images import ImagesConfig

LOW_IMAGE_TOKENS = 256  # for `detail: low`, as OpenAI shrinks to 512x512
HIGH_FACTOR, MOST_IMAGE_TOKENS = 4, 16_384  # for `detail: high`, as for small print in chats
_LABEL = re.compile(r"\s*Picture (\d{1,3}):\s*")  # as our own engine for remote models writes it
MOST_CHARACTERS = 64_000  # of all messages; no context holds more, and each is looked at by the model's thread


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it was sent: its text in base64 or as a data URL, and the field that it came in.

    `number` is what the text before it calls it.
    """

    text: str
    param: str
    detail: str | None = None
    is_url: bool = True
    number: int | None = None


@dataclass(slots=True)
class _Turn:
    question: list[str] = field(default_factory=list)
    files: list[_File] = field(default_factory=list)
    answer: list[str] | None = None


@dataclass(slots=True)
class _Turns:
    """Puts messages of all roles into turns. Pictures that no person sent belong to the next question."""

    system: list[str] = field(default_factory=list)
    turns: list[_Turn] = field(default_factory=list)
    _early: list[_File] = field(default_factory=list)

    def add(self, message: Message, param: str) -> None:
        texts, files = _texts(message), _files(message, param)
        match message.role:
            case "system" | "developer":
                self.system += texts
                self._early += files
            case "user" | "tool" | "function":
                if not self.turns or self.turns[-1].answer is not None:
                    self.turns.append(_Turn())
                self.turns[-1].question += texts
                self.turns[-1].files += [*self._early, *files]
                self._early.clear()
            case "assistant":
                if not self.turns:
                    self.turns.append(_Turn())
                calls = [call.function.arguments for call in message.tool_calls or ()]
                self.turns[-1].answer = [*(self.turns[-1].answer or ()), *texts, *calls]
                self._early += files
            case _:
                raise BadField(
                    "The role must be system, developer, user or assistant.", f"{param}.role", "unsupported_value"
                )

    def check(self, pictures: int) -> None:
        """Check what can be checked before any file is opened. `pictures` is the most in one question."""
        last = self.turns[-1] if self.turns else _Turn(answer=[])
        if last.answer is not None or not (any(text.strip() for text in last.question) or last.files):
            raise BadField("The last message must be a question of the user.", "messages")
        said = [*self.system, *(text for turn in self.turns for text in (*turn.question, *(turn.answer or ())))]
        if sum(map(len, said)) > MOST_CHARACTERS:
            raise BadField(
                "This conversation has become too long for me. Please begin a new one.",
                "messages",
                "context_length_exceeded",
            )
        if any(len(turn.files) > pictures for turn in self.turns):
            raise TooLarge("At most {limit} pictures in one question, please.", limit=pictures)
        if sum(len(turn.files) for turn in self.turns) > MOST_PICTURES:
            raise TooLarge("At most {limit} pictures in one conversation, please.", limit=MOST_PICTURES)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads messages for one person, within the limits of the page and of pictures."""

    config: WebConfig
    images: ImagesConfig
    assistant: Assistant
    person: str
    translator: Translator

    async def read(self, messages: Sequence[Message], conversation_id: str) -> Conversation:
        """Return the conversation with the open question last. Raises `BotError`."""
        made = _Turns()
        for index, message in enumerate(messages):
            made.add(message, f"messages.{index}")
        made.check(self.config.pictures)
        contents = await asyncio.to_thread(self._decoded, made.turns)
        digests = [hashlib.sha256(content).hexdigest() for content in contents.values()]
        self.assistant.count_contents(self.person, digests)
        conversation = Conversation(conversation_id, system="\n\n".join(made.system), stored=False)
        for turn in made.turns:
            text = "\n".join(turn.question)
            opened = [(file.number, await self._open(file, contents.pop(id(file)), text)) for file in turn.files]
            conversation = _asked(conversation, text, opened)
            if len(conversation.pictures) > MOST_PICTURES:
                raise TooLarge("At most {limit} pictures in one conversation, please.", limit=MOST_PICTURES)
            if turn.answer is not None:
                conversation = _answered(conversation, "\n".join(turn.answer))
        return conversation

    def _decoded(self, turns: Sequence[_Turn]) -> dict[int, bytes]:
        files = [file for turn in turns for file in turn.files]
        return {
            id(file): (data_url.read if file.is_url else data_url.decode)(file.text, file.param, self.images)
            for file in files
        }

    async def _open(self, file: _File, content: bytes, question: str) -> tuple[Image, ...]:
        limits = self.images.model_copy(update={"image_tokens": self._image_tokens(file.detail)})
        try:
            return (await open_document(content, question, limits)).images
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


def _asked(conversation: Conversation, text: str, opened: Sequence[tuple[int | None, Sequence[Image]]]) -> Conversation:
    """Return the conversation with a question. Its pictures keep the numbers that they came with, if they are free."""
    known = {picture.number: picture.image.id for picture in conversation.pictures}
    numbered: list[Picture] = []
    others: list[Image] = []
    for number, images in opened:
        if number is not None and len(images) == 1 and known.setdefault(number, images[0].id) == images[0].id:
            numbered.append(Picture(number, images[0]))
        else:
            others += images
    first = max([conversation.next_number, *(number + 1 for number in known)])
    return replace(conversation, next_number=first).ask(Question(text, tuple(others), closer=tuple(numbered)))


def _answered(conversation: Conversation, text: str) -> Conversation:
    last = replace(conversation.turns[-1], answer=Answer(text, Ending.DONE))
    return replace(conversation, turns=(*conversation.turns[:-1], last))


def _texts(message: Message) -> list[str]:
    labelled = _numbers(message)
    parts = [part for index, part in enumerate(message.content) if index + 1 not in labelled]
    return [text for part in parts if (text := part.text if part.type == "text" else part.refusal)]


def _files(message: Message, param: str) -> list[_File]:
    numbers = _numbers(message)
    return [
        replace(file, number=numbers.get(index))
        for index, part in enumerate(message.content)
        for file in _file(part, f"{param}.content.{index}")
    ]


def _numbers(message: Message) -> dict[int, int]:
    """Return, by its part's place, the number of each picture that has its own before it, as "Picture 2:"."""
    pairs = enumerate(pairwise(message.content), 1)
    labels = {
        index: _LABEL.fullmatch(before.text or "")
        for index, (before, part) in pairs
        if part.type in ("image_url", "file")
    }
    return {index: int(label[1]) for index, label in labels.items() if label}


def _file(part: ContentPart, param: str) -> Iterator[_File]:
    """Yield the file of a part, if it has one. Raises `BadField` for what is neither text nor picture."""
    if part.type == "image_url":
        if part.image_url is None:
            raise data_url.no_data(f"{param}.image_url")
        yield _File(part.image_url.url, f"{param}.image_url.url", part.image_url.detail)
    elif part.type == "file":
        data = part.file.file_data if part.file else None
        if data is None:
            raise BadField("Send the file itself, as file_data: files are not kept here.", f"{param}.file.file_data")
        yield _File(data, f"{param}.file.file_data", is_url=":" in data[:10])
    elif part.type not in ("text", "refusal"):
        raise BadField(
            "Only text and pictures can be sent, as parts of the types text, image_url and file.",
            f"{param}.type",
            "unsupported_value",
        )

"""Sort the messages of a request into turns: what a person asked, with which files, and what was answered."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from bots.web import data_url
from bots.web.openai.errors import BadField
from bots.web.openai.fields import ContentPart, Message
from core.conversation import MOST_PICTURES
from core.errors import TooLarge
from core.image import Image
from core.pictures.documents import Document

_LABEL = re.compile(r"\s*Picture (\d{1,3}):\s*")  # as our own engine for remote models writes it
MOST_CHARACTERS = 64_000  # of all messages; no context holds more, and each is looked at by the model's thread


@dataclass(frozen=True, slots=True)
class RequestFile:
    """A file as it was sent: its text in base64 or as a data URL, and the field that it came in.

    `number` is what the text before it calls it.
    """

    text: str
    param: str
    detail: str | None = None
    is_url: bool = True
    number: int | None = None


@dataclass(slots=True)
class Turn:
    """A question and its answer. `documents` are its files once they are opened, `pages` those that it turns to."""

    question: list[str] = field(default_factory=list)
    files: list[RequestFile] = field(default_factory=list)
    answer: list[str] | None = None
    documents: list[Document] = field(default_factory=list)
    pages: tuple[Image, ...] = ()

    @property
    def text(self) -> str:
        return "\n".join(self.question)

    @property
    def pictures(self) -> Iterator[tuple[int | None, Sequence[Image]]]:
        """Each file's pictures, with the number that it came with."""
        return ((file.number, opened.images) for file, opened in zip(self.files, self.documents, strict=True))


@dataclass(slots=True)
class Turns:
    """Puts messages of all roles into turns. Pictures that no person sent belong to the next question."""

    system: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    _early: list[RequestFile] = field(default_factory=list)

    def add(self, message: Message, param: str) -> None:
        texts, files = _texts(message), _files(message, param)
        match message.role:
            case "system" | "developer":
                self.system += texts
                self._early += files
            case "user" | "tool" | "function":
                if not self.turns or self.turns[-1].answer is not None:
                    self.turns.append(Turn())
                self.turns[-1].question += texts
                self.turns[-1].files += [*self._early, *files]
                self._early.clear()
            case "assistant":
                if not self.turns:
                    self.turns.append(Turn())
                calls = [call.function.arguments for call in message.tool_calls or ()]
                self.turns[-1].answer = [*(self.turns[-1].answer or ()), *texts, *calls]
                self._early += files
            case _:
                raise BadField(
                    "The role must be system, developer, user or assistant.", f"{param}.role", "unsupported_value"
                )

    def check(self, pictures: int) -> None:
        """Check what can be checked before any file is opened. `pictures` is the most in one question."""
        last = self.turns[-1] if self.turns else Turn(answer=[])
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
            raise too_many_pictures()


def too_many_pictures() -> TooLarge:
    return TooLarge("At most {limit} pictures in one conversation, please.", limit=MOST_PICTURES)


def _texts(message: Message) -> list[str]:
    labelled = _numbers(message)
    parts = [part for index, part in enumerate(message.content) if index + 1 not in labelled]
    return [text for part in parts if (text := part.text if part.type == "text" else part.refusal)]


def _files(message: Message, param: str) -> list[RequestFile]:
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


def _file(part: ContentPart, param: str) -> Iterator[RequestFile]:
    """Yield the file of a part, if it has one. Raises `BadField` for what is neither text nor picture."""
    if part.type == "image_url":
        if part.image_url is None:
            raise data_url.no_data(f"{param}.image_url")
        yield RequestFile(part.image_url.url, f"{param}.image_url.url", part.image_url.detail)
    elif part.type == "file":
        data = part.file.file_data if part.file else None
        if data is None:
            raise BadField("Send the file itself, as file_data: files are not kept here.", f"{param}.file.file_data")
        yield RequestFile(data, f"{param}.file.file_data", is_url=":" in data[:10])
    elif part.type not in ("text", "refusal"):
        raise BadField(
            "Only text and pictures can be sent, as parts of the types text, image_url and file.",
            f"{param}.type",
            "unsupported_value",
        )

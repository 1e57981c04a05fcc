"""Somebody in a storm: what they do there, what stands at their questions, and what must be remembered of it."""

import asyncio
import io
import json
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from babel.messages.pofile import read_po
from PIL import Image

from bots.conversing.answering import introduce
from core.i18n import LANGUAGES, Translator
from core.model.description import describe

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "core" / "demo" / "samples"
LOOK_S = 0.1  # between two looks at the screen
STOPPED = "(stopped)"
PAGES, LOOKED_AT = 5, 4  # of the document; at once
PDF = "application/pdf"
OUR_MISTAKE = "Something went wrong"
Right = Callable[[str], bool]


@dataclass(frozen=True)
class Talk:
    """What somebody asks: the pictures with the first question, the others below it."""

    pictures: tuple[bytes, ...]
    questions: tuple[str, ...]

    @property
    def turned(self) -> "Talk":
        """The same questions the other way round."""
        return Talk(self.pictures, self.questions[::-1])


@cache
def samples() -> dict[str, list[tuple[str, str]]]:
    """The demo model's pictures by name, each with questions and their right answers.

    A drawn box is a picture beside the words: tests/bots/test_features.py counts those.
    """
    listed = json.loads((SAMPLES / "samples.json").read_text("utf-8"))
    return {
        name: [(pair["question"], pair["answer"]) for pair in asked if "bbox" not in pair["answer"]]
        for name, asked in listed.items()
    }


@cache
def talks() -> tuple[Talk, ...]:
    """Different pictures and questions, so that an answer to somebody else would be seen; one is about two pictures."""
    pictures = {name: (SAMPLES / name).read_bytes() for name in samples()}
    alone = [
        Talk((pictures[name],), (asked[first][0], asked[-1 - first][0]))
        for first in (0, 1)
        for name, asked in samples().items()
    ]
    one, two = list(samples())[:2]
    both = Talk((pictures[one], pictures[two]), (samples()[one][0][0], samples()[two][0][0]))
    return (alone[0], both, *alone[1:])


@cache
def document() -> bytes:
    """A PDF with more pages than are looked at at once."""
    picture, packed = Image.open(SAMPLES / next(iter(samples()))).convert("RGB"), io.BytesIO()
    first, *others = [picture.crop((0, 8 * number, *picture.size)) for number in range(PAGES)]
    first.save(packed, "PDF", save_all=True, append_images=others)
    return packed.getvalue()


def is_document(data: bytes) -> bool:
    return data.startswith(b"%PDF")


@dataclass
class Book:
    """What a calm day told: by platform and talk the answers as they are shown there; by picture its id in the
    store."""

    answers: dict[tuple[str, Talk], list[str]] = field(default_factory=dict)
    images: dict[bytes, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """What is remembered of a question: its words, or what they were before an edit; and the pictures it came with, or
    how many `pages` of a document. It may have a thumb as its `rating`.

    A turn that is not `sure` may be missing: it was stopped before it began, for example. Of one that is not `shown`
    the answer may have been saved before the platform refused to show it. Of one that is `removed` the pictures must be
    gone.
    """

    questions: tuple[str, ...]
    pictures: tuple[bytes, ...] = ()
    sure: bool = True
    shown: bool = True
    removed: bool = False
    pages: int = 0
    rating: int = 0


@dataclass(frozen=True)
class Wish:
    """What is to stand at the places of one question: so many answers, each `right`. `model` may say them."""

    places: tuple[str, ...]
    right: Right
    least: int
    most: int
    model: bool
    turn: Turn | None


@dataclass(frozen=True)
class Asked:
    """A wish and what came of it. Of what was found so much may be `untold`, see `Person.untold`."""

    wish: Wish
    found: tuple[str, ...]
    untold: int = 0

    @property
    def verdict(self) -> str:
        if len(self.found) < self.wish.least:
            return "lost"
        if len(self.found) > self.wish.most + self.untold:
            return "doubled"
        if all(map(self.wish.right, self.found)):
            return "answered once, whole"
        return "other words" if self.wish.model or all(map(_own, self.found)) else "invented"


class Person(ABC):
    """Places are messages, by the platform's ids; on the web they are keys. `copies` is how often each arrives.

    `kind` is the name of what they do, see `tests.chaos.kinds`.
    """

    platform: ClassVar[str]
    rewrites: ClassVar[bool] = False  # whether an answer that is drawn anew is written over the old one

    def __init__(self, number: int, kind: str, book: Book, dice: random.Random, copies: int = 1) -> None:
        self.number = number
        self.kind = kind
        self.book = book
        self.dice = dice
        self.copies = copies
        self.display: list[Wish] = []
        self.patient = False  # whether they will wait for minutes
        self.done = False  # with all that they want to ask
        self.forgot = False
        self.keeps = True  # what they ask, once it is answered
        self.settings: dict[str, Any] = {}  # that their conversation must have in the end
        self.forgotten_pictures: list[str] = []  # ids of those that nobody else has
        self.counted = True  # an edit, or what else may come too late: whether it did not
        self.apart = False  # whether they ask in several conversations, which are in no order and are not read again
        self.troubles: list[str] = []  # what should not be, besides what stands at their questions

    # What they do

    @abstractmethod
    async def ask(self, text: str, pictures: Sequence[bytes] = (), who: int = 0) -> str:
        """Returns the question's place when it is sent. `who` else speaks in a group."""

    async def ask_anew(self, text: str, pictures: Sequence[bytes] = ()) -> str:
        """Ask in a conversation of its own."""
        raise NotImplementedError

    async def leave(self, picture: bytes) -> str:
        """A picture without a question; returns its place, "" where nothing is said to that."""
        return await self.ask("", (picture,))

    @abstractmethod
    async def order(self, command: str) -> str:
        """A command: new, forget, retry or export."""

    @abstractmethod
    async def set(self, name: str) -> str:
        """Switch a setting off; returns the order's place."""

    @abstractmethod
    async def rate(self, place: str) -> bool:
        """A thumb up for the answer there; returns whether it cannot get lost."""

    @abstractmethod
    async def stop(self, place: str) -> None:
        """By a button, or a word where there is no button."""

    # What they see

    @abstractmethod
    def found(self, place: str) -> list[str]:
        """What stands there as finished answers to a question; of a file the name."""

    @abstractmethod
    def file(self, place: str) -> bytes:
        """What they took along."""

    def begun(self, place: str) -> bool:
        """Whether the first words of an answer stand there; only in chats."""
        raise NotImplementedError

    def everything(self) -> list[str]:
        """All that the bot has finished in their conversation."""
        return [text for asked in self.asked() for text in asked.found]

    def shown(self) -> list[str]:
        """The platform's ids of what stands in their conversation, as they have to stand in the store."""
        return []

    def untold(self, place: str) -> int:
        """How many of the answers at a question were posted whole by a service that may never have learned of it, on a
        platform that does not say what was posted."""
        return 0

    def shown_again(self) -> int:
        """How many of these may be unknown to the store: what nobody waits for, and what stands there once more."""
        most = [min(len(asked.found), asked.wish.most + asked.untold) - asked.wish.least for asked in self.asked()]
        return sum(max(0, count) for count in most)

    def marks(self) -> list[str]:
        """Where the bot's reaction to a question still stands."""
        return []

    def leftovers(self) -> dict[str, float]:
        """What the bot posted and never became an answer, by the platform's id: when, by the monotonic clock."""
        return {}

    def in_order(self) -> bool:
        """Whether each answer was complete before the next one."""
        return True

    @property
    @abstractmethod
    def conversation(self) -> str:
        """Its id in the store."""

    # What must come of it

    def wants(
        self,
        places: str | Sequence[str],
        right: Right,
        turn: Turn | None = None,
        *,
        least: int = 1,
        most: int = 1,
        model: bool | None = None,
    ) -> None:
        """What stands at a question's places, and is remembered as a `turn`; without one the model is not to say it,
        unless `model` says so. Takes the place of an earlier wish for the same places."""
        places = (places,) if isinstance(places, str) else tuple(places)
        wish = Wish(places, right, least, most, turn is not None if model is None else model, turn)
        same = [index for index, each in enumerate(self.display) if each.places == places]
        if same:
            self.display[same[0]] = wish
        else:
            self.display.append(wish)

    async def answered(self, place: str) -> None:
        while not self.found(place):
            await asyncio.sleep(LOOK_S)

    async def has_begun(self, place: str) -> None:
        while not self.begun(place):
            await asyncio.sleep(LOOK_S)

    def truth(self, talk: Talk) -> list[str]:
        return self.book.answers[self.platform, talk]

    def asked(self) -> list[Asked]:
        return [
            Asked(
                wish,
                tuple(text for place in wish.places for text in self.found(place)),
                sum(map(self.untold, wish.places)),
            )
            for wish in self.display
        ]

    async def close(self) -> None:
        """Give back what they hold."""
        self.done = True

    @property
    def content(self) -> bool:
        """Whether everything that they wait for is there."""
        return self.done and all(len(asked.found) >= asked.wish.least for asked in self.asked())


def words(text: str) -> str:
    """What is said, whatever signs and spaces a platform shows it with."""
    return re.sub(r"\W+", "", text)


def without_introduction(text: str) -> str:
    """What is said besides the line that the demo model is one: it stands in each conversation's first answer."""
    return _introduction().sub("", text)


def exactly(*texts: str) -> Right:
    return lambda text: text in texts


def anything(text: str) -> bool:
    return bool(text.strip())


def own(text: str) -> bool:
    """Whether it begins as a sentence of the product's own, other than the one for our mistakes."""
    return not text.startswith(OUR_MISTAKE) and _own(text)


def not_own(text: str) -> bool:
    """What the model says."""
    return anything(text) and not _own(text)


def _own(text: str) -> bool:
    return any(pattern.match(text) for pattern in _sentences())


def is_spent(text: str) -> bool:
    """Whether it says that somebody may ask no more on this day."""
    return text.startswith("You have asked ")


def begins(text: str) -> Right:
    """It, or what was there of it when it was stopped."""
    return lambda found: words(text).startswith(words(found.replace(STOPPED, "")))


@cache
def _introduction() -> re.Pattern[str]:
    """In a chat below the answer, by itself or at the end of another line; in the terminal a line of its own."""
    model, languages = describe("demo"), list(map(Translator, LANGUAGES))
    assert model.introduction
    chats = "|".join(re.escape(introduce(model, language)) for language in languages)
    terminal = "|".join(re.escape(language.explain(model.introduction)) for language in languages)
    return re.compile(rf" · (?:{chats})|\n\n\*?(?:{chats})\*?|^(?:{terminal}).*\n", re.MULTILINE)


def _doubt() -> str:
    """What the demo model says when it is not sure: an answer, and no refusal."""
    model = describe("demo")
    assert model.doubt
    return model.doubt.sentence


@cache
def _sentences() -> tuple[re.Pattern[str], ...]:
    with (ROOT / "core" / "locale" / "zh.po").open("rb") as file:
        known = [message for message in read_po(file) if message.id and message.id != _doubt()]
    said = [re.sub(r"\{\w+\}", "", str(message.id)) for message in known]  # a word alone may begin any answer
    long = [message for message, words in zip(known, said, strict=True) if len(re.findall(r"\w+", words)) > 2]
    sentences = [str(text) for message in long for text in (message.id, message.string)]
    return tuple(re.compile(re.sub(r"\\\{\w+\\\}", ".+?", re.escape(sentence)), re.DOTALL) for sentence in sentences)

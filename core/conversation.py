"""The nouns of a conversation about pictures. They know no platform, no model and no database."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from core.pseudonym import pseudonym

MOST_PICTURES = 24  # that a conversation keeps; of more, those go that nobody asked about for longest
FEW = 4  # waiting pictures that a question takes up all together, whichever it names
_NUMBERS = r"(\d{1,3}(?:\s*(?:,|-|–|、|and|or|to|和|与|到|至)\s*\d{1,3}\b)*)"
_NAMED = re.compile(rf"(?:pictures?|images?|图片?)\s*{_NUMBERS}|第\s*{_NUMBERS}\s*[张幅]", re.IGNORECASE)
_RANGE = re.compile(r"-|–|to|到|至", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Image:
    """A picture made safe by `core.pictures.images`: upright RGB, no larger than the pixel budget.

    `id` is the sha256 of width, height and pixels, i.e. of what the model sees, so the same picture is stored and
    encoded once whoever sends it. `data` is its lossless PNG. `original_size` is (width, height) as it was sent;
    `original` keeps the sent bytes only when shrinking cost detail that somebody may want back. In an outline of a
    conversation `data` is empty; a question may name its pictures by such images.
    """

    id: str
    data: bytes = field(repr=False)
    width: int
    height: int
    original_size: tuple[int, int]
    original: bytes | None = field(default=None, repr=False)

    @property
    def shrunk(self) -> bool:
        return (self.width, self.height) != self.original_size


class Ending(StrEnum):
    DONE = "done"
    LENGTH = "length"  # the answer limit was reached
    REPEATED = "repeated"  # the model went round in circles; the text is what was good
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Figures:
    """Where an answer's time went, in seconds, and its tokens: computed, and taken from the cache."""

    queue_s: float = 0.0
    image_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    answer_tokens: int = 0

    @property
    def total_s(self) -> float:
        return self.queue_s + self.image_s + self.prefill_s + self.decode_s


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    ending: Ending
    figures: Figures = Figures()


@dataclass(frozen=True, slots=True)
class Picture:
    """An image and its number in one conversation; people and the model call it "picture 2".

    `person` is who left one that waits, see `core.pseudonym`.
    """

    number: int
    image: Image
    person: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks. A picture that the conversation already knows keeps its number and is asked about again.

    `person` is who asks, where several people do.
    """

    text: str
    images: tuple[Image, ...] = ()
    alone: bool = False  # about nothing else: pictures that wait go on waiting
    person: str | None = None
    closer: tuple[Picture, ...] = ()  # of the conversation, less shrunk than they are kept


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its pictures, and its answer (`None` while written). `rating`: 1 is a thumb up, -1 down."""

    text: str
    pictures: tuple[Picture, ...] = ()
    answer: Answer | None = None
    rating: int = 0


@dataclass(frozen=True, slots=True)
class Conversation:
    """`id` is opaque (`telegram:42:7`, `slack:T1:C1:171.2`, `web:9f…`). `waiting` pictures have no question yet."""

    id: str
    turns: tuple[Turn, ...] = ()
    waiting: tuple[Picture, ...] = ()
    next_number: int = 1  # numbers are never given twice, also after a picture was removed

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every picture of the conversation once, by number; of one that was looked at closer, the first."""
        known = {p.number: p for p in (*self.waiting, *reversed(self._shown))}
        return tuple(known[number] for number in sorted(known))

    @property
    def images(self) -> dict[str, Image]:
        """Every image of the conversation, by its id."""
        return {picture.image.id: picture.image for picture in (*self._shown, *self.waiting)}

    @property
    def questions(self) -> list[str]:
        """The words of every question, the oldest first."""
        return [turn.text for turn in self.turns]

    def whole(self, turn: Turn) -> Turn:
        """Return a turn of an outline with its pictures' data, as far as this conversation has them."""
        images = self.images
        pictures = [replace(picture, image=images.get(picture.image.id, picture.image)) for picture in turn.pictures]
        return replace(turn, pictures=tuple(pictures))

    @property
    def _shown(self) -> tuple[Picture, ...]:
        """The pictures of every turn, the oldest first."""
        return tuple(picture for turn in self.turns for picture in turn.pictures)

    @property
    def surplus(self) -> tuple[int, ...]:
        """Numbers of the pictures beyond `MOST_PICTURES`; the last question's stay, and those that wait go last."""
        used = {p.number: index for index, turn in enumerate(self.turns) for p in turn.pictures}
        used |= {p.number: len(self.turns) for p in self.waiting}
        longest_unused = sorted(used, key=lambda number: (used[number], number))
        beyond = longest_unused[: max(0, len(used) - MOST_PICTURES)]
        last = {p.number for turn in self.turns[-1:] for p in turn.pictures}
        return tuple(sorted(number for number in beyond if number not in last))

    def until(self, turn: int) -> "Conversation":
        """As it stood when its `turn`-th question, from 1, was answered."""
        return replace(self, turns=self.turns[:turn], waiting=())

    def without(self, numbers: Collection[int]) -> "Conversation":
        """With these pictures taken out of every turn."""

        def left(pictures: tuple[Picture, ...]) -> tuple[Picture, ...]:
            return tuple(picture for picture in pictures if picture.number not in numbers)

        turns = tuple(replace(turn, pictures=left(turn.pictures)) for turn in self.turns)
        return replace(self, turns=turns, waiting=left(self.waiting))

    def ask(self, question: Question) -> "Conversation":
        """This conversation with `question` as its open last turn; waiting pictures come first.

        Of many that wait, those that it names: all of them together may be more than there is room for. What somebody
        else left is not added to a question that brings its own pictures, unless it names them.
        """
        named = named_pictures(question.text)
        waiting = [
            picture for picture in self.waiting if picture.number in named or not _is_anothers(picture, question)
        ]
        few = len(waiting) <= FEW
        pictures = waiting if few else [picture for picture in waiting if picture.number in named] or waiting
        pictures = [*([] if question.alone else pictures), *question.closer]
        numbers = {p.image.id: p.number for p in (*self._shown, *self.waiting)}
        number = self.next_number
        for image in question.images:
            if image.id not in numbers:
                numbers[image.id] = number
                number += 1
            picture = Picture(numbers[image.id], image)
            if picture.number not in {p.number for p in pictures}:
                pictures.append(picture)
        turn = Turn(question.text, tuple(pictures))
        left = tuple(p for p in self.waiting if p.number not in {picture.number for picture in pictures})
        return replace(self, turns=(*self.turns, turn), waiting=left, next_number=number)


def _is_anothers(picture: Picture, question: Question) -> bool:
    if not (question.images and question.person and picture.person):
        return False
    return picture.person != pseudonym(question.person)


def named_pictures(text: str) -> set[int]:
    """Numbers of the pictures that a question speaks of: "pictures 2-4", "picture 1 and picture 3", "图1和图2"."""
    found: set[int] = set()
    for listed in (one or other for one, other in _NAMED.findall(text)):
        numbers = [int(number) for number in re.findall(r"\d+", listed)]
        found.update(range(min(numbers), max(numbers) + 1) if _RANGE.search(listed) else numbers)
    return found


def storable(text: str) -> str:
    """Without NUL and halves of surrogate pairs, which JSON can carry but no tokenizer, database or answer takes."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a list: `title` is its first question, `updated` in UTC."""

    id: str
    title: str
    updated: datetime


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """A part of a list; `next` is what to ask for the part after it with, None at the end."""

    summaries: tuple[Summary, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """In line: `place` 1 is next; `seconds` until the first piece, where measured speeds allow an estimate."""

    place: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Looking:
    """The vision encoder works on the `picture`-th of `of` pictures that are new to it."""

    picture: int
    of: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to append; never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class Removed:
    """These pictures had to make room in their conversation."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """What the model is asked, the open question last: whoever needs the pictures or the words before it has them here,
    and loads nothing again."""

    conversation: Conversation


Event = Begun | Waiting | Looking | Piece | Removed  # what is told while an answer is written
Tell = Callable[[Event], None]  # never blocks

"""Define the nouns of a conversation about pictures. They know no platform, no model and no database."""

import math
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from core.answer import Answer
from core.image import Image
from core.picture_names import named_pictures
from core.pseudonym import pseudonym
from core.regions import Part
from core.settings import ConversationSettings

MOST_PICTURES = 24  # kept in a conversation; those that were not asked about for longest go first
WAITING_TAKEN_TOGETHER = 4  # a question takes so few waiting pictures all together, even if it names only some


@dataclass(frozen=True, slots=True)
class Picture:
    """An image and its number in one conversation. People and the model call it "picture 2".

    `person` is who sent a waiting picture, see `core.pseudonym`. `part` says where it was cut out, if it was.
    """

    number: int
    image: Image
    person: str | None = field(default=None, compare=False)
    part: Part | None = field(default=None, compare=False)


def labelled(pictures: Iterable[Picture]) -> Iterator[tuple[str, Image]]:
    """Yield what a model is shown of pictures, and the words before each: a tiled picture stays one, in parts."""
    for picture in pictures:
        views = picture.image.views
        for number, view in enumerate(views, 1):
            part = f", part {number} of {len(views)}" if len(views) > 1 else ""
            yield f"Picture {picture.number}{part}: ", view


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks. A picture that the conversation already knows keeps its number and is asked about again.

    `person` is who asks, in a conversation of several people. `part` says where its one image was cut out.
    """

    text: str
    images: tuple[Image, ...] = ()
    alone: bool = False  # leave waiting pictures out
    person: str | None = None
    small_print: tuple[Picture, ...] = ()  # pictures of the conversation, less shrunk than they are stored
    again: bool = False  # it was answered before: with other random choices
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its pictures, and its answer (`None` while written). `rating`: 1 is a thumb up, -1 down.

    `removed` are the numbers of pictures that it had, too.
    """

    text: str
    pictures: tuple[Picture, ...] = ()
    answer: Answer | None = None
    rating: int = 0
    removed: tuple[int, ...] = ()

    @property
    def tiled(self) -> int:
        """How many of its pictures have tiles."""
        return sum(len(picture.image.tiles) > 1 for picture in self.pictures)

    def shown_whole(self, image_ids: Container[str]) -> int:
        """Return how many of those are shown whole, where a model is shown the images of these ids."""
        return sum(it.image.untiled.id in image_ids for it in self.pictures if len(it.image.tiles) > 1)


@dataclass(frozen=True, slots=True)
class Conversation:
    """`id` is opaque (`telegram:42:7`, `slack:T1:C1:171.2`, `web:9f…`). `waiting` pictures have no question yet.

    `system` is what the model is told before the first question. A conversation that is not `stored` is on no disk, and
    neither is anything that is computed for it. `answer_schema` is the JSON Schema that the next answer must obey.
    `settings` are those of its people, which the assistant heeds.
    """

    id: str
    turns: tuple[Turn, ...] = ()
    waiting: tuple[Picture, ...] = ()
    next_number: int = 1  # a removed picture's number is never given again
    system: str = ""
    stored: bool = True
    answer_schema: str | None = None
    settings: ConversationSettings = field(default=ConversationSettings())

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every picture of the conversation once, by number.

        Of a picture that was enlarged later, the first version.
        """
        known = {p.number: p for p in (*self.waiting, *reversed(self._shown))}
        return tuple(known[number] for number in sorted(known))

    @property
    def removed(self) -> set[int]:
        """The numbers of the pictures that were asked about and removed."""
        return {number for turn in self.turns for number in turn.removed}

    @property
    def images(self) -> dict[str, Image]:
        """Every image of the conversation, by its id."""
        return {picture.image.id: picture.image for picture in (*self._shown, *self.waiting)}

    @property
    def questions(self) -> list[str]:
        """The words of every question, oldest first."""
        return [turn.text for turn in self.turns]

    @property
    def is_tiled(self) -> bool:
        """Whether one of the turns shows a picture in tiles."""
        return any(len(picture.image.tiles) > 1 for picture in self._shown)

    @property
    def untiled(self) -> "Conversation":
        """The conversation with each tiled picture shown whole."""
        turns = [
            replace(turn, pictures=tuple(replace(picture, image=picture.image.untiled) for picture in turn.pictures))
            for turn in self.turns
        ]
        return replace(self, turns=tuple(turns))

    def whole(self, turn: Turn) -> Turn:
        """Return a turn of an outline with its pictures' data, as far as this conversation has them."""
        images = self.images
        pictures = [replace(picture, image=images.get(picture.image.id, picture.image)) for picture in turn.pictures]
        return replace(turn, pictures=tuple(pictures))

    @property
    def _shown(self) -> tuple[Picture, ...]:
        """The pictures of all turns, oldest first."""
        return tuple(picture for turn in self.turns for picture in turn.pictures)

    @property
    def surplus(self) -> tuple[int, ...]:
        """The numbers of pictures beyond `MOST_PICTURES`. Those of the last question stay, and waiting ones go last."""
        used = {p.number: index for index, turn in enumerate(self.turns) for p in turn.pictures}
        used |= {p.number: len(self.turns) for p in self.waiting}
        longest_unused = sorted(used, key=lambda number: (used[number], number))
        beyond = longest_unused[: max(0, len(used) - MOST_PICTURES)]
        last = {p.number for turn in self.turns[-1:] for p in turn.pictures}
        return tuple(sorted(number for number in beyond if number not in last))

    def until(self, turn: int) -> "Conversation":
        """Return the conversation as it was when question number `turn`, from 1, was answered."""
        return replace(self, turns=self.turns[:turn], waiting=())

    def without(self, numbers: Collection[int]) -> "Conversation":
        """Return the conversation with these pictures removed from every turn."""
        if not numbers:
            return self

        def left(pictures: tuple[Picture, ...]) -> tuple[Picture, ...]:
            return tuple(picture for picture in pictures if picture.number not in numbers)

        def without(turn: Turn) -> Turn:
            gone = tuple(picture.number for picture in turn.pictures if picture.number in numbers)
            return replace(turn, pictures=left(turn.pictures), removed=(*turn.removed, *gone))

        return replace(self, turns=tuple(map(without, self.turns)), waiting=left(self.waiting))

    def answered(self, answer: Answer) -> "Conversation":
        """Return the conversation with an answer to its open last turn."""
        return replace(self, turns=(*self.turns[:-1], replace(self.turns[-1], answer=answer)))

    def ask(self, question: Question) -> "Conversation":
        """Return the conversation with `question` as its open last turn. Waiting pictures come first.

        The question's own pictures keep their order. If one of them was already waiting, they take its place: waiting
        pictures with a smaller number go before them, the others after.
        """
        taken = {} if question.alone else {picture.image.id: picture for picture in self._taken_up_by(question)}
        brought = {image.id for image in question.images}
        first = min((picture.number for id, picture in taken.items() if id in brought), default=math.inf)
        others = [picture for id, picture in taken.items() if id not in brought]
        pictures = [*(picture for picture in others if picture.number < first), *question.small_print]
        numbers = {p.image.id: p.number for p in (*self._shown, *self.waiting)}
        number = self.next_number
        for image in question.images:
            part = None
            if image.id not in numbers:
                numbers[image.id], part = number, question.part
                number += 1
            picture = taken.get(image.id) or Picture(numbers[image.id], image, part=part)
            if picture.number not in {p.number for p in pictures}:
                pictures.append(picture)
        pictures += [picture for picture in others if picture.number > first]
        turn = Turn(question.text, tuple(pictures))
        left = tuple(p for p in self.waiting if p.number not in {picture.number for picture in pictures})
        return replace(self, turns=(*self.turns, turn), waiting=left, next_number=number)

    def _taken_up_by(self, question: Question) -> Sequence[Picture]:
        """Return the waiting pictures that a question takes up.

        If many wait, these are only those that it names, since there may be no room for all. Another person's pictures
        are not added to a question that brings its own, unless it names them.
        """
        named = named_pictures(question.text)
        own = [picture for picture in self.waiting if picture.number in named or not _is_of_another(picture, question)]
        if len(own) <= WAITING_TAKEN_TOGETHER:
            return own
        return [picture for picture in own if picture.number in named] or own


def _is_of_another(picture: Picture, question: Question) -> bool:
    if not (question.images and question.person and picture.person):
        return False
    return picture.person != pseudonym(question.person)

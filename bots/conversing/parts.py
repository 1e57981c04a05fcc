"""Look at a part of a picture more closely: which part a person means, and the picture that is cut out there."""

from dataclasses import dataclass, replace

from bots.conversing.store import Store
from core.answers.boxes import placed
from core.conversation import Conversation, Picture, Turn
from core.errors import BadQuestion, NotFound
from core.image import Image
from core.note import Note
from core.picture_names import named_pictures, without_pictures
from core.pictures.images import ImagesConfig
from core.pictures.parts import cut
from core.regions import Part, Region, around, named_region

WHAT_IS_THIS = Note("What is this? Read everything that is printed there.")  # for somebody who asks nothing


@dataclass(frozen=True, slots=True)
class Pointed:
    """A part that somebody points at: of which picture, and what they ask about it, if they say so."""

    picture: Picture
    region: Region
    question: str = ""


def pointed_in_words(words: str, known: Conversation, about: Turn | None) -> Pointed | None:
    """Return the part that words such as "top right of picture 2: what is it?" name; None if they name no part.

    Without a number it is the last picture of `about`, or else of the conversation. Raises `BadQuestion`, `NotFound`.
    """
    found = named_region(without_pictures(words))
    if found is None:
        return None
    region, question = found
    numbers = named_pictures(words)
    pictures = {picture.number: picture for picture in known.pictures}
    if numbers:
        return Pointed(_numbered(min(numbers), pictures), region, question)
    asked = next((turn.pictures for turn in reversed(known.turns) if turn.pictures), ())
    seen = (about.pictures if about else ()) or known.waiting or asked
    if not seen:
        raise NotFound("There are no pictures in this conversation yet.")
    return Pointed(seen[-1], region, question)


def box_of(turn: Turn, known: Conversation, number: int) -> Pointed:
    """Return the box `number`, from 1, of an answer, with what is around it. Raises `NotFound` and `BadQuestion`."""
    then = known.until(known.turns.index(turn) + 1) if turn in known.turns else known
    boxes = placed(turn, then)
    if not 0 < number <= len(boxes):
        raise NotFound("The answer points at nothing there.")
    at, box = boxes[number - 1]
    pictures = {picture.number: picture for picture in (*known.pictures, *turn.pictures)}
    return Pointed(_numbered(at, pictures), around(box.corners))


async def cut_out(pointed: Pointed, known: Conversation, store: Store, limits: ImagesConfig) -> tuple[Image, Part]:
    """Return the picture of a part, at the full pixels of what was sent if that was kept, and where it was cut out.

    A part of a part is cut out of the picture that both belong to, while that is there. Raises `BotError`.
    """
    pictures = {picture.number: picture for picture in known.pictures}
    picture, region = pictures.get(pointed.picture.number, pointed.picture), pointed.region
    while picture.part is not None and picture.part.parent in pictures:
        region = region.within(picture.part.region)
        picture = pictures[picture.part.parent]
    original = await store.original(picture.image.id)
    image = replace(picture.image, original=original)
    if original is None:
        image = await store.picture(image.id)
    return await cut(image, region, limits), Part(picture.number, region)


def _numbered(number: int, pictures: dict[int, Picture]) -> Picture:
    if number not in pictures:
        raise BadQuestion("There is no picture {number} in this conversation.", number=number)
    return pictures[number]

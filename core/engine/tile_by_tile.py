"""Ask about a tiled picture one tile after the other, and join the answers, for models that mix up several pictures."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, replace
from difflib import SequenceMatcher

from core.answer import Answer, Ending, Figures
from core.answers.boxes import moved
from core.conversation import Conversation
from core.errors import OutOfMemory, QueueFull
from core.events import Event, Piece, Tell
from core.image import Image, Tile
from core.sampling import Sampling

SHARED_LINES = 8  # that two tiles may both show where they overlap

Ask = Callable[[Conversation, Sampling, Tell], Awaitable[Answer]]


async def answer_by_tiles(
    conversation: Conversation, sampling: Sampling, tell: Tell, ask: Ask, doubt: str | None = None
) -> Answer:
    """Answer the open last turn by what `ask` answers about each tile, from first to last, as one answer.

    Boxes are told in thousandths of the whole picture. What is told twice is left out: lines of tiles that overlap, a
    sentence that fits several tiles, and the `doubt` of a tile while another has an answer.
    """
    image = _tiled(conversation)
    if image is None or conversation.answer_schema is not None:  # an answer is one object of JSON
        return await ask(conversation, sampling, tell)
    answers: list[Answer] = []
    said: list[str] = []
    for number, tile in enumerate(image.tiles):
        left = sampling.max_new_tokens - sum(answer.figures.answer_tokens for answer in answers)
        if left <= 0:
            answers.append(Answer("", Ending.LENGTH))
            break
        told = _Told(tell, _corners(image, number), is_first=not said)
        try:
            answer = await ask(
                _showing(conversation, number), sampling.model_copy(update={"max_new_tokens": left}), told
            )
        except (QueueFull, OutOfMemory):  # what was said of the tiles before must not be lost
            if not said:
                raise
            answers.append(Answer("", Ending.LENGTH))
            break
        answers.append(answer)
        overlaps = number > 0 and _overlap(image.tiles[number - 1], tile)
        _say(said, told.moved(answer.text), overlaps)
        told.finish()
    kept = [text for text in said if text and text != doubt] or said[:1]
    ending = next((answer.ending for answer in answers if answer.ending is not Ending.DONE), Ending.DONE)
    return Answer("\n".join(kept), ending, _sum([answer.figures for answer in answers]))


class _Told:
    """Tells what is answered about a tile, as a part of the whole answer: each begins on a line of its own.

    What may be boxes is held back until it can be moved to its place in the whole picture.
    """

    def __init__(self, tell: Tell, corners: tuple[float, float, float, float], is_first: bool) -> None:
        self._tell, self._corners, self._is_first = tell, corners, is_first
        self._text = ""
        self._shown = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Piece):
            self._text += event.text
            if "{" not in self._text:
                self._show(self._text)
        elif self._is_first:
            self._tell(event)

    def moved(self, text: str) -> str:
        return moved(text, self._corners)

    def finish(self) -> None:
        self._show(self.moved(self._text))

    def _show(self, text: str) -> None:
        new = text[self._shown :]
        if new:
            self._tell(Piece(new if self._is_first or self._shown else f"\n{new}"))
        self._shown = max(self._shown, len(text))


def _tiled(conversation: Conversation) -> Image | None:
    """Return the newest tiled picture; of several in a question the first."""
    for turn in reversed(conversation.turns):
        for picture in turn.pictures:
            if len(picture.image.tiles) > 1:
                return picture.image
    return None


def _showing(conversation: Conversation, number: int) -> Conversation:
    """Return the conversation with one tile in place of each tiled picture: that of the number, from 0, or the last."""

    def view(image: Image) -> Image:
        return image.views[min(number, len(image.views) - 1)]

    turns = [
        replace(turn, pictures=tuple(replace(picture, image=view(picture.image)) for picture in turn.pictures))
        for turn in conversation.turns
    ]
    return replace(conversation, turns=tuple(turns))


def _corners(image: Image, number: int) -> tuple[float, float, float, float]:
    """Return a tile's corners in thousandths of the picture."""
    left, top, right, bottom = image.tiles[number]
    across, down = 1000 / image.width, 1000 / image.height
    return left * across, top * down, right * across, bottom * down


def _overlap(one: Tile, other: Tile) -> bool:
    return other[0] < one[2] and other[1] < one[3]


def _say(said: list[str], text: str, overlaps: bool) -> None:
    """Add what is answered about a tile to what was said before, without what is there already."""
    if not text or ("\n" not in text and text in said):
        return
    if overlaps and said:
        before, lines = said[-1].splitlines(), text.splitlines()
        first = max(0, len(before) - SHARED_LINES)
        same = SequenceMatcher(None, before, lines, False).find_longest_match(first, None, 0, SHARED_LINES)
        if same.size:  # lines behind these in the one tile, and before them in the other, are cut through
            said[-1], text = "\n".join(before[: same.a]), "\n".join(lines[same.b :])
    said.append(text)


def _sum(figures: Sequence[Figures]) -> Figures:
    return Figures(**{field.name: sum(getattr(each, field.name) for each in figures) for field in fields(Figures)})

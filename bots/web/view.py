"""A conversation as its readers see it: Markdown rendered, boxes taken out of the text, and what else can be had."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bots.extras import Offer, offers
from bots.web.broadcast import Broadcast
from bots.web.markup import render
from bots.web.schema import (
    Analysis,
    AnswerView,
    AskingView,
    BoxView,
    ConversationView,
    Marked,
    PictureView,
    TurnView,
)
from core.boxes import Box, find_boxes
from core.conversation import Answer, Conversation, Picture, Turn
from core.receipt import receipt
from core.voice import Voice


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose language is spoken, and whether receipts are shown."""

    voice: Voice
    receipts: bool = True

    def conversation(self, known: Conversation, asking: Sequence[tuple[str, Broadcast]]) -> ConversationView:
        views = {picture.number: picture_view(known.id, picture) for picture in known.pictures}
        taken = {number for _, broadcast in asking for number in broadcast.numbers}
        return ConversationView(
            id=known.id,
            turns=[self.turn(known.id, number, turn) for number, turn in enumerate(known.turns, 1)],
            waiting=[views[picture.number] for picture in known.waiting if picture.number not in taken],
            asking=[
                AskingView(
                    key=key, text=it.text, pictures=[views[n] for n in it.numbers if n in views], again=not it.text
                )
                for key, it in asking
            ],
        )

    def turn(self, conversation_id: str, number: int, turn: Turn) -> TurnView:
        return TurnView(
            number=number,
            text=turn.text,
            pictures=[picture_view(conversation_id, picture) for picture in turn.pictures],
            answer=self._answer(conversation_id, number, turn, turn.answer) if turn.answer else None,
        )

    def analysis(self, conversation_id: str, answer: Answer) -> Analysis:
        grounding = find_boxes(answer.text)
        return Analysis(
            text=grounding.words(self.voice),
            conversation=conversation_id,
            ending=answer.ending.value,
            figures=_figures(answer),
            boxes=[_box(box) for box in grounding.boxes],
        )

    def _answer(self, conversation_id: str, number: int, turn: Turn, answer: Answer) -> AnswerView:
        grounding = find_boxes(answer.text)
        words = grounding.words(self.voice)
        here = f"/api/v1/conversations/{conversation_id}/turns/{number}"
        possible = offers(turn)
        return AnswerView(
            text=words,
            html=render(words),
            ending=answer.ending.value,
            figures=_figures(answer),
            boxes=[_box(box) for box in grounding.boxes],
            receipt=receipt(turn, self.voice) if self.receipts else "",
            marked=[Marked(number=n, url=f"{here}/marked/{n}.png") for n in _pointed_at(turn, grounding.boxes)],
            table=f"{here}/table.csv" if Offer.CSV in possible else None,
            file=f"{here}/answer.md" if Offer.TEXT in possible else None,
            small_print=Offer.SMALL_PRINT in possible,
        )


def picture_view(conversation_id: str, picture: Picture) -> PictureView:
    image = picture.image
    return PictureView(
        number=picture.number,
        width=image.width,
        height=image.height,
        original_width=image.original_size[0],
        original_height=image.original_size[1],
        url=f"/api/v1/conversations/{conversation_id}/pictures/{picture.number}",
    )


def _pointed_at(turn: Turn, boxes: Sequence[Box]) -> list[int]:
    """As `core.boxes.mark` has it: a box that names none of the turn's pictures is in the last one."""
    numbers = [picture.number for picture in turn.pictures]
    if not numbers:
        return []
    return sorted({box.picture if box.picture in numbers else numbers[-1] for box in boxes})


def _box(box: Box) -> BoxView:
    return BoxView(picture=box.picture, label=box.label, corners=box.corners)


def _figures(answer: Answer) -> dict[str, int | float]:
    rounded: dict[str, Any] = {name: round(value, 3) for name, value in asdict(answer.figures).items()}
    return rounded | {"total_s": round(answer.figures.total_s, 3)}

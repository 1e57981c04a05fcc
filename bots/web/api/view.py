"""Show a conversation to its readers: Markdown rendered, boxes taken out of the text, and each answer's actions."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bots.conversing.actions import available_actions
from bots.conversing.answer_action import AnswerAction
from bots.web.api.schema import (
    Analysis,
    AnswerView,
    AskingView,
    BoxView,
    ChosenPage,
    ConversationView,
    DocumentView,
    MarkedView,
    PartView,
    PictureView,
    TurnView,
)
from bots.web.broadcast import Broadcast
from bots.web.markdown import fold, render
from core.answer import Answer
from core.answers.boxes import Box, find_boxes, pointed_at
from core.answers.receipt import made_room, receipt
from core.answers.transcription import as_markdown
from core.conversation import Conversation, Picture, Turn
from core.i18n import Translator
from core.pictures.images import MOST_IMAGE_TOKENS
from core.pictures.kept_document import DocumentOutline


@dataclass(frozen=True, slots=True)
class Viewer:
    """How a reader sees answers: the language, whether receipts may be shown, and how closely pictures are read.

    `path` is what the page is below.
    """

    translator: Translator
    receipts: bool = True
    image_tokens: int = MOST_IMAGE_TOKENS
    path: str = ""

    def conversation(
        self, known: Conversation, asking: Sequence[Broadcast], versions: Mapping[int, int] = {}
    ) -> ConversationView:
        """Return the whole conversation. `versions` are how many of a turn there are, by its number, if not one."""
        views = {picture.number: self.picture(known.id, picture) for picture in known.pictures}
        taken = pictures_of(asking)
        return ConversationView(
            id=known.id,
            turns=[self.turn(known, number, versions.get(number, 1)) for number in range(1, len(known.turns) + 1)],
            waiting=[views[picture.number] for picture in known.waiting if picture.number not in taken],
            asking=[
                AskingView(
                    key=it.web_message.idempotency_key,
                    text=it.web_message.text,
                    pictures=[views[number] for number in it.web_message.pictures if number in views],
                    again=not it.web_message.text,
                    turn=it.web_message.turn or None,
                )
                for it in asking
            ],
        )

    def versions(self, known: Conversation, versions: Sequence[Turn]) -> list[TurnView]:
        """Return the versions of a conversation's last turn, oldest first."""
        earlier, number = known.turns[:-1], len(known.turns)
        places = [*range(1, len(versions)), 0]
        return [
            self.turn(replace(known, turns=(*earlier, version)), number, len(versions), place)
            for place, version in zip(places, versions, strict=True)
        ]

    def turn(self, known: Conversation, number: int, versions: int = 1, version: int = 0) -> TurnView:
        """Return a turn that has so many versions; `version` is which of the earlier ones it is, from 1."""
        turn = known.turns[number - 1]
        viewer = replace(self, translator=self.translator.for_question(turn.text))
        return TurnView(
            number=number,
            text=turn.text,
            pictures=[self.picture(known.id, picture) for picture in turn.pictures],
            answer=viewer._answer(known.until(number), turn, turn.answer, versions, version) if turn.answer else None,
        )

    def analysis(self, conversation_id: str | None, answer: Answer, notes: list[str]) -> Analysis:
        grounding = find_boxes(answer.text)
        return Analysis(
            text=grounding.words(self.translator),
            conversation=conversation_id,
            ending=answer.ending.value,
            figures=_figures(answer),
            boxes=[_box(box) for box in grounding.boxes],
            notes=notes,
        )

    def picture(self, conversation_id: str, picture: Picture) -> PictureView:
        image = picture.image
        return PictureView(
            number=picture.number,
            width=image.width,
            height=image.height,
            original_width=image.original_size[0],
            original_height=image.original_size[1],
            url=f"{self.path}/api/v1/conversations/{conversation_id}/pictures/{picture.number}?of={image.id[:8]}",
            part=picture.part and PartView(of=picture.part.parent, region=picture.part.region.corners),
        )

    def document(
        self, conversation_id: str, document: DocumentOutline, waiting: Sequence[Picture], limit: int
    ) -> DocumentView:
        """Return a conversation's document. `limit` is how many pages one question may be about."""
        numbers = {picture.image.id: picture.number for picture in waiting}
        chosen = [(page, numbers[of]) for page, of in sorted(document.images.items()) if of in numbers]
        here = f"{self.path}/api/v1/conversations/{conversation_id}/document"
        return DocumentView(
            id=document.digest,
            pages=document.page_count,
            limit=limit,
            chosen=[ChosenPage(page=page, picture=number) for page, number in chosen],
            thumbnail=f"{here}/pages/{{page}}?of={document.digest[:8]}",
        )

    def notes(self, left_out: Sequence[str], removed: Sequence[int]) -> list[str]:
        """Return sentences about pictures that were not looked at, or are no longer kept."""
        return [*left_out, made_room(removed, self.translator)] if removed else list(left_out)

    def _answer(self, known: Conversation, turn: Turn, answer: Answer, versions: int, version: int) -> AnswerView:
        grounding = find_boxes(answer.text)
        words = grounding.words(self.translator)
        markdown = as_markdown(grounding.text, [asked.text for asked in known.turns]) or words
        here = f"{self.path}/api/v1/conversations/{known.id}/turns/{len(known.turns)}"
        possible = available_actions(turn, self.image_tokens)
        pictures = pointed_at(turn, known)
        drawing = drawing_of(answer)
        which = f"version={version}" if version else ""  # of the earlier ones
        return AnswerView(
            text=words,
            html=fold(thoughts_summary(self.translator), grounding.thoughts) + render(markdown),
            ending=answer.ending.value,
            figures=_figures(answer),
            boxes=[_box(replace(box, picture=it.number)) for it, boxes in pictures.items() for box in boxes],
            receipt=receipt(turn, self.translator) if self.receipts and known.settings.receipt else "",
            marked=[
                MarkedView(number=it.number, url=f"{here}/marked/{it.number}.png?of={drawing}&{which}".rstrip("&"))
                for it in pictures
            ],
            table=f"{here}/table.csv?{which}".rstrip("?") if AnswerAction.CSV in possible else None,
            file=f"{here}/answer.md?{which}".rstrip("?") if AnswerAction.TEXT in possible else None,
            small_print=AnswerAction.SMALL_PRINT in possible,
            rating=turn.rating,
            versions=versions,
        )


def pictures_of(asking: Sequence[Broadcast]) -> set[int]:
    """Return the numbers of the pictures that these questions are about."""
    return {number for it in asking for number in it.web_message.pictures}


def drawing_of(answer: Answer) -> str:
    """Return what tells an answer's drawn boxes from those of another answer, which may replace it at its address."""
    return f"{zlib.crc32(answer.text.encode()):08x}"


def thoughts_summary(translator: Translator, growing: bool = False) -> str:
    """Return what stands for folded thoughts."""
    return translator.say("Thinking …") if growing else translator.say("What the model thought")


def _box(box: Box) -> BoxView:
    return BoxView(picture=box.picture, label=box.label, corners=box.corners)


def _figures(answer: Answer) -> dict[str, int | float]:
    rounded: dict[str, Any] = {name: round(value, 3) for name, value in asdict(answer.figures).items()}
    return rounded | {"total_s": round(answer.figures.total_s, 3)}

"""Write an answer to the terminal and to files: words without the model's JSON, drawn boxes, tables as CSV."""

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from core import thoughts
from core.answer import Answer
from core.answers.boxes import Box, draw, find_boxes, pointed_at, visible
from core.answers.tables import csv_file, find_tables
from core.conversation import Conversation, Question, Turn
from core.errors import OperatorError
from core.events import BeganAgain, Event, Looking, Piece, Waiting
from core.i18n import Translator
from core.image import Image

PNG, CSV = ".png", ".csv"
CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)])  # a terminal would obey them


class AnswerStream:
    """Shows an answer on stdout while it is written, without the JSON of boxes."""

    def __init__(self, console: Console, translator: Translator, shows_pieces: bool) -> None:
        self._status = console.status("…")
        self._translator = translator
        self._shows_pieces = shows_pieces
        self._raw = self._shown = ""

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._status.stop()
        if error is not None and self._shown:
            _print("\n")  # a sentence follows, on a line of its own

    def tell(self, event: Event) -> None:
        match event:
            case Waiting():
                self._status.update(self._translator.say("One moment …"))
            case Looking(picture, total):
                saying = self._translator.say("Looking at picture {picture} of {of} …", picture=picture, of=total)
                self._status.update(saying)
            case BeganAgain() if self._shows_pieces:
                _print(f"\n{self._translator.say('The model was interrupted. I begin again …')}\n")
                self._raw = self._shown = ""
            case Piece(text) if self._shows_pieces:
                self._raw += text
                self._show(visible(self._raw))

    def finish(self, answer: Answer) -> None:
        if self._shows_pieces:
            words = find_boxes(answer.text).words(self._translator)
            if not self._show(words):
                _print(f"\n{words.translate(CONTROLS)}")
            _print("\n")

    def _show(self, text: str) -> bool:
        """Print what is new. Return False if what was printed is no beginning of it."""
        text = text.translate(CONTROLS)
        if not text.startswith(self._shown):
            return False
        if piece := text[len(self._shown) :]:
            self._status.stop()
            _print(piece)
            self._shown = text
        return True


@dataclass(frozen=True, slots=True)
class AnswerOutput:
    """What is wanted besides the words: everything in JSON instead, boxes as a picture, tables as CSV."""

    as_json: bool = False
    boxes: Path | None = None
    tables: Path | None = None

    def __post_init__(self) -> None:
        for path, suffix in ((self.boxes, PNG), (self.tables, CSV)):
            if path is not None and path.suffix.lower() != suffix:
                raise OperatorError(
                    "{path} has to end in {suffix}, for that is what is written.", path=str(path), suffix=suffix
                )
            if path is not None and not path.absolute().parent.is_dir():
                raise OperatorError("There is no folder {folder}.", folder=str(path.absolute().parent))

    @property
    def shows_pieces(self) -> bool:
        return not self.as_json

    async def write(
        self,
        question: str,
        answer: Answer,
        images: Callable[[], Awaitable[Sequence[Image]]],
        translator: Translator,
    ) -> list[str]:
        """Write what is wanted, and return notes about it. `images` are all pictures, in order."""
        if self.as_json:
            _print(json.dumps(_object(answer, translator), ensure_ascii=False) + "\n")
        notes = []
        if self.boxes is not None:
            notes += await self._save_boxes(self.boxes, question, answer, images, translator)
        if self.tables is not None:
            tables = find_tables(thoughts.without(answer.text))
            if tables:
                _save(self.tables, csv_file(tables))
            notes.append(
                translator.say("The tables are in {path}.", path=str(self.tables))
                if tables
                else translator.say("The answer has no table, so no file was written.")
            )
        return notes

    async def _save_boxes(
        self,
        path: Path,
        question: str,
        answer: Answer,
        images: Callable[[], Awaitable[Sequence[Image]]],
        translator: Translator,
    ) -> list[str]:
        if not find_boxes(answer.text).boxes:
            return [translator.say("The answer points at nothing, so no picture was written.")]
        known = Conversation("").ask(Question(question, tuple(await images()))).turns[-1].pictures
        notes = []
        found = pointed_at(Turn(question, known, answer))
        for picture, boxes in found.items():
            to = path if len(found) == 1 else path.with_stem(f"{path.stem}-{picture.number}")
            _save(to, await draw(picture.image, boxes))
            notes.append(translator.say("The boxes are drawn in {path}.", path=str(to)))
        return notes


def _object(answer: Answer, translator: Translator) -> dict[str, object]:
    grounding, figures = find_boxes(answer.text), answer.figures
    usage = {
        "prompt_tokens": figures.prompt_tokens,
        "cached_tokens": figures.reused_tokens,
        "completion_tokens": figures.answer_tokens,
    }
    return {
        "answer": grounding.words(translator),
        "ending": answer.ending.value,
        "boxes": [_box(box) for box in grounding.boxes],
        "usage": usage,
    }


def _box(box: Box) -> dict[str, object]:
    return {"picture": box.picture, "label": box.label, "corners": box.corners}


def _save(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OperatorError("{path} cannot be written: {reason}", path=str(path), reason=error.strerror or "") from None


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()

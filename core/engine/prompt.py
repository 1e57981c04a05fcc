"""Write a conversation as the model sees it: token ids, pictures in place, and 3-D positions (M-RoPE). Pure numpy."""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from core import thoughts
from core.conversation import Conversation, Turn, labelled
from core.engine.tokenizer import Tokenizer
from core.errors import BadQuestion
from core.image import Image

Ints = npt.NDArray[np.int64]
Grid = Callable[[int, int], tuple[int, int]]  # pixels (width, height) to image tokens (height, width)


@dataclass(frozen=True, slots=True)
class Span:
    """The rows of a picture in a prompt. `height` and `width` are in image tokens."""

    image: Image
    start: int
    height: int
    width: int

    @property
    def stop(self) -> int:
        return self.start + self.height * self.width


@dataclass(frozen=True)
class Prompt:
    """A prompt's token ids (rows,), with the image pad in a picture's rows; `keys` (rows,) names each row's content."""

    ids: Ints
    keys: Ints
    positions: Ints  # (3, rows): time, height, width
    spans: tuple[Span, ...]

    @cached_property
    def next_position(self) -> int:
        """The position where the answer begins: after the largest position, not after the number of rows."""
        return int(self.positions.max()) + 1

    @cached_property
    def images(self) -> dict[str, Image]:
        """The prompt's pictures by id."""
        return {span.image.id: span.image for span in self.spans}


class Prompter:
    """Writes prompts for one model."""

    def __init__(self, tokenizer: Tokenizer, grid: Grid, context_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._grid = grid
        self._limit = context_tokens
        self._special = {
            name: tokenizer.special(f"<|{name}|>")
            for name in ("im_start", "im_end", "vision_start", "vision_end", "image_pad")
        }

    @property
    def closing(self) -> list[int]:
        """The tokens that follow every answer, except before pictures and unusual first characters."""
        special, encode = self._special, self._tokenizer.encode
        return [special["im_end"], *encode("\n"), special["im_start"], *encode("user\n")]

    def write(self, conversation: Conversation, answer_tokens: int) -> Prompt:
        """Write the prompt for the open last turn, leaving room for `answer_tokens`. Raises `BadQuestion`.

        When there is no room, the oldest turns go. The pictures seen last stay: the oldest turn that is left shows
        them, so that no answer is invented without a picture. Where tiles leave no room, pictures are shown whole.
        """
        system, turns = self._system(conversation.system), conversation.turns
        room = self._limit - answer_tokens - len(system)
        rows = self._newest(turns, room)
        if not any(turn.pictures for turn in turns[-len(rows) :]):
            rows = self._show_again(turns, rows, room)
        needed = len(rows[-1])
        if needed > room and conversation.is_tiled:
            return self.write(conversation.untiled, answer_tokens)
        if needed > room:
            raise too_long(needed + len(system), room + len(system))
        return _join([system, *rows])

    def _newest(self, turns: Sequence[Turn], room: int) -> list["_Rows"]:
        """Return the newest turns that fit, at least the last one. Turns that do not fit are never encoded.

        Dropping one turn per question would change the start of every prompt, and the prefix cache would be of no use.
        So the cut is at a stable index. Of the turns that leave at least half of the room filled, the one whose index
        is divisible by the highest power of two comes first. It stays first for about half as many questions as fit.
        """
        rows: deque[_Rows] = deque()
        used, latest = 0, len(turns) - 1
        for index in reversed(range(len(turns))):
            turn = self._turn(turns[index])
            used += len(turn)
            if rows and used > room:
                first = max(range(index + 1, latest + 1), key=lambda number: number & -number)
                return list(rows)[first - index - 1 :]
            rows.appendleft(turn)
            if used <= room // 2:
                latest = index
        return list(rows)

    def _show_again(self, turns: Sequence[Turn], rows: list["_Rows"], room: int) -> list["_Rows"]:
        """Return the newest turns that fit together with the pictures seen last, which the oldest of them shows."""
        seen = next((turn.pictures for turn in reversed(turns) if turn.pictures), ())
        if not seen:
            return rows
        rows = self._newest(turns, room - len(self._turn(Turn("", seen))))
        return [self._turn(replace(turns[-len(rows)], pictures=seen)), *rows[1:]]

    def _system(self, text: str) -> "_Rows":
        """Return the rows of what the model is told first; none without a text."""
        special = self._special
        rows = _Rows(special["image_pad"])
        if text:
            rows.add_token(special["im_start"])
            rows.add_text(self._tokenizer, f"system\n{text}")
            rows.add_token(special["im_end"])
            rows.add_text(self._tokenizer, "\n")
        return rows

    def _turn(self, turn: Turn) -> "_Rows":
        special = self._special
        rows = _Rows(special["image_pad"])
        rows.add_token(special["im_start"])
        text = "user\n"
        for label, view in labelled(turn.pictures):
            rows.add_text(self._tokenizer, text + label)
            rows.add_token(special["vision_start"])
            rows.add_picture(view, *self._grid(view.width, view.height))
            rows.add_token(special["vision_end"])
            text = ""
        rows.add_text(self._tokenizer, text + turn.text)
        rows.add_token(special["im_end"])
        rows.add_text(self._tokenizer, "\n")
        rows.add_token(special["im_start"])
        if turn.answer is None:
            rows.add_text(self._tokenizer, "assistant\n")
            return rows
        # As in the templates of Qwen3: thoughts of earlier turns are not repeated.
        rows.add_text(self._tokenizer, f"assistant\n{thoughts.without(turn.answer.text)}")
        rows.add_token(special["im_end"])
        rows.add_text(self._tokenizer, "\n")
        return rows


class _Rows:
    """The rows of one turn, in parts: each part is (ids, keys, span or None)."""

    def __init__(self, image_pad: int) -> None:
        self._image_pad = image_pad
        self.parts: list[tuple[Ints, Ints, Span | None]] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add_token(self, token: int) -> None:
        self._add(np.array([token], np.int64))

    def add_text(self, tokenizer: Tokenizer, text: str) -> None:
        if text:
            self._add(np.array(tokenizer.encode(text), np.int64))

    def add_picture(self, image: Image, height: int, width: int) -> None:
        ids = np.full(height * width, self._image_pad, np.int64)
        self._add(ids, picture_keys(image.id, height * width), Span(image, 0, height, width))

    def _add(self, ids: Ints, keys: Ints | None = None, span: Span | None = None) -> None:
        self.parts.append((ids, ids if keys is None else keys, span))
        self._length += len(ids)


def too_long(tokens: int, room: int) -> BadQuestion:
    return BadQuestion(
        "Your question with its pictures is too long: it needs {percent} % of the room that I have. "
        'Ask about fewer pictures at once, by their numbers ("picture 1"), or in fewer words.',
        percent=-(-100 * tokens // room),
    )


def picture_keys(image_id: str, rows: int) -> Ints:
    """Return keys for a picture's rows, negative and from its sha256, so that no other row has the same."""
    digest = hashlib.sha256(image_id.encode()).digest()
    start = int.from_bytes(digest[:8], "big") >> 2
    return -1 - start - np.arange(rows, dtype=np.int64)


def _join(turns: list[_Rows]) -> Prompt:
    ids, keys, positions, spans = [], [], [], []
    row = position = 0
    for part_ids, part_keys, span in (part for turn in turns for part in turn.parts):
        ids.append(part_ids)
        keys.append(part_keys)
        if span is None:
            positions.append(np.tile(np.arange(position, position + len(part_ids)), (3, 1)))
            position += len(part_ids)
        else:
            grid = np.indices((1, span.height, span.width)).reshape(3, -1)  # (3, rows)
            positions.append(grid + position)
            position += max(span.height, span.width)
            spans.append(Span(span.image, row, span.height, span.width))
        row += len(part_ids)
    return Prompt(np.concatenate(ids), np.concatenate(keys), np.concatenate(positions, axis=1), tuple(spans))

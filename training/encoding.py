"""Conversations as the tensors that the model is trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL.Image import Resampling
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from training.conversations import Turn
from training.model import CELLS, PATCH, token_grid
from training.pictures import Picture, Span
from training.samples import BoundingBox, Computed, ObjectName, Piece

# Characters that print alike are read as one: the wide yuan sign as the narrow one, the small bullet as the large.
READ_AS = {"\uffe5": "\u00a5", "\u00b7": "\u2022"}


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """Pictures of one size, and what stands where in them."""

    pixels: Tensor  # (pictures, height, width, 3) bytes
    glyphs: Tensor  # (n, 4): picture, token, cell, token id of the character


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """The tokens that a picture becomes."""

    picture: Picture
    rows: int
    columns: int

    def pixels(self) -> np.ndarray:
        """Return (height, width, 3) bytes, resized as the picture processor does."""
        return np.asarray(self.picture.image.resize((self.columns * PATCH, self.rows * PATCH), Resampling.BICUBIC))

    def locate(self, x: float, y: float) -> tuple[int, int]:
        """Return the token that shows a point of the picture, and which of its cells."""
        across = min(max(x / self.picture.width, 0.0), 0.9999) * self.columns
        down = min(max(y / self.picture.height, 0.0), 0.9999) * self.rows
        return int(down) * self.columns + int(across), int(across % 1 * CELLS)


def unresized(picture: Picture) -> TokenGrid:
    """Return the grid of a picture that is shown pixel by pixel, as a piece of a larger one would be."""
    return TokenGrid(picture, picture.height // PATCH, picture.width // PATCH)


def resized(picture: Picture) -> TokenGrid:
    """Return the grid of a picture that the processor enlarges or shrinks."""
    return TokenGrid(picture, *token_grid(picture.width, picture.height))


def image_batch(grids: list[TokenGrid], ids: dict[str, int]) -> ImageBatch:
    pixels = np.stack([grid.pixels() for grid in grids]) if grids else np.zeros((0, 0, 0, 3), np.uint8)
    rows = []
    for index, grid in enumerate(grids):
        for glyph in grid.picture.glyphs:
            character = ids.get(glyph.character)
            if character is None or not (0 <= glyph.x < grid.picture.width and 0 <= glyph.y < grid.picture.height):
                continue
            token, cell = grid.locate(glyph.x, glyph.y)
            rows.append((index, token, cell if glyph.cell is None else glyph.cell, character))
    return ImageBatch(torch.from_numpy(pixels), as_rows(rows))


def as_rows(rows: Sequence[tuple[int, ...]]) -> Tensor:
    """Return (n, 4), also where there are none: photographs have no letters."""
    return torch.tensor(rows, dtype=torch.long).view(-1, 4)


def alphabet(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Return the characters that are one token each, with their ids."""
    found = {}
    for token_id in range(len(tokenizer)):
        text = tokenizer.decode([token_id])
        if len(text) == 1 and text != "\ufffd":
            found[text] = token_id
    return found | {other: found[one] for other, one in READ_AS.items()}


@dataclass(frozen=True, slots=True)
class Batch:
    """Conversations as the language model reads them, padded on the right to one length."""

    images: ImageBatch
    ids: Tensor  # (conversations, length)
    answers: Tensor  # (conversations, length) bool: tokens that the model has to write
    computed: Tensor  # (conversations, length) bool: those of them that no picture shows
    here: Tensor  # (n, 4): conversation, a quoted token, the image token that shows it, the cell of that token
    there: Tensor  # (n, 4): the same for the token before the quoted one, which has to find it


@dataclass(slots=True)
class Encoded:
    """One conversation as token ids, with the places that its answers quote from."""

    ids: list[int] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    computed: list[int] = field(default_factory=list)
    images: list[tuple[int, TokenGrid]] = field(default_factory=list)  # with the first token of each
    quotes: list[tuple[int, int, int]] = field(default_factory=list)  # a token, the image token it is on, the cell

    def add(self, ids: list[int], answer: bool = False) -> None:
        self.ids += ids
        self.answers += [answer] * len(ids)

    def quote(self, ids: list[int], picture: Picture, x: float, y: float) -> None:
        """Add tokens of an answer that are read at a point of a picture."""
        start, grid = next((start, grid) for start, grid in self.images if grid.picture is picture)
        token, cell = grid.locate(x, y)
        self.quotes += [(len(self.ids) + offset, start + token, cell) for offset in range(len(ids))]
        self.add(ids, answer=True)


class Encoder:
    """Writes conversations exactly as the chat template does, picture numbers included."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.alphabet = alphabet(tokenizer)
        self.start, self.end, self.padding = map(self.special, ("<|im_start|>", "<|im_end|>", "<|endoftext|>"))
        self.image, *self.vision = map(self.special, ("<|image_pad|>", "<|vision_start|>", "<|vision_end|>"))
        self.known: dict[str, list[int]] = {}

    def special(self, token: str) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(token))

    def spell(self, text: str) -> list[int]:
        found: list[int] = []
        for character in text:
            if character not in self.known:
                read_as = READ_AS.get(character, character)
                self.known[character] = self.tokenizer(read_as, add_special_tokens=False)["input_ids"]
            found += self.known[character]
        return found

    def encode(self, turns: Sequence[Turn], grid_of: Callable[[Picture], TokenGrid] = resized) -> Encoded:
        encoded = Encoded()
        for turn in turns:
            encoded.add([self.start, *self.spell("user\n")])
            for picture in turn.pictures:
                encoded.add([*self.spell(f"Picture {len(encoded.images) + 1}: "), self.vision[0]])
                grid = grid_of(picture)
                encoded.images.append((len(encoded.ids), grid))
                encoded.add([self.image] * (grid.rows * grid.columns) + [self.vision[1]])
            question = self.spell(turn.qa.question)
            encoded.add([*question, self.end, *self.spell("\n"), self.start, *self.spell("assistant\n")])
            for piece in turn.qa.answer:
                self.write(encoded, piece)
            encoded.add([self.end], answer=True)
            encoded.add(self.spell("\n"))
        return encoded

    def write(self, encoded: Encoded, piece: Piece) -> None:
        """Add one piece of an answer, with where it was read."""
        if isinstance(piece, Span):
            glyph = piece.first
            for character in piece.text:
                if character.isspace():
                    encoded.add(self.spell(character), answer=True)
                    continue
                shown = piece.picture.glyphs[glyph]
                encoded.quote(self.spell(character), piece.picture, shown.x, shown.y)
                glyph += 1
        elif isinstance(piece, ObjectName):
            encoded.quote(self.spell(piece.text), piece.picture, piece.x, piece.y)
        elif isinstance(piece, BoundingBox):
            self.write_box(encoded, piece)
        elif isinstance(piece, Computed):
            spelled = self.spell(piece.text)
            encoded.computed += range(len(encoded.ids), len(encoded.ids) + len(spelled))
            encoded.add(spelled, answer=True)
        else:
            encoded.add(self.spell(piece), answer=True)

    def write_box(self, encoded: Encoded, box: BoundingBox) -> None:
        """Add a box; each of its numbers is read off the token in that corner."""
        left, top, right, bottom = box.box
        corners = ((left, top), (left, top), (right - 1, bottom - 1), (right - 1, bottom - 1))
        before, bracket, rest = box.text.partition('": [')
        encoded.add(self.spell(before + bracket), answer=True)
        for (x, y), number in zip(corners, box.corners, strict=True):
            before, _, rest = rest.partition(str(number))
            encoded.add(self.spell(before), answer=True)
            encoded.quote(self.spell(str(number)), box.picture, x, y)
        encoded.add(self.spell(rest), answer=True)

    def batch(self, conversations: Sequence[Encoded]) -> Batch:
        ids, answers = (
            pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=padding)
            for rows, padding in (
                ([each.ids for each in conversations], self.padding),
                ([each.answers for each in conversations], False),
            )
        )
        computed = torch.zeros_like(answers)
        here: list[tuple[int, ...]] = []
        there: list[tuple[int, ...]] = []
        for row, each in enumerate(conversations):
            computed[row, each.computed] = True
            here += [(row, token, *where) for token, *where in each.quotes]
            there += [(row, token - 1, *where) for token, *where in each.quotes]
        images = image_batch([grid for each in conversations for _, grid in each.images], self.alphabet)
        return Batch(images, ids, answers, computed, as_rows(here), as_rows(there))

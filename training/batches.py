"""Batches of drawn pictures as tensors, made in background processes; endless, and the same for the same seed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from PIL.Image import Resampling
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, IterableDataset
from transformers import PreTrainedTokenizerBase

from training.conversations import Turn
from training.model import SLOTS, TOKEN, grid
from training.pictures import Picture, Span
from training.subject import Exchange, Named, Result, Spot

Batch = TypeVar("Batch")
# What prints alike is read as one: the wide yuan sign as the narrow one, the small bullet as the large.
SAME = {"\uffe5": "\u00a5", "\u00b7": "\u2022"}


@dataclass(frozen=True, slots=True)
class Prints:
    """Pictures of one size, and what stands where in them."""

    pixels: Tensor  # (pictures, height, width, 3) bytes
    glyphs: Tensor  # (n, 4): picture, token, slot, token id of the character


@dataclass(frozen=True, slots=True)
class Grid:
    """The tokens that a picture becomes."""

    picture: Picture
    rows: int
    columns: int

    def pixels(self) -> np.ndarray:
        """(height, width, 3) bytes, resized as the picture processor does."""
        return np.asarray(self.picture.image.resize((self.columns * TOKEN, self.rows * TOKEN), Resampling.BICUBIC))

    def place(self, x: float, y: float) -> tuple[int, int]:
        """The token that shows a point of the picture, and which of its cells."""
        across = min(max(x / self.picture.width, 0.0), 0.9999) * self.columns
        down = min(max(y / self.picture.height, 0.0), 0.9999) * self.rows
        return int(down) * self.columns + int(across), int(across % 1 * SLOTS)


def crop(picture: Picture) -> Grid:
    """Pixel by pixel: what is crammed stands for a piece of a picture, which would not be enlarged alone."""
    return Grid(picture, picture.height // TOKEN, picture.width // TOKEN)


def whole(picture: Picture) -> Grid:
    return Grid(picture, *grid(picture.width, picture.height))


def prints(grids: list[Grid], ids: dict[str, int]) -> Prints:
    shown = np.stack([each.pixels() for each in grids]) if grids else np.zeros((0, 0, 0, 3), np.uint8)
    rows = []
    for index, each in enumerate(grids):
        for glyph in each.picture.glyphs:
            character = ids.get(glyph.character)
            if character is None or not (0 <= glyph.x < each.picture.width and 0 <= glyph.y < each.picture.height):
                continue
            token, cell = each.place(glyph.x, glyph.y)
            rows.append((index, token, cell if glyph.cell is None else glyph.cell, character))
    return Prints(torch.from_numpy(shown), torch.tensor(rows, dtype=torch.long).view(-1, 4))


def alphabet(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The characters that are one token each."""
    found = {}
    for token_id in range(len(tokenizer)):
        text = tokenizer.decode([token_id])
        if len(text) == 1 and text != "\ufffd":
            found[text] = token_id
    return found | {other: found[one] for other, one in SAME.items()}


@dataclass(frozen=True, slots=True)
class Lessons:
    """Conversations as the language model reads them, padded on the right to one length."""

    prints: Prints
    ids: Tensor  # (conversations, length)
    answers: Tensor  # (conversations, length) bool: tokens that the model is to write
    results: Tensor  # (conversations, length) bool: those of them that have to be worked out
    places: Tensor  # (3, conversations, length): frame, row and column of Qwen3-VL's rotary positions
    here: Tensor  # (n, 4): conversation, a quoted token, the image token that shows it, the cell of that token
    there: Tensor  # (n, 4): the same, for the token before the quoted one, which has to find it


@dataclass(frozen=True, slots=True)
class Sums:
    """Questions without pictures, padded on the right to one length."""

    ids: Tensor  # (sums, length)
    results: Tensor  # (sums, length) bool: tokens that have to be found


class Writer:
    """Writes conversations exactly as the chat template does, picture numbers included."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.alphabet = alphabet(tokenizer)
        self.image = self.special("<|image_pad|>")
        self.end = self.special("<|im_end|>")
        self.padding = self.special("<|endoftext|>")
        self.known: dict[str, list[int]] = {}

    def special(self, token: str) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(token))

    def spell(self, text: str) -> list[int]:
        found: list[int] = []
        for character in text:
            if character not in self.known:
                self.known[character] = self.tokenizer(SAME.get(character, character), add_special_tokens=False)[
                    "input_ids"
                ]
            found += self.known[character]
        return found

    def write(self, turns: Sequence[Turn], lay_out: Callable[[Picture], Grid] = whole) -> "Script":
        script = Script()
        start, see, seen = (self.special(t) for t in ("<|im_start|>", "<|vision_start|>", "<|vision_end|>"))
        for turn in turns:
            script.add([start, *self.spell("user\n")])
            for picture in turn.pictures:
                script.add([*self.spell(f"Picture {len(script.grids) + 1}: "), see])
                script.show(lay_out(picture), self.image)
                script.add([seen])
            question = self.spell(turn.exchange.question)
            script.asked.append((len(script.ids), len(script.ids) + len(question)))
            script.add([*question, self.end, *self.spell("\n"), start, *self.spell("assistant\n")])
            for piece in turn.exchange.answer:
                if isinstance(piece, str):
                    script.add(self.spell(piece), answer=True)
                elif isinstance(piece, Span):
                    self.quote(script, piece)
                elif isinstance(piece, Named):
                    self.name(script, piece)
                elif isinstance(piece, Result):
                    if turn.exchange.kind == "shape count":
                        script.counts.append(len(script.ids) - 1)
                    spelled = self.spell(piece.text)
                    script.results += range(len(script.ids), len(script.ids) + len(spelled))
                    script.add(spelled, answer=True)
                else:
                    self.locate(script, piece)
            script.add([self.end], answer=True)
            script.add(self.spell("\n"))
        return script

    def quote(self, script: "Script", span: Span) -> None:
        glyph = span.first
        for character in span.text:
            spelled = self.spell(character)
            if not character.isspace():
                shown = span.picture.glyphs[glyph]
                where = script.find(span.picture, shown.x, shown.y)
                script.quotes += [(len(script.ids) + offset, *where) for offset in range(len(spelled))]
                glyph += 1
            script.add(spelled, answer=True)

    def name(self, script: "Script", named: Named) -> None:
        spelled = self.spell(named.text)
        if any(shown.picture is named.picture for shown in script.grids):  # some conversations are in words alone
            where = script.find(named.picture, named.x, named.y)
            script.quotes += [(len(script.ids) + offset, *where) for offset in range(len(spelled))]
        if named.compared:
            at, so = named.compared
            script.compared.append((len(script.ids) + len(self.spell(named.text[: at + 1])) - 1, so))
        script.add(spelled, answer=True)

    def locate(self, script: "Script", spot: Spot) -> None:
        """Each number of a box is read off the token in that corner of it."""
        left, top, right, bottom = spot.box
        corners = ((left, top), (left, top), (right - 1, bottom - 1), (right - 1, bottom - 1))
        before, bracket, rest = spot.text.partition('": [')
        script.add(self.spell(before + bracket), answer=True)
        for (x, y), number in zip(corners, spot.corners, strict=True):
            before, _, rest = rest.partition(str(number))
            script.add(self.spell(before), answer=True)
            where = script.find(spot.picture, x, y)
            digits = self.spell(str(number))
            script.quotes += [(len(script.ids) + offset, *where) for offset in range(len(digits))]
            script.add(digits, answer=True)
        script.add(self.spell(rest), answer=True)

    def sums(self, drawn: Sequence[Exchange]) -> Sums:
        start, rows, results = self.special("<|im_start|>"), [], []
        for each in drawn:
            ids = [start, *self.spell(f"user\n{each.question}"), self.end, *self.spell("\n")]
            ids += [start, *self.spell("assistant\n")]
            found = [False] * len(ids)
            for piece in each.answer:
                spelled = self.spell(piece if isinstance(piece, str) else piece.text)
                ids += spelled
                found += [isinstance(piece, Result)] * len(spelled)
            rows.append(torch.tensor(ids))
            results.append(torch.tensor(found))
        return Sums(
            pad_sequence(rows, batch_first=True, padding_value=self.padding), pad_sequence(results, batch_first=True)
        )

    def lessons(self, scripts: Sequence["Script"]) -> Lessons:
        length = max(len(script.ids) for script in scripts)
        ids = torch.full((len(scripts), length), self.padding)
        answers, results = torch.zeros((2, len(scripts), length), dtype=torch.bool)
        places = torch.zeros((3, len(scripts), length), dtype=torch.long)
        here: list[tuple[int, ...]] = []
        there: list[tuple[int, ...]] = []
        for row, script in enumerate(scripts):
            ids[row, : len(script.ids)] = torch.tensor(script.ids)
            answers[row, : len(script.ids)] = torch.tensor(script.answers)
            results[row, script.results] = True
            places[:, row, : len(script.ids)] = torch.tensor(script.places).T
            here += [(row, token, *where) for token, *where in script.quotes]
            there += [(row, token - 1, *where) for token, *where in script.quotes]
        drawn = prints([shown for script in scripts for shown in script.grids], self.alphabet)
        return Lessons(drawn, ids, answers, results, places, quotes(here), quotes(there))


def quotes(rows: list[tuple[int, ...]]) -> Tensor:
    """(n, 4), also where nothing is quoted: photographs are only refused."""
    return torch.tensor(rows, dtype=torch.long).view(-1, 4)


@dataclass(slots=True)
class Script:
    """One conversation as token ids, with where it quotes from."""

    ids: list[int] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    results: list[int] = field(default_factory=list)  # the tokens of them that have to be worked out
    places: list[tuple[int, int, int]] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # of each picture's tokens
    quotes: list[tuple[int, int, int]] = field(default_factory=list)  # a token, the image token it is on, the cell
    asked: list[tuple[int, int]] = field(default_factory=list)  # where each question begins and ends
    compared: list[tuple[int, bool]] = field(default_factory=list)  # a token that ends a name, whether it is counted
    counts: list[int] = field(default_factory=list)  # the tokens before a count
    place: int = 0

    def add(self, ids: list[int], answer: bool = False) -> None:
        self.ids += ids
        self.answers += [answer] * len(ids)
        self.places += [(p, p, p) for p in range(self.place, self.place + len(ids))]
        self.place += len(ids)

    def show(self, shown: Grid, image: int) -> None:
        rows, columns = shown.rows, shown.columns
        self.grids.append(shown)
        self.starts.append(len(self.ids))
        self.ids += [image] * (rows * columns)
        self.answers += [False] * (rows * columns)
        self.places += [(self.place, self.place + r, self.place + c) for r in range(rows) for c in range(columns)]
        self.place += max(rows, columns)

    def find(self, picture: Picture, x: float, y: float) -> tuple[int, int]:
        """As `Grid.place`, with the token counted from the conversation's beginning."""
        start, shown = next(pair for pair in zip(self.starts, self.grids, strict=True) if pair[1].picture is picture)
        token, cell = shown.place(x, y)
        return start + token, cell


def background(dataset: IterableDataset[Batch], processes: int) -> Iterator[Batch]:
    loader = DataLoader(dataset, batch_size=None, num_workers=processes, prefetch_factor=8)
    return iter(loader)

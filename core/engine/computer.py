"""Runs the model for a step and measures how fast it is."""

from collections.abc import Callable

from torch import Tensor

from core.conversation import Image
from core.engine.scheduler import Speeds, Step
from core.engine.sequence import Sequence
from core.engine.sights import Sights
from core.engine.totals import Totals
from core.model.model import Model

ENOUGH_ROWS, ENOUGH_PATCHES = 8, 64  # fewer say nothing about speed


class Computer:
    def __init__(self, model: Model, sights: Sights, speeds: Speeds, totals: Totals, clock: Callable[[], float]):
        self._model = model
        self._sights = sights
        self._speeds = speeds
        self._totals = totals
        self._clock = clock

    def forward(self, step: Step[Sequence]) -> list[tuple[Sequence, Tensor]]:
        """One row for everybody who decodes and a chunk for those who prefill; logits where a token comes next."""
        begin = self._clock()
        passes = [sequence.decode_pass() for sequence in step.decode]
        passes += [sequence.prefill_pass(rows, self._sights.features) for sequence, rows in step.prefill]
        logits = self._model.forward(passes)
        rows = sum(rows for _, rows in step.prefill)
        self._measure(self._clock() - begin, len(step.decode), rows)
        for sequence, count in step.prefill:
            sequence.begun = True
            sequence.rows -= count
            if not sequence.rows:
                sequence.close_stage("prefill_s")
        sequences = [*step.decode, *(sequence for sequence, _ in step.prefill)]
        return [(each, values) for each, values in zip(sequences, logits, strict=True) if values is not None]

    def look(self, image: Image, seconds: float) -> bool:
        """Go on looking at a picture; True once its features are known."""
        begin, before = self._clock(), self._sights.left(image)
        done = self._sights.look(image, seconds)
        elapsed, looked = self._clock() - begin, before - (0 if done else self._sights.left(image))
        self._totals.image_s += elapsed
        self._totals.pictures_computed += done
        if looked > ENOUGH_PATCHES:
            self._speeds.measure("patch", elapsed / looked)
        return done

    def _measure(self, seconds: float, decoded: int, rows: int) -> None:
        """A step that does both counts as an average decoding step and the rest."""
        decode_s = seconds if not rows else min(self._speeds.token or 0.0, seconds / 2) if decoded else 0.0
        if not rows:
            self._speeds.measure("token", seconds)
        elif rows >= ENOUGH_ROWS:
            self._speeds.measure("row", (seconds - decode_s) / rows)
        self._totals.decode_s += decode_s
        self._totals.prefill_s += seconds - decode_s
        self._totals.tokens_computed += rows + decoded

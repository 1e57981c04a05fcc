"""Runs the model for a step and measures how fast it is."""

from collections.abc import Callable, Iterator

from torch import Tensor

from core.conversation import Image
from core.engine.image_encoder import ImageEncoder
from core.engine.memory import Memory
from core.engine.scheduler import Speeds, Step
from core.engine.sequence import Sequence
from core.engine.stats import EngineStats
from core.model.model import ForwardInput, Model

ENOUGH_ROWS, ENOUGH_PATCHES = 8, 64  # fewer say nothing about speed


class ModelRunner:
    def __init__(
        self,
        model: Model,
        image_encoder: ImageEncoder,
        memory: Memory,
        speeds: Speeds,
        totals: EngineStats,
        clock: Callable[[], float],
    ) -> None:
        self._model = model
        self._memory = memory
        self._image_encoder = image_encoder
        self._speeds = speeds
        self._totals = totals
        self._clock = clock

    def forward(self, step: Step[Sequence]) -> Iterator[tuple[Sequence, Tensor | Exception]]:
        """One row for everybody who decodes and a chunk for those who prefill; logits where a token comes next.

        Who cannot be computed gets an error instead, and the others what they would have got.
        """
        return self._forward([*((sequence, 0) for sequence in step.decode), *step.prefill])

    def _forward(self, work: list[tuple[Sequence, int]]) -> Iterator[tuple[Sequence, Tensor | Exception]]:
        """`work` is whose rows and how many of its prompt; 0: the next of its answer."""
        begin, logits = self._clock(), None
        try:
            logits = self._memory.attempt(lambda: self._model.forward([self._pass(*each) for each in work]))
        except Exception as error:
            if len(work) == 1:
                yield work[0][0], error
                return
        if logits is None:  # somebody's fault, or too much at once; the error is gone, and what its traceback held
            for each in work:
                yield from self._forward([each])
            return
        decoded = sum(not count for _, count in work)
        self._measure(self._clock() - begin, decoded, sum(count for _, count in work))
        for sequence, count in work:
            if count:
                sequence.begun = True
                sequence.rows -= count
                if not sequence.rows:
                    sequence.close_stage("prefill_s")
        for (sequence, _), values in zip(work, logits, strict=True):
            if values is not None:
                yield sequence, values

    def _pass(self, sequence: Sequence, rows: int) -> ForwardInput:
        return sequence.prefill_pass(rows, self._image_encoder.features) if rows else sequence.decode_pass()

    def look(self, image: Image, seconds: float) -> bool:
        """Go on looking at a picture; True once its features are known."""
        begin, before = self._clock(), self._image_encoder.left(image)
        done = self._memory.attempt(lambda: self._image_encoder.look(image, seconds))
        elapsed, looked = self._clock() - begin, before - (0 if done else self._image_encoder.left(image))
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

"""Run the model for a step, and measure its speed."""

from collections.abc import Callable, Iterator

from torch import Tensor

from core.engine.image_encoder import ImageEncoder
from core.engine.memory import Memory
from core.engine.scheduler import Costs, Step
from core.engine.sequence import Sequence
from core.engine.stats import EngineStats
from core.image import Image
from core.model.model import ForwardInput, Model

LEAST_MEASURED_ROWS, LEAST_MEASURED_PATCHES = 8, 64  # fewer say nothing about speed


class ModelRunner:
    def __init__(
        self,
        model: Model,
        image_encoder: ImageEncoder,
        memory: Memory,
        costs: Costs,
        totals: EngineStats,
        clock: Callable[[], float],
    ) -> None:
        self._model = model
        self._memory = memory
        self._image_encoder = image_encoder
        self._costs = costs
        self._totals = totals
        self._clock = clock

    def forward(self, step: Step[Sequence]) -> Iterator[tuple[Sequence, Tensor | Exception]]:
        """Compute a step: one row for each answer, a chunk for each prompt. Yield logits where a token comes next.

        A sequence that cannot be computed gets an error instead. The others get their results all the same.
        """
        return self._forward([*((sequence, 0) for sequence in step.decode), *step.prefill])

    def _forward(self, work: list[tuple[Sequence, int]]) -> Iterator[tuple[Sequence, Tensor | Exception]]:
        """Compute pairs of a sequence and how many rows of its prompt; 0 means the next row of its answer."""
        begin, logits = self._clock(), None
        try:
            logits = self._memory.attempt(lambda: self._model.forward([self._pass(*each) for each in work]))
        except Exception as error:
            if len(work) == 1:
                yield work[0][0], error
                return
        # One sequence is at fault, or it was too much at once. Outside `except`, what the traceback held is free.
        if logits is None:
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

    def encode_image(self, image: Image, seconds: float, on_disk: bool) -> bool:
        """Continue encoding a picture, and return True once its features are known and kept, `on_disk` or not."""
        begin, before = self._clock(), self._image_encoder.left(image)
        done = self._memory.attempt(lambda: self._image_encoder.encode(image, seconds, on_disk))
        elapsed, looked = self._clock() - begin, before - (0 if done else self._image_encoder.left(image))
        self._totals.image_s += elapsed
        self._totals.pictures_computed += done
        if looked > LEAST_MEASURED_PATCHES:
            self._costs.measure("patch", elapsed / looked)
        return done

    def _measure(self, seconds: float, decoded: int, rows: int) -> None:
        """Record the speed of a step. In a mixed step, decoding counts as an average step and prefill as the rest."""
        decode_s = seconds if not rows else min(self._costs.token or 0.0, seconds / 2) if decoded else 0.0
        if not rows:
            self._costs.measure("token", seconds)
        elif rows >= LEAST_MEASURED_ROWS:
            self._costs.measure("row", (seconds - decode_s) / rows)
        self._totals.decode_s += decode_s
        self._totals.prefill_s += seconds - decode_s
        self._totals.tokens_computed += rows + decoded

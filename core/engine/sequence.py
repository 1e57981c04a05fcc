"""Hold a request inside the engine: its prompt, its answer so far, and where its time went."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from core.answer import Answer, Ending, Figures
from core.engine.answer_text import AnswerText
from core.engine.prompt import Ints, Prompt
from core.engine.request import EngineRequest
from core.engine.scheduler import Job
from core.model.kv import KV
from core.model.model import ForwardInput
from core.sampling import Sampling


@dataclass(slots=True, eq=False, kw_only=True)
class Sequence(Job):
    prompt: Prompt
    request: EngineRequest
    text: AnswerText
    sampling: Sampling
    generator: torch.Generator
    clock: Callable[[], float]
    kv: KV | None = None
    reused: int = 0  # rows of the prompt that were taken from the cache
    missing: list[str] = field(default_factory=list)  # ids of pictures still to be encoded
    new_pictures: int = 0
    looking: int = 0  # number of the picture being encoded
    figures: Figures = field(default_factory=Figures)
    since: float = 0.0  # when the current stage began
    told: tuple[int, float | None, float] | None = None  # position, seconds, and when they were sent

    def close_stage(self, name: str) -> None:
        """Add the time since the last stage ended to the field `name` of `Figures`."""
        now = self.clock()
        self.figures = replace(self.figures, **{name: getattr(self.figures, name) + now - self.since})
        self.since = now

    @property
    def about(self) -> dict[str, str]:
        """The fields that name this question in a log line."""
        return {"question": self.request.trace}

    @property
    def computed(self) -> KV:
        """The keys and values, from admission on."""
        if self.kv is None:
            raise RuntimeError("not admitted")
        return self.kv

    def decode_pass(self) -> ForwardInput:
        position = self.prompt.next_position + len(self.text.ids) - 1
        ids = np.array(self.text.ids[-1:], np.int64)
        return ForwardInput(self.computed, ids, np.full((3, 1), position), [], True)

    def prefill_pass(self, rows: int, features: Callable[[str], torch.Tensor]) -> ForwardInput:
        """Return the input for the next `rows` of the prompt.

        `features` returns a picture's features, (1 + deepstack, image tokens, hidden).
        """
        kv, prompt = self.computed, self.prompt
        first, stop = kv.length, kv.length + rows
        parts = []
        for span in prompt.spans:
            begin, end = max(span.start, first), min(span.stop, stop)
            if begin < end:
                own = features(span.image.id)[:, begin - span.start : end - span.start]
                parts.append((begin - first, own))
        return ForwardInput(kv, prompt.ids[first:stop], prompt.positions[:, first:stop], parts, stop == len(prompt.ids))

    def closing_pass(self, closing: list[int]) -> ForwardInput:
        """Return the input for the tokens that follow every answer, and for the answer's last token.

        No logits were needed after that token, so it was not computed yet.
        """
        kv = self.computed
        ids = self.rows_with(closing)[kv.length :]
        position = self.prompt.next_position + kv.length - len(self.prompt.ids)
        return ForwardInput(kv, ids, np.tile(np.arange(position, position + len(ids)), (3, 1)), [], False)

    def rows_with(self, following: list[int]) -> Ints:
        """Return the keys of all rows: prompt, answer, and `following`.

        The answer's last token may not be computed yet.
        """
        return np.concatenate([self.prompt.keys, np.array([*self.text.ids, *following], np.int64)])

    def add(self, token: int) -> None:
        """Add a token to the answer. Raises `BadSchema`."""
        self.written += 1
        self.text.add(token)

    @property
    def ending(self) -> Ending | None:
        """How the answer ends here, or None if it may go on."""
        return self.text.ending or (Ending.LENGTH if self.written >= self.answer_tokens else None)

    def answer(self, text: str, ending: Ending) -> Answer:
        figures = replace(
            self.figures,
            prompt_tokens=len(self.prompt.ids),
            reused_tokens=self.reused,
            answer_tokens=len(self.text.ids),
            shown_whole=self.request.conversation.turns[-1].shown_whole(self.prompt.images),
        )
        return Answer(text, ending, figures)

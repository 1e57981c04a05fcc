"""Hold a request inside the engine: its prompt, its answer so far, and where its time went."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from core.answer import Answer, Ending, Figures
from core.engine.certainty import Certainty
from core.engine.prompt import Ints, Prompt
from core.engine.repetition import Repetition
from core.engine.request import EngineRequest
from core.engine.scheduler import Job
from core.engine.stop import StopTexts
from core.engine.tokenizer import Detokenizer
from core.events import Piece
from core.model.kv import KV
from core.model.model import ForwardInput
from core.sampling import Sampling


@dataclass(slots=True, eq=False, kw_only=True)
class Sequence(Job):
    prompt: Prompt
    request: EngineRequest
    detokenizer: Detokenizer
    sampling: Sampling
    generator: torch.Generator
    repetition: Repetition
    stop: StopTexts
    certainty: Certainty
    clock: Callable[[], float]
    kv: KV | None = None
    reused: int = 0  # rows of the prompt that were taken from the cache
    missing: list[str] = field(default_factory=list)  # ids of pictures still to be encoded
    new_pictures: int = 0
    looking: int = 0  # number of the picture being encoded
    answer_ids: list[int] = field(default_factory=list)
    text: str = ""
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
        position = self.prompt.next_position + len(self.answer_ids) - 1
        ids = np.array(self.answer_ids[-1:], np.int64)
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
        return np.concatenate([self.prompt.keys, np.array([*self.answer_ids, *following], np.int64)])

    @property
    def allowed(self) -> torch.Tensor | None:
        """The tokens that may come next, as booleans (vocabulary,), if the answer must obey a schema."""
        grammar = self.request.grammar
        return None if grammar is None else grammar.allowed()

    def add(self, token: int) -> None:
        """Add a token to the answer. Raises `BadSchema`."""
        self.answer_ids.append(token)
        self.written += 1
        if self.request.grammar is not None:
            self.request.grammar.add(token)
        self.say(self.detokenizer.add(token))

    def good_tokens(self, token: int) -> int | None:
        """Return how many tokens are good once the answer is a loop. A schema may ask for a long list of one thing."""
        return self.repetition.add(token) if self.request.grammar is None else None

    @property
    def is_complete(self) -> bool:
        """Whether nothing may follow: a text that stops the answer was found, or its schema allows no more."""
        grammar = self.request.grammar
        return self.stop.found if grammar is None else grammar.complete

    def say(self, text: str) -> None:
        """Add to the answer what is certain to be no text that stops it."""
        self._show(self.stop.add(text))

    def say_last(self) -> None:
        """Say what was held back: broken characters, and beginnings of texts that would have stopped the answer."""
        self.say(self.detokenizer.finish())
        self._show(self.stop.finish())

    def _show(self, text: str) -> None:
        if text:
            self.text += text
            self.request.send(Piece(text))

    def answer(self, ending: Ending) -> Answer:
        figures = replace(
            self.figures,
            prompt_tokens=len(self.prompt.ids),
            reused_tokens=self.reused,
            answer_tokens=len(self.answer_ids),
            shown_whole=self.request.conversation.turns[-1].shown_whole(self.prompt.images),
        )
        return Answer(self.text, ending, figures)

"""The reference engine's thread: transformers' own `generate`, one question at a time, without caches or batching."""

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from queue import Empty
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from core.answer import Answer, Ending, Figures
from core.conversation import Conversation, Turn
from core.engine.answer_text import AnswerText
from core.engine.any_model import make_inputs
from core.engine.certainty import Certainty
from core.engine.generation_config import sampling_of
from core.engine.memory import explain
from core.engine.prompt import too_long
from core.engine.request import EngineRequest
from core.engine.sampler import apply_penalties, check
from core.engine.stats import EngineStats
from core.engine.work_queue import Message, WorkQueue, restarting
from core.errors import BotError, QueueFull
from core.events import Waiting
from core.sampling import Sampling

log = logging.getLogger(__name__)
MOST_TURNS = 64  # of a conversation that are tried at first


class ReferenceWorker:
    """Has the same face as `core.engine.worker.ModelWorker`. `model` and `processor` are transformers'."""

    def __init__(self, model: Any, processor: Any, context: int, max_waiting: int) -> None:
        self.grammars = None
        self._model, self._processor = model, processor
        self._decoder = _Decoder(processor.tokenizer)
        self._sampling = sampling_of(model.generation_config.to_dict())
        self._context, self._max_waiting = context, max_waiting
        self._queue = WorkQueue()
        self._waiting: deque[EngineRequest] = deque()
        self._told: dict[EngineRequest, int] = {}
        self._ending = False
        self._stats = EngineStats()

    def put(self, message: Message | None) -> None:
        """Pictures are looked at with their question, and nothing is kept to forget. From any thread."""
        self._queue.put(message)

    def stats(self) -> EngineStats:
        return replace(self._stats, waiting=len(self._waiting))

    def check(self) -> None:
        if self._queue.closed:
            raise restarting()

    def run(self) -> None:
        """Work until `put(None)`."""
        try:
            while not self._ending:
                self.receive(block=not self._waiting)
                if self._waiting and not self._ending:
                    self._take(self._waiting.popleft())
        finally:
            self._queue.close()
            for request in self._waiting:
                request.send(restarting())

    def receive(self, block: bool = False) -> bool:
        """Take in what has come, and tell positions in the queue. Returns whether it is time to finish."""
        try:
            while not self._ending:
                message = self._queue.get(block=block)
                block = False
                self._ending = message is None
                if isinstance(message, EngineRequest):
                    if len(self._waiting) < self._max_waiting:
                        self._waiting.append(message)
                    else:
                        message.send(QueueFull())
        except Empty:
            pass
        self._waiting = deque(request for request in self._waiting if not request.closed.is_set())
        for position, request in enumerate(self._waiting, 1):
            if self._told.get(request) != position:
                request.send(Waiting(position, None))
        self._told = {request: position for position, request in enumerate(self._waiting, 1)}
        return self._ending

    def _take(self, request: EngineRequest) -> None:
        self._stats.running = 1
        try:
            answer = self._answer(request)
            if not self._ending:
                request.send(answer)
                self._stats.answers += 1
        except Exception as error:
            error = explain(error)
            traceback = None if isinstance(error, BotError) else error
            log.error("cannot be answered: %s", error, exc_info=traceback, extra={"question": request.trace})
            request.send(error)
        else:
            if self._ending:
                request.send(restarting())
        finally:
            self._stats.running = 0

    @torch.inference_mode()
    def _answer(self, request: EngineRequest) -> Answer:
        begin = time.monotonic()
        sampling = request.sampling.completed(self._sampling)
        tokens = min(sampling.max_new_tokens, self._context // 2)
        inputs, shown = self._fit(request.conversation, self._context - tokens)
        inputs = inputs.to(self._model.device)
        looked = time.monotonic()
        torch.manual_seed(sampling.seed) if sampling.seed is not None else torch.seed()
        text = AnswerText(self._decoder, request.send, sampling.stop, request.doubt)
        watch = _Watch(self, request, text)
        temperature = sampling.temperature or 0.0
        sampled = {"temperature": temperature, "top_p": sampling.top_p, "top_k": sampling.top_k} if temperature else {}
        self._model.generate(
            **inputs,
            do_sample=bool(temperature),
            **sampled,
            repetition_penalty=sampling.repetition_penalty,
            max_new_tokens=tokens,
            logits_processor=LogitsProcessorList([_Presence(sampling, inputs["input_ids"].shape[1], text.certainty)]),
            stopping_criteria=StoppingCriteriaList([_Stopping(watch)]),
            streamer=watch,
        )
        now, first = time.monotonic(), watch.first or time.monotonic()
        figures = Figures(
            queue_s=max(0.0, begin - request.arrived), image_s=looked - begin, prefill_s=first - looked,
            decode_s=now - first, prompt_tokens=int(inputs["input_ids"].shape[1]), answer_tokens=len(text.ids),
            shown_whole=request.conversation.turns[-1].shown_whole(shown),
        )  # fmt: skip
        self._stats.tokens_written += len(text.ids)
        self._stats.image_s, self._stats.prefill_s = looked - begin, first - looked
        self._stats.decode_s += now - first
        is_done = len(text.ids) < tokens or not self._eos_token_ids().isdisjoint(text.ids[-1:])
        said, ending = text.finish(text.ending or (Ending.DONE if is_done else Ending.LENGTH))
        return Answer(said, ending, figures)

    def _eos_token_ids(self) -> set[int]:
        found = self._model.generation_config.eos_token_id
        return set(found if isinstance(found, list) else [] if found is None else [found])

    def _fit(self, conversation: Conversation, room: int) -> tuple[Any, set[str]]:
        """Return the inputs of as many turns as there is room for, and the ids of their images.

        The pictures seen last stay.
        """
        turns: Sequence[Turn] = conversation.turns
        seen = next((turn.pictures for turn in reversed(turns) if turn.pictures), ())
        turns = turns[-MOST_TURNS:]
        while True:
            if not any(turn.pictures for turn in turns):
                turns = [replace(turns[0], pictures=seen), *turns[1:]]
            inputs = make_inputs(self._processor, turns, conversation.system)
            needed = int(inputs["input_ids"].shape[1])
            if needed <= room:
                return inputs, {picture.image.id for turn in turns for picture in turn.pictures}
            if len(turns) == 1 and conversation.is_tiled:
                return self._fit(conversation.untiled, room)
            if len(turns) == 1:
                raise too_long(needed, room)
            turns = turns[(len(turns) + 1) // 2 :]


class _Decoder:
    """What `AnswerText` needs of a tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


class _Presence(LogitsProcessor):  # type: ignore[misc]
    """The one penalty that transformers does not have; and no token is sampled from what is no number."""

    def __init__(self, sampling: Sampling, prompt: int, certainty: Certainty) -> None:
        self._certainty = certainty
        self._sampling = sampling.model_copy(update={"repetition_penalty": 1.0})
        self._prompt = prompt

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        check(scores)
        self._certainty.add(scores[0])
        return apply_penalties(scores[0], self._sampling, input_ids[0], input_ids[0, self._prompt :].tolist())[None]


class _Watch(BaseStreamer):  # type: ignore[misc]
    """Hears every token, and lets the worker take in what comes meanwhile."""

    def __init__(self, worker: ReferenceWorker, request: EngineRequest, text: AnswerText) -> None:
        self._worker, self._request, self._text = worker, request, text
        self._prompt = True
        self.first: float | None = None

    def put(self, value: Tensor) -> None:
        if self._prompt:  # comes first
            self._prompt = False
            return
        self.first = self.first or time.monotonic()
        for token in value.flatten().tolist():
            self._text.add(token)

    def end(self) -> None: ...

    @property
    def over(self) -> bool:
        return self._worker.receive() or self._request.closed.is_set() or self._text.ending is not None


class _Stopping(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, watch: _Watch) -> None:
        self._watch = watch

    def __call__(self, input_ids: Tensor, scores: Tensor, **options: Any) -> Tensor:
        return torch.full((len(input_ids),), self._watch.over, device=input_ids.device)

"""Run the model thread: take requests, compute one step after the other, and send events."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from queue import Empty

import torch
from torch import Tensor

from core.answer import Ending
from core.engine.answer_text import AnswerText
from core.engine.cache import Cache
from core.engine.generation_config import GREEDY
from core.engine.grammar import Grammars
from core.engine.image_encoder import ImageEncoder
from core.engine.memory import Memory, explain, out_of_memory
from core.engine.model_runner import ModelRunner
from core.engine.prompt import Prompt, Prompter
from core.engine.request import EngineRequest, Forget, KeepOnly
from core.engine.sampler import sample
from core.engine.scheduler import Scheduler
from core.engine.sequence import Sequence
from core.engine.stats import EngineStats
from core.engine.tokenizer import Tokenizer
from core.engine.work_queue import Message, WorkQueue, restarting
from core.errors import BadQuestion, BotError, OutOfMemory, QueueFull, Unanswerable
from core.events import Looking, Waiting
from core.image import Image, tile_ids
from core.model.model import Model
from core.sampling import Sampling

log = logging.getLogger(__name__)
ESTIMATE_SECONDS = 2.0  # between two estimates for the same position
STARVED_SECONDS = 60.0  # after a question found no memory, until the next may find some
LOOK_AHEAD_SECONDS = 0.1  # of encoding before the inbox is read again
QUIET_SECONDS = 3.0  # after which the first schema is prepared for


class ModelWorker:
    """The model thread's work. Only `put`, `stats` and `check` may be called from other threads."""

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        cache: Cache,
        limit: int,
        context: int,
        max_waiting: int,
        sampling: Sampling = GREEDY,
        grammars: Grammars | None = None,
    ) -> None:
        """Set up the model thread. `sampling` is the model's own."""
        self.grammars = grammars
        self._prepared = False
        self._totals = EngineStats(precision=model.precision.value, kernel=model.kernel)
        self._model = model
        self._tokenizer = tokenizer
        self._cache = cache
        self._prompter = Prompter(tokenizer, model.vision.grid, context)
        self._scheduler: Scheduler[Sequence] = Scheduler(limit)
        self._sampling = sampling
        self._max_waiting = max_waiting
        self._context = context
        self._queue = WorkQueue()
        self._sequences: list[Sequence] = []  # running and queued
        self._image_encoder = ImageEncoder(model.vision, cache, model.dtype)
        self._clock = time.monotonic
        # When the last question failed for lack of memory, if none was answered since.
        self._starved: float | None = None
        self._memory = Memory(model, cache, self._scheduler, self._prompter.closing)
        costs = self._scheduler.costs
        self._model_runner = ModelRunner(model, self._image_encoder, self._memory, costs, self._totals, self._clock)

    def put(self, message: Message | None) -> None:
        """Queue a message: a request, a picture to encode when idle, or None to finish. Thread-safe."""
        self._queue.put(message)

    def stats(self) -> EngineStats:
        """Return the current stats. Thread-safe."""
        scheduler = self._scheduler
        return replace(
            self._totals,
            running=len(scheduler.running),
            waiting=len(scheduler.waiting),
            kv_bytes=scheduler.used,
            cache_bytes=self._cache.used,
        )

    def check(self) -> None:
        """Raise `Busy` while no question can be answered. Thread-safe."""
        if self._queue.closed:
            raise restarting()
        if self._starved is not None and self._clock() - self._starved < STARVED_SECONDS:
            raise out_of_memory()

    def run(self) -> None:
        """Work until `put(None)`. An error in one question never stops the next."""
        try:
            while self._receive():
                try:
                    self._drop_closed()
                    self._admit()
                    self._advance()
                    self._tell()
                except Exception as error:  # a bug that belongs to no single question
                    self._fail(self._sequences, error)
        finally:
            self._queue.close()
            for sequence in self._sequences:
                sequence.request.send(restarting())
            self._cache.close()

    def _receive(self) -> bool:
        """Take all waiting messages, and wait for one when idle. Return False when it is time to finish."""
        idle = not (self._sequences or self._image_encoder)
        while True:
            try:
                message = self._next() if idle else self._queue.get(block=False)
            except Empty:
                return True
            if message is None:
                return False
            idle = False
            try:
                if isinstance(message, Image):
                    for view in message.views:
                        self._image_encoder.encode_ahead(view)
                elif isinstance(message, Forget):
                    self._forget(message)
                elif isinstance(message, KeepOnly):
                    self._cache.keep_only(message.conversation_ids, message.image_ids)
                else:
                    self._take(message)
            except Exception as error:
                if isinstance(message, EngineRequest):
                    message.send(explain(error))
                else:  # no caller waits for a reply
                    log.warning("%s failed", type(message).__name__.lower(), exc_info=error)

    def _next(self) -> Message | None:
        """Wait for a message. When none comes for a while, prepare what would stop everybody for a second."""
        if self.grammars and not self._prepared:
            try:
                return self._queue.get(block=True, seconds=QUIET_SECONDS)
            except Empty:
                self._prepared = True
            try:
                self.grammars.prepare()
            except Exception as error:
                log.warning("answers cannot be kept within a JSON Schema", exc_info=error)
        return self._queue.get(block=True)

    def _take(self, request: EngineRequest) -> None:
        """Queue a request for admission. Raises `QueueFull` or `BadQuestion`."""
        if sum(not sequence.begun for sequence in self._sequences) >= self._max_waiting:
            raise QueueFull
        tokens = min(request.sampling.max_new_tokens, self._context // 2)
        conversation = request.conversation
        prompt = self._prompter.write(conversation, tokens)
        if conversation.is_tiled and self._bytes(prompt, tokens) > self._scheduler.limit:
            prompt = self._prompter.write(conversation.untiled, tokens)
        size = self._bytes(prompt, tokens)
        if size > self._scheduler.limit:
            raise BadQuestion("This conversation has become too long for me. Please begin a new one.")
        now = self._clock()
        sampling = request.sampling.completed(self._sampling)
        generator = torch.Generator()
        if sampling.seed is None:
            generator.seed()
        else:
            generator.manual_seed(sampling.seed)
        sequence = Sequence(
            bytes=size,
            arrived=min(now, request.arrived),
            answer_tokens=tokens,
            prompt=prompt,
            text=AnswerText(self._tokenizer, request.send, sampling.stop, request.doubt, request.grammar),
            sampling=sampling,
            generator=generator,
            request=request,
            clock=self._clock,
            since=now,
        )
        self._plan(sequence, self._cache.reusable(prompt.keys), self._image_encoder.expects)
        self._sequences.append(sequence)
        self._scheduler.add(sequence)

    def _bytes(self, prompt: Prompt, tokens: int) -> int:
        """Return what a prompt and an answer of so many tokens take."""
        return self._model.row_bytes * (len(prompt.ids) + tokens + len(self._prompter.closing))

    def _admit(self) -> None:
        for sequence in self._scheduler.admit():
            try:
                self._begin(sequence)
            except Exception as error:
                self._fail([sequence], error)

    def _begin(self, sequence: Sequence) -> None:
        self._memory.open(sequence)
        self._plan(
            sequence, sequence.reused, lambda name: self._memory.attempt(lambda: self._image_encoder.known(name))
        )
        sequence.new_pictures = _pictures(sequence)
        self._totals.pictures_reused += len(sequence.prompt.images) - len(sequence.missing)
        self._totals.tokens_reused += sequence.reused
        sequence.close_stage("queue_s")

    def _plan(self, sequence: Sequence, reused: int, known: Callable[[str], bool]) -> None:
        """Set what is left to compute: rows after the first `reused`, and pictures that are not `known`."""
        prompt = sequence.prompt
        sequence.rows = len(prompt.ids) - reused
        needed = dict.fromkeys(span.image.id for span in prompt.spans if span.stop > reused)
        sequence.missing = [name for name in needed if not known(name)]
        sequence.patches = self._left(sequence)

    def _advance(self) -> None:
        begin = self._clock()
        step = self._scheduler.next_step(begin)
        if step is None:
            if (image := self._image_encoder.next()) is not None:
                self._encode_image(image, LOOK_AHEAD_SECONDS)
            return
        if step.decode or step.prefill:
            for sequence, outcome in self._model_runner.forward(step):
                try:
                    self._next_token(sequence, outcome)
                except Exception as error:
                    self._fail([sequence], error)
        if step.encoding is not None:
            self._announce(step.encoding)
            self._encode_image(step.encoding.prompt.images[step.encoding.missing[0]], step.seconds)
        if step.decode:
            self._totals.longest_step_s = max(self._totals.longest_step_s, self._clock() - begin)

    def _next_token(self, sequence: Sequence, outcome: Tensor | Exception) -> None:
        """Add the next token to an answer. Raises `outcome` if it is an error, or why no token can be sampled."""
        if isinstance(outcome, Exception):
            raise outcome
        token = self._memory.attempt(lambda: self._draw(sequence, outcome))
        if token in self._model.eos_token_ids:
            self._finish(sequence, Ending.DONE)
            return
        sequence.add(token)
        self._totals.tokens_written += 1
        if (ending := sequence.ending) is not None:
            self._finish(sequence, ending)

    def _draw(self, sequence: Sequence, logits: Tensor) -> int:
        prompt, text = torch.from_numpy(sequence.prompt.ids), sequence.text
        allowed = text.allowed
        text.certainty.add(logits)
        return sample(logits, sequence.sampling, sequence.generator, prompt, text.ids, allowed)

    def _finish(self, sequence: Sequence, ending: Ending) -> None:
        text, ending = sequence.text.finish(ending)
        sequence.close_stage("decode_s")
        self._totals.answers += 1
        self._starved = None
        self._scheduler.costs.measure("answer", float(sequence.written))
        self._remove(sequence)
        sequence.request.send(sequence.answer(text, ending))
        self._memory.keep(sequence, closing=not self._sequences and self._queue.empty)

    def _announce(self, sequence: Sequence) -> None:
        """Tell the person which picture is being encoded whenever another one begins."""
        number = sequence.new_pictures - _pictures(sequence) + 1
        if sequence.looking != number:
            sequence.looking = number
            sequence.begun = True
            sequence.request.send(Looking(number, sequence.new_pictures))

    def _encode_image(self, image: Image, seconds: float) -> None:
        """Encode a picture for a while. If that fails, only the questions about this picture fail."""
        waiting = [sequence for sequence in self._sequences if image.id in sequence.missing]
        try:
            on_disk = not waiting or any(sequence.request.conversation.stored for sequence in waiting)
            done = self._model_runner.encode_image(image, seconds, on_disk)
        except Exception as error:
            self._fail(waiting, error)
            return
        for sequence in waiting if done else ():
            sequence.missing.remove(image.id)
            if not sequence.missing and sequence.kv is not None:
                sequence.close_stage("image_s")
        for sequence in self._sequences:
            sequence.patches = self._left(sequence)
        self._release()

    def _left(self, sequence: Sequence) -> int:
        return sum(self._image_encoder.left(sequence.prompt.images[name]) for name in sequence.missing)

    def _drop_closed(self) -> None:
        for sequence in [each for each in self._sequences if each.request.closed.is_set()]:
            self._remove(sequence)
            if sequence.kv is not None and sequence.kv.length > sequence.reused:
                self._memory.keep(sequence)
            self._drop_encodings(sequence.missing)

    def _forget(self, gone: Forget) -> None:
        self._drop_closed()  # a cancelled answer leaves cached rows, too
        self._drop_encodings([name for image_id in gone.image_ids for name in (image_id, *tile_ids(image_id))])
        self._cache.forget(gone.conversation_id, gone.image_ids)

    def _drop_encodings(self, names: Iterable[str]) -> None:
        """Stop encoding these pictures, unless a question needs them."""
        needed = {name for each in self._sequences for name in each.missing}
        for name in set(names) - needed:
            self._image_encoder.close(name)

    def _fail(self, sequences: list[Sequence], error: Exception) -> None:
        error = explain(error)
        traceback = None if isinstance(error, BotError) else error
        log.error("a question cannot be answered: %s", error, exc_info=traceback, extra=_about(sequences))
        if isinstance(error, OutOfMemory):
            self._starved = self._clock()
        for sequence in list(sequences):
            self._remove(sequence)
            if isinstance(error, Unanswerable):  # cached rows may be to blame
                self._cache.forget(sequence.request.conversation.id, list(sequence.prompt.images))
            sequence.request.send(error)

    def _remove(self, sequence: Sequence) -> None:
        """Remove a sequence, and free its memory."""
        if sequence in self._sequences:
            self._scheduler.remove(sequence)
            self._sequences.remove(sequence)
            self._release()

    def _release(self) -> None:
        """Free features of pictures that no question needs; the cache has them."""
        self._image_encoder.keep({name for each in self._sequences for name in each.prompt.images})

    def _tell(self) -> None:
        """Tell those who wait their position and estimate when these changed."""
        now = self._clock()
        for sequence, position, seconds in self._scheduler.positions(now):
            if sequence.told is None or sequence.told[0] != position or now - sequence.told[2] > ESTIMATE_SECONDS:
                sequence.told = (position, seconds, now)
                sequence.request.send(Waiting(position, seconds))


def _pictures(sequence: Sequence) -> int:
    """Return how many pictures are missing, where all tiles of a picture are one: they share its data."""
    return len({sequence.prompt.images[name].data for name in sequence.missing})


def _about(sequences: Iterable[Sequence]) -> dict[str, str]:
    """Return the fields that name these questions in a log line."""
    return {"question": ",".join(each.request.trace for each in sequences) or "-"}

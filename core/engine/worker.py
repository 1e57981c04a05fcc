"""The model thread: takes requests in, computes one step after the other, sends events out."""

import logging
import time
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

import numpy as np
import torch
from torch import Tensor

from core.conversation import Ending, Image, Looking, Piece, Waiting
from core.engine.cache import Cache
from core.engine.model import Model, Pass
from core.engine.prompt import Prompter
from core.engine.sampler import draw
from core.engine.scheduler import Scheduler, Step
from core.engine.sequence import Request, Sequence
from core.engine.sights import Sights
from core.engine.tokenizer import Detokenizer, Tokenizer
from core.errors import BadQuestion, Busy

log = logging.getLogger(__name__)
AHEAD = 16  # pictures that may wait to be looked at before anybody asks
TELL = 2.0  # seconds between two estimates for the same place


@dataclass(slots=True)
class Totals:
    """Plain numbers for metrics, since the start; `running`, `waiting` and the bytes are of now."""

    running: int = 0
    waiting: int = 0
    answers: int = 0
    image_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    pictures_computed: int = 0
    pictures_reused: int = 0
    tokens_computed: int = 0
    tokens_reused: int = 0
    tokens_written: int = 0
    kv_bytes: int = 0
    cache_bytes: int = 0
    longest_step_s: float = 0.0  # what somebody who reads along waited for a token, at worst


class Worker:
    """Everything here happens in the thread that calls `run`, except `put`."""

    def __init__(self, model: Model, tokenizer: Tokenizer, cache: Cache, limit: int, context: int, line: int) -> None:
        self.totals = Totals()
        self._model = model
        self._tokenizer = tokenizer
        self._cache = cache
        self._prompter = Prompter(tokenizer, model.vision.grid, context)
        self._scheduler: Scheduler[Sequence] = Scheduler(limit)
        self._line = line
        self._context = context
        self._inbox: SimpleQueue[Request | Image | None] = SimpleQueue()
        self._sequences: list[Sequence] = []  # running and in line
        self._sights = Sights(model.vision)
        self._features: dict[str, Tensor] = {}  # of the pictures of running requests
        self._clock = time.monotonic

    def put(self, message: Request | Image | None) -> None:
        """A question, a picture to look at when nothing else is to do, or None: finish. From any thread."""
        self._inbox.put(message)

    def figures(self) -> Totals:
        """From any thread."""
        return replace(
            self.totals,
            running=len(self._scheduler.running),
            waiting=len(self._scheduler.line),
            kv_bytes=self._scheduler.used,
            cache_bytes=self._cache.used,
        )

    def run(self) -> None:
        while self._receive():
            try:
                self._drop_closed()
                self._admit()
                self._advance()
                self._tell()
            except Exception as error:  # a bug: those who were being answered are told, the next ones are answered
                log.exception("a step failed")
                self._fail(error)
        self._fail(Busy("The service is about to restart. Please ask again in a minute.", retry_after=60.0))
        self._cache.close()

    def _advance(self) -> None:
        step = self._scheduler.next_step(self._clock())
        if step is not None:
            self._compute(step)
        elif (image := self._sights.next()) is not None:
            self._look(image, 0.1)

    def _fail(self, error: Exception) -> None:
        for sequence in list(self._sequences):
            sequence.request.send(error)
            self._remove(sequence)

    def _receive(self) -> bool:
        """Take everything in; wait for something when there is nothing to do. False when it is time to finish."""
        idle = not (self._sequences or self._sights)
        while True:
            try:
                message = self._inbox.get(block=idle)
            except Empty:
                return True
            if message is None:
                return False
            idle = False
            if isinstance(message, Request):
                self._take(message)
            elif len(self._sights) < AHEAD and self._cache.picture(message.id) is None:
                self._sights.begin(message)

    def _take(self, request: Request) -> None:
        scheduler, sampling = self._scheduler, request.sampling
        try:
            if sum(not sequence.begun for sequence in self._sequences) >= self._line:
                raise Busy("Too many questions are waiting already. Please ask again in a minute.", retry_after=60.0)
            tokens = min(sampling.max_new_tokens, self._context // 2)
            prompt = self._prompter.write(request.conversation, tokens)
            room = len(prompt.ids) + tokens + len(self._prompter.closing)
            size = self._model.row_bytes * room
            if size > scheduler.limit:
                raise BadQuestion("There is not enough memory here for so long a conversation. Please begin a new one.")
        except Exception as error:
            request.send(error)
            return
        now = self._clock()
        generator = torch.Generator()
        generator.seed()
        sequence = Sequence(
            bytes=size,
            arrived=now,
            answer_tokens=tokens,
            prompt=prompt,
            sampling=sampling,
            detokenizer=Detokenizer(self._tokenizer),
            generator=generator,
            request=request,
            clock=self._clock,
            rows=len(prompt.ids),
            patches=sum(self._sights.left(image) for image in prompt.images.values()),
            since=now,
        )
        self._sequences.append(sequence)
        scheduler.add(sequence)

    def _admit(self) -> None:
        for sequence in self._scheduler.admit():
            self._cache.shrink(max(0, self._scheduler.limit - self._scheduler.used))
            prompt = sequence.prompt
            sequence.kv = self._model.make_kv(sequence.bytes // self._model.row_bytes)
            sequence.reused = self._cache.resume(prompt.keys, sequence.kv)
            sequence.rows = len(prompt.ids) - sequence.reused
            for span in prompt.spans:
                name = span.image.id
                if span.stop <= sequence.reused or name in sequence.missing:
                    continue  # its keys and values are known, or it is in line already
                features = self._features.get(name)
                if features is None:
                    features = self._cache.picture(name)
                if features is None:
                    sequence.missing.append(name)
                else:
                    self._features[name] = features
            sequence.new_pictures = len(sequence.missing)
            self.totals.pictures_reused += len(prompt.images) - len(sequence.missing)
            self.totals.tokens_reused += sequence.reused
            sequence.patches = self._left(sequence)
            sequence.close_stage("queue_s")

    def _compute(self, step: Step[Sequence]) -> None:
        begin = self._clock()
        if step.decode or step.prefill:
            self._forward(step)
        if step.look is not None:
            self._announce(step.look)
            self._look(step.look.prompt.images[step.look.missing[0]], step.seconds)
        if step.decode:
            self.totals.longest_step_s = max(self.totals.longest_step_s, self._clock() - begin)

    def _announce(self, sequence: Sequence) -> None:
        """Tell which picture is looked at, when another one begins."""
        number = sequence.new_pictures - len(sequence.missing) + 1
        if sequence.looking != number:
            sequence.looking = number
            sequence.begun = True
            sequence.request.send(Looking(number, sequence.new_pictures))

    def _forward(self, step: Step[Sequence]) -> None:
        """One token for everybody who decodes, and a chunk for those who prefill."""
        begin = self._clock()
        decoding, chunks = step.decode, step.prefill
        passes = [self._decode_pass(sequence) for sequence in decoding]
        passes += [self._prefill_pass(sequence, rows) for sequence, rows in chunks]
        logits = self._model.forward(passes)
        seconds = self._clock() - begin
        rows = sum(rows for _, rows in chunks)
        speeds, totals = self._scheduler.speeds, self.totals
        if not rows:
            speeds.measure("token", seconds)
            totals.decode_s += seconds
        elif rows >= 8:
            decode_s = min(speeds.token or 0.0, seconds / 2) if decoding else 0.0
            speeds.measure("row", (seconds - decode_s) / rows)
            totals.prefill_s += seconds - decode_s
            totals.decode_s += decode_s
        totals.tokens_computed += rows + len(decoding)
        for sequence, values in zip(decoding, logits, strict=False):
            self._next_token(sequence, values)
        for (sequence, count), values in zip(chunks, logits[len(decoding) :], strict=True):
            sequence.begun = True
            sequence.rows -= count
            if not sequence.rows:
                sequence.close_stage("prefill_s")
                self._next_token(sequence, values)

    def _decode_pass(self, sequence: Sequence) -> Pass:
        kv, prompt = sequence.computed, sequence.prompt
        ids = np.array(sequence.answer_ids[-1:], np.int64)
        position = prompt.next_position + len(sequence.answer_ids) - 1
        return Pass(kv, ids, prompt.positions[:, :1] * 0 + position, [], True)

    def _prefill_pass(self, sequence: Sequence, rows: int) -> Pass:
        kv, prompt = sequence.computed, sequence.prompt
        first, stop = kv.length, kv.length + rows
        features = []
        for span in prompt.spans:
            begin, end = max(span.start, first), min(span.stop, stop)
            if begin < end:
                part = self._features[span.image.id][:, begin - span.start : end - span.start]
                features.append((begin - first, part))
        return Pass(kv, prompt.ids[first:stop], prompt.positions[:, first:stop], features, stop == len(prompt.ids))

    def _next_token(self, sequence: Sequence, logits: Tensor | None) -> None:
        assert logits is not None
        token = draw(logits, sequence.sampling, sequence.generator)
        if token in self._model.ends:
            self._finish(sequence, Ending.DONE)
            return
        sequence.answer_ids.append(token)
        sequence.written += 1
        self.totals.tokens_written += 1
        self._say(sequence, sequence.detokenizer.add(token))
        if sequence.written >= sequence.answer_tokens:
            self._finish(sequence, Ending.LENGTH)

    def _finish(self, sequence: Sequence, ending: Ending) -> None:
        self._say(sequence, sequence.detokenizer.finish())
        sequence.close_stage("decode_s")
        self.totals.answers += 1
        self._scheduler.speeds.measure("answer", float(sequence.written))
        self._remove(sequence)
        sequence.request.send(sequence.answer(ending))
        self._keep(sequence)

    def _keep(self, sequence: Sequence) -> None:
        """Remember what was computed for the next question; with nothing else to do, compute its first rows too."""
        kv, closing = sequence.computed, self._prompter.closing
        rows = sequence.keys(closing)
        if sequence.answer_ids and not self._sequences and self._inbox.empty():
            position = sequence.prompt.next_position + kv.length - len(sequence.prompt.ids)
            positions = np.tile(np.arange(position, position + len(rows) - kv.length), (3, 1))
            self._model.forward([Pass(kv, rows[kv.length :], positions, [], False)])
        self._cache.limit = max(0, self._scheduler.limit - self._scheduler.used)
        self._cache.keep(rows[: kv.length], kv)
        sequence.kv = None

    def _say(self, sequence: Sequence, text: str) -> None:
        if text:
            sequence.text += text
            sequence.request.send(Piece(text))

    def _remove(self, sequence: Sequence) -> None:
        """Give its memory back."""
        self._scheduler.remove(sequence)
        self._sequences.remove(sequence)
        needed = {name for each in self._sequences for name in each.prompt.images}
        self._features = {name: kept for name, kept in self._features.items() if name in needed}

    def _drop_closed(self) -> None:
        for sequence in list(self._sequences):
            if sequence.request.closed.is_set():
                wanted = sequence.missing
                self._remove(sequence)
                if sequence.kv is not None and sequence.kv.length > sequence.reused:
                    self._keep(sequence)
                needed = {name for each in self._sequences for name in each.missing}
                for name in wanted:
                    if name not in needed:
                        self._sights.close(name)

    def _look(self, image: Image, seconds: float) -> None:
        begin, before = self._clock(), self._sights.left(image)
        try:
            features = self._sights.look(image, seconds)
        except Exception as error:
            self._blind(image.id, error)
            return
        elapsed = self._clock() - begin
        looked = before - (self._sights.left(image) if features is None else 0)
        self.totals.image_s += elapsed
        if looked > 64:
            self._scheduler.speeds.measure("patch", elapsed / looked)
        if features is not None:
            self._seen(image.id, features)
        for sequence in self._sequences:
            sequence.patches = self._left(sequence)

    def _seen(self, name: str, features: Tensor) -> None:
        features = features.half() if self._model.half else features.clone()
        self._cache.keep_picture(name, features)
        self.totals.pictures_computed += 1
        for sequence in self._sequences:
            if name in sequence.missing:
                self._features[name] = features
                sequence.missing.remove(name)
                if not sequence.missing:
                    sequence.close_stage("image_s")

    def _blind(self, name: str, error: Exception) -> None:
        """A picture that cannot be looked at fails those who asked about it, nobody else."""
        log.error("looking at a picture failed", exc_info=error)
        for sequence in [each for each in self._sequences if name in each.missing]:
            sequence.request.send(error)
            self._remove(sequence)

    def _left(self, sequence: Sequence) -> int:
        return sum(self._sights.left(sequence.prompt.images[name]) for name in sequence.missing)

    def _tell(self) -> None:
        """Places and estimates to those who wait, when they changed."""
        now = self._clock()
        for sequence, place, seconds in self._scheduler.places(now):
            if sequence.told is None or sequence.told[0] != place or now - sequence.told[2] > TELL:
                sequence.told = (place, seconds, now)
                sequence.request.send(Waiting(place, seconds))

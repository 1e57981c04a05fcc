"""Answer questions with engines elsewhere, as `core.assistant.Engine`. Nothing is computed here."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import replace

from core import work_context
from core.answer import Answer, Figures
from core.bounded_dict import BoundedDict
from core.conversation import Conversation, Turn
from core.engine.config import EngineConfig
from core.engine.stats import EngineStats
from core.errors import BadQuestion, BadSchema, EngineUnreachable, ModelLoading, OperatorError
from core.events import BeganAgain, Piece, Tell
from core.image import Image
from core.remote.endpoint import Endpoint, State
from core.remote.failure import EngineFailed, Failure, FailureKind
from core.remote.pool import Candidate, NoEngine, Pool
from core.remote.request import RemoteRequest
from core.remote.stream import StreamedAnswer
from core.sampling import Sampling

REMEMBERED = 1000  # conversations whose questions ended or silenced engines
MOST_LOST = 6  # times that the questions of one conversation may do so in a row


class RemoteEngine:
    """Answers with the engines at `config.urls`. Make one with `start`, and `close` it in the end.

    Implements `core.assistant.Engine` and `core.loading_engine.LoadedEngine`.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._pool = Pool([Endpoint(url, config) for url in config.urls], config.waiting)
        self._stats = EngineStats()
        self._lost: BoundedDict[str, int] = BoundedDict(REMEMBERED)

    @classmethod
    async def start(cls, config: EngineConfig) -> "RemoteEngine":
        """Look whether the engines are there. Those that are not are looked for again now and then."""
        engine = cls(config)
        await engine._pool.start()
        return engine

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        """Answer the open last turn. Cancelling it closes the connection, which frees the engine.

        An engine that fails before its first word is replaced by another. If one is lost in the middle of its answer,
        the listener hears `BeganAgain`, and the answer is written once more. Raises `BotError`, and `EngineFailed`.
        """
        request = RemoteRequest(conversation, sampling, len(conversation.turns))
        candidate = Candidate(
            request.session, work_context.current().arrived, tell, conversation.answer_schema is not None
        )
        begun, has_repeated = time.monotonic(), False
        while True:
            written = StreamedAnswer(lambda text: tell(Piece(text)), sampling.max_new_tokens)
            failure = await self._attempt(candidate, request, written)
            if failure is None:
                return self._finished(written, begun, conversation.turns[-1])
            if failure.kind is FailureKind.TOO_LONG:
                request = request.halved()
            if written.text:
                if has_repeated:
                    raise self._unanswered(candidate) from failure
                has_repeated = True
                tell(BeganAgain())

    async def encode_ahead(self, image: Image) -> None:
        """Do nothing: engines see a picture with its question."""

    def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
        """Do nothing: nothing is kept here."""

    def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None:
        """Do nothing: nothing is kept here."""

    def check(self) -> None:
        """Raise why no question can be answered: `ModelLoading`, or `OperatorError` that names each engine."""
        self._pool.check_open()
        healths = [(endpoint.name, endpoint.health) for endpoint in self._pool.endpoints]
        if any(health.state is State.READY for _, health in healths):
            return
        if any(health.loading and health.state is State.EXPECTED for _, health in healths):
            raise ModelLoading("The model is being loaded.")
        if all(health.state is State.DOWN for _, health in healths):
            reasons = "; ".join(f"{name}: {health.reason}" for name, health in healths)
            raise OperatorError("No engine can be asked. {reasons}.", reasons=reasons)

    async def ended(self) -> None:
        """Wait for ever: engines that end elsewhere may come back."""
        await asyncio.Event().wait()

    def stats(self) -> EngineStats:
        model = next((endpoint.model.name for endpoint in self._pool.endpoints if endpoint.model), "")
        return replace(self._stats, running=self._pool.running, waiting=len(self._pool.waiting), model=model)

    async def close(self) -> None:
        """Close every connection. Answers still being written end with `EngineEnded`."""
        await self._pool.close()

    async def _attempt(self, candidate: Candidate, request: RemoteRequest, written: StreamedAnswer) -> Failure | None:
        """Let the next engine write the answer. Return how it failed. Raises `BotError` if no engine is left."""
        try:
            async with self._pool.slot(candidate) as endpoint:
                written.asked = time.monotonic()
                try:
                    await endpoint.write(request, written)
                except Failure as failure:
                    self._pool.check_open()
                    self._note(candidate, endpoint, failure)
                    return failure
                self._pool.note_answer(endpoint)
        except NoEngine:
            raise self._unanswered(candidate) from candidate.last
        self._lost.pop(candidate.session, None)
        return None

    def _finished(self, written: StreamedAnswer, begun: float, turn: Turn) -> Answer:
        now, asked = time.monotonic(), written.asked
        first = written.first_token or now
        self._pool.times.measure(first - asked, now - asked)
        stats = self._stats
        stats.answers += 1
        stats.tokens_written += written.answer_tokens
        stats.tokens_computed += written.prompt_tokens - written.reused_tokens
        stats.tokens_reused += written.reused_tokens
        stats.prefill_s += first - asked
        stats.decode_s += now - first
        figures = Figures(
            queue_s=max(0.0, asked - begun), prefill_s=first - asked, decode_s=now - first,
            prompt_tokens=written.prompt_tokens, reused_tokens=written.reused_tokens,
            answer_tokens=written.answer_tokens,
            shown_whole=turn.tiled if written.images == len(turn.pictures) else 0,
        )  # fmt: skip
        assert written.ending is not None
        return Answer(written.text, written.ending, figures)

    def _note(self, candidate: Candidate, endpoint: Endpoint, failure: Failure) -> None:
        self._pool.note_failure(endpoint, failure, candidate)
        if failure.kind in (FailureKind.LOST, FailureKind.SILENT):
            self._lost[candidate.session] = self._lost.get(candidate.session, 0) + 1

    def _unanswered(self, candidate: Candidate) -> Exception:
        """Return what to raise for a question that no engine answered."""
        last = candidate.last
        if last is not None and last.kind is FailureKind.QUESTION:
            if candidate.has_schema:
                return BadSchema("This engine cannot keep an answer within a JSON Schema.")
            return BadQuestion(
                "The model does not take this question. Please ask in other words, or about fewer pictures."
            )
        if self._pool.is_hopeless(candidate) or self._lost.get(candidate.session, 0) >= MOST_LOST:
            self._lost.pop(candidate.session, None)
            return EngineFailed(last.reason if last else "no engine answered")
        return EngineUnreachable("The model cannot be reached at the moment. Please ask again in a minute.")

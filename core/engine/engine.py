"""Offer the engine to the rest of the service: coroutines outside, one model thread inside."""

import asyncio
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import psutil
import torch

from core import hardware, trace, work_context
from core.answer import Answer
from core.context import shorten
from core.conversation import Conversation
from core.engine.cache import Cache
from core.engine.cache_space import COMPUTED_FOLDER
from core.engine.config import EngineConfig, Kind
from core.engine.disk_cache import DiskCache
from core.engine.generation_config import read_sampling
from core.engine.grammar import Grammar, Grammars
from core.engine.request import Doubt, EngineRequest, EventChannel, Forget, KeepOnly
from core.engine.stats import EngineStats
from core.engine.tile_by_tile import answer_by_tiles
from core.engine.tokenizer import Tokenizer
from core.engine.work_queue import Message
from core.engine.worker import ModelWorker
from core.errors import BadSchema, NoPicture, OperatorError
from core.events import Tell
from core.hardware import Limit
from core.i18n import Translator
from core.image import Image
from core.model.checkpoint import Checkpoint, find_folder
from core.model.description import describe
from core.model.model import Model
from core.sampling import Sampling
from core.units import GIGABYTE

log = logging.getLogger(__name__)
# Shares of the machine's memory, or of its control group's. The system, decoders and cached files need the rest.
DEFAULT_MEMORY_SHARE = 0.6
LARGEST_MEMORY_SHARE = 0.9
ACTIVATION_BYTES = 400_000_000  # for activations and everything else
MODEL_NICENESS = 5  # gives the model's threads a third of the event loop's weight
LOCK_SWITCH_SECONDS = 0.0005  # how long a thread may hold Python's lock while another waits; 5 ms by default
MEMORY_SETTING = "`memory_limit_gb` in [core.engine]"
GRAMMAR_TOKEN_BYTES = 800  # of each token of the vocabulary, once an answer was kept within a schema
LEAST_BUDGET_TOKENS = 1024  # a memory budget for fewer tokens is a mistake


class ModelThread(Protocol):
    """What works in the model's thread: `ModelWorker`, or the reference engine's, which has no `grammars`."""

    @property
    def grammars(self) -> Grammars | None: ...

    def put(self, message: Message | None) -> None: ...

    def stats(self) -> EngineStats: ...

    def check(self) -> None: ...

    def run(self) -> None: ...


class Engine:
    """Answers questions with the model. Make one with `start`, and `close` it in the end.

    Implements `core.assistant.Engine` and `storage.operation.ComputedCache`.
    """

    def __init__(self, worker: ModelThread, thread: threading.Thread, ended: asyncio.Event, model: str) -> None:
        self._worker = worker
        self._model = model  # as the config names it
        self._described = describe(model)
        self._thread = thread
        self._ended = ended
        self._compiler = ThreadPoolExecutor(1, thread_name_prefix="grammar")

    @classmethod
    async def start(cls, config: EngineConfig, progress: Callable[[float], None] = lambda share: None) -> "Engine":
        """Load the model in its thread, which tells its `progress`.

        Raises `ModelMissing`, or `OperatorError` when it cannot work like that.
        """
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[ModelThread] = loop.create_future()
        ended = asyncio.Event()

        def live() -> None:
            _step_back()
            try:
                worker = _load(config, progress)
            except Exception as error:
                loop.call_soon_threadsafe(_settle, ready, error)
                return
            loop.call_soon_threadsafe(_settle, ready, worker)
            try:
                worker.run()
            except BaseException:
                log.critical("the model's thread has ended", exc_info=True)
            finally:
                with suppress(RuntimeError):  # the event loop may be closed
                    loop.call_soon_threadsafe(ended.set)

        thread = threading.Thread(target=live, name="model", daemon=True)
        thread.start()
        return cls(await ready, thread, ended, config.model)

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        """Answer the open last turn. Raises `BotError`. Cancelling it frees the model before its next step."""
        if self._described.needs_picture and not conversation.pictures:
            raise NoPicture("The demo model can only answer about pictures. Please send one with your question.")
        conversation = shorten(conversation, self._described.pictures)
        if not self._described.tile_by_tile:
            return await self._ask(conversation, sampling, tell)
        doubt = self._doubt(conversation.turns[-1].text)
        return await answer_by_tiles(conversation, sampling, tell, self._ask, doubt.sentence if doubt else None)

    async def _ask(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        """Answer what the model is shown, at once."""
        grammar = await self._compile(conversation.answer_schema)
        channel = EventChannel(tell)
        doubt = self._doubt(conversation.turns[-1].text) if grammar is None else None
        request = EngineRequest(
            conversation,
            sampling,
            channel.send,
            trace.current.get(),
            work_context.current().arrived,
            grammar=grammar,
            doubt=doubt,
        )
        self._worker.put(request)
        try:
            return await channel.answer
        finally:
            request.closed.set()

    async def _compile(self, schema: str | None) -> Grammar | None:
        """Compile a schema, one at a time, off the event loop and the model's thread. Raises `BadSchema`."""
        if schema is None:
            return None
        if self._worker.grammars is None:
            raise BadSchema("This engine cannot keep an answer within a JSON Schema.")
        return await asyncio.get_running_loop().run_in_executor(self._compiler, self._worker.grammars.compile, schema)

    def _doubt(self, question: str) -> Doubt | None:
        """Return what is said in the question's language instead of an answer that the model only makes up."""
        model = self._described
        if model.doubt is None:
            return None
        return Doubt(Translator("en").for_question(question).explain(model.doubt), model.least_certainty)

    async def encode_ahead(self, image: Image) -> None:
        """Encode a picture when nothing else is to do. Returns at once."""
        self._worker.put(image)

    def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
        """Drop what was computed for a removed conversation and for pictures that are no longer shown. Thread-safe."""
        self._worker.put(Forget(conversation_id, image_ids))

    def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None:
        """Drop what was computed for any other conversation or picture. Thread-safe."""
        self._worker.put(KeepOnly(conversation_ids, image_ids))

    def check(self) -> None:
        """Raise `Busy` while no question can be answered: the thread has ended, or finds no memory."""
        self._worker.check()

    async def ended(self) -> None:
        """Wait until the thread has ended and nothing will be answered any more."""
        await self._ended.wait()

    def stats(self) -> EngineStats:
        return replace(self._worker.stats(), model=self._model)

    async def close(self) -> None:
        """End the thread. Answers still being written end with `Busy`."""
        self._worker.put(None)
        await asyncio.to_thread(self._thread.join)
        self._compiler.shutdown(wait=False, cancel_futures=True)


def _step_back() -> None:
    """Let the event loop run before the model's threads.

    Platforms must be told at once that their messages arrived. Storing a message takes a dozen switches between
    threads, and each of them waits for Python's lock and for a core. On Linux a thread has its own niceness, and
    OpenMP's threads inherit that of the thread that made them.
    """
    sys.setswitchinterval(LOCK_SWITCH_SECONDS)
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + MODEL_NICENESS  # the process may be nice already
        os.setpriority(os.PRIO_PROCESS, thread, min(niceness, 19))


def budget(config: EngineConfig) -> Limit:
    """Return the bytes that model and conversations may take: the smallest limit that applies."""
    shared, own = hardware.memory(), hardware.process_memory()
    if config.memory_limit_gb:
        most = Limit(int(LARGEST_MEMORY_SHARE * shared.bytes), shared.source)
        limits = [Limit(int(config.memory_limit_gb * GIGABYTE), MEMORY_SETTING), most]
    else:
        source = f"{MEMORY_SETTING} ({DEFAULT_MEMORY_SHARE:.0%} of {shared.source} by default)"
        limits = [Limit(int(DEFAULT_MEMORY_SHARE * shared.bytes), source)]
    return min([*limits, own] if own else limits)


def _settle(ready: "asyncio.Future[ModelThread]", outcome: ModelThread | Exception) -> None:
    with suppress(asyncio.InvalidStateError):  # the caller stopped waiting
        if isinstance(outcome, Exception):
            ready.set_exception(outcome)
        else:
            ready.set_result(outcome)


def _load(config: EngineConfig, progress: Callable[[float], None]) -> ModelThread:
    return _load_reference(config) if config.kind is Kind.REFERENCE else _load_native(config, progress)


def _load_reference(config: EngineConfig) -> ModelThread:
    from core.engine import any_model  # a second of imports that only this engine needs
    from core.engine.reference import ReferenceWorker

    if config.threads:
        torch.set_num_threads(config.threads)
    model, processor = any_model.load(find_folder(config.model), config.precision, config.cache / "offload")
    log.info("%s ready in transformers' own engine, on %s", config.model, model.device)
    return ReferenceWorker(model, processor, config.context_tokens, config.waiting)


def _load_native(config: EngineConfig, progress: Callable[[float], None]) -> ModelWorker:
    begin = time.monotonic()
    checkpoint = Checkpoint.find(config.model)
    disk = int(config.cache_limit_gb * GIGABYTE)
    if not disk:
        shutil.rmtree(config.cache / COMPUTED_FOLDER, ignore_errors=True)
    try:
        model = Model(checkpoint, config.precision, config.cache if disk else None, config.threads, progress)
        tokenizer, sampling = Tokenizer(checkpoint.folder, checkpoint.encoder), read_sampling(checkpoint)
        grammars = Grammars(tokenizer, model.text_config.vocab_size, model.eos_token_ids)
        kept = DiskCache(config.cache / COMPUTED_FOLDER, model.identity, disk) if model.identity else None
    except Exception as error:
        raise _explain(error, config) from error
    limit = _room(config, model)
    log.info("%s ready in %.1f s, precision %s", config.model, time.monotonic() - begin, model.precision)
    cache = Cache(limit, kept)
    return ModelWorker(model, tokenizer, cache, limit, config.context_tokens, config.waiting, sampling, grammars)


def _explain(error: Exception, config: EngineConfig) -> Exception:
    """Turn the error that kept the model from being loaded into one for the operator."""
    if hardware.is_out_of_memory(error):
        return OperatorError(
            "There is too little memory to load the model ({reason}). "
            "Raise {limit}, or choose precision int8 or a smaller model.",
            reason=str(error),
            limit=budget(config).source,
        )
    if isinstance(error, OSError):
        return OperatorError(
            "What is computed cannot be kept in {folder} ({reason}): chown it, or set `cache` in [core.engine].",
            folder=str(config.cache),
            reason=str(error),
        )
    return error


def _room(config: EngineConfig, model: Model) -> int:
    """Return the bytes that conversations may take: the budget minus what the process uses already."""
    hardware.trim_heap()  # returns what making int8 weights needed
    allowed = budget(config)
    taken = psutil.Process().memory_info().rss + ACTIVATION_BYTES + GRAMMAR_TOKEN_BYTES * model.text_config.vocab_size
    room = int(allowed.bytes - taken)
    if room < LEAST_BUDGET_TOKENS * model.row_bytes:
        raise OperatorError(
            "The model alone takes {taken:.1f} GB, which leaves too little of the {budget:.1f} GB allowed. "
            "Raise {limit}, or choose precision int8 or a smaller model.",
            taken=taken / 1e9,
            budget=allowed.bytes / 1e9,
            limit=allowed.source,
        )
    log.info(
        "conversations may take %.2f GB; the limit is %.2f GB: %s", room / 1e9, allowed.bytes / 1e9, allowed.source
    )
    return room

"""Put the service together: store, engine, assistant and the adapters from the config, in one process.

An adapter that fails is started again with growing pauses. One that needs the operator's help says so, and the others
continue. Ctrl-C and SIGTERM end everything cleanly; unanswered questions wait on disk for the next start.
"""

import asyncio
import gc
import importlib
import importlib.util
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bots.config import PLATFORMS, Settings, how_to_install, platform
from bots.conversing.services import Services
from bots.log import set_up
from bots.tasks.expiry import keep_expiring
from bots.tasks.systemd import Notifier, keep_notifying
from bots.tasks.watch import keep_watching
from core import hardware
from core.assistant import Assistant
from core.conversation import Turn
from core.errors import BotError, ModelMissing, OperatorError
from core.loading_engine import LoadedEngine, LoadingEngine
from core.missing_engine import MissingEngine
from core.model.description import describe
from core.pauses import pauses
from core.pictures import workers
from core.replica import Replica
from core.single_replica import SingleReplica

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from storage.store import Store

log = logging.getLogger(__name__)
ENGINE_PACKAGES = {  # by the extra that installs them
    "cpu": ("accelerate", "llguidance", "safetensors", "tokenizers", "torch", "transformers"),
    "remote": ("httpx2", "openai"),
}
NO_ENGINE = "The model needs packages that are not installed: {how}"
PAUSES_S = (1, 2, 5, 10, 30, 60)


class Terminated(Exception):
    """SIGTERM asked the service to end, and it has ended cleanly."""


async def serve(settings: Settings) -> None:
    """Work until interrupted. Raises `Terminated` after SIGTERM, and `OperatorError` when nothing can work."""
    received: set[int] = set()
    _end_on_signals(received)
    try:
        await _serve(settings)
    except asyncio.CancelledError:
        if signal.SIGTERM in received:
            raise Terminated from None
        raise


async def _serve(settings: Settings) -> None:
    if not settings.adapters:
        tables = ", ".join(f"[bots.{name}]" for name in PLATFORMS)
        raise OperatorError("The config enables nothing: add one of the tables {tables}.", tables=tables)
    set_up(settings.log)
    for notice in settings.notices:
        log.warning("%s", notice)
    _check_port(settings)
    hardware.limit_heaps()  # before the database's threads and the model's begin
    log.info("%s", _engine_name(settings))
    engine = LoadingEngine(settings.engine.waiting)
    async with _serving(settings, engine) as services:
        warming = asyncio.create_task(workers.warm())
        parts = [
            _run_adapters(settings, services),
            _load(settings, engine, services),
            _for_ever("expiry", keep_expiring(services.store.expiry, services.health)),
            _for_ever("the watch over health", keep_watching(services)),
            _for_ever("leases", services.leases.run()),
            _for_ever("notices to systemd", keep_notifying(services.health, engine.check, Notifier())),
        ]
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, warming):
                task.cancel()
            await asyncio.gather(*tasks, warming, return_exceptions=True)


def _engine_name(settings: Settings) -> str:
    config = settings.engine
    return f"asking the engines at {', '.join(config.urls)}" if config.urls else f"loading {config.model}"


def _check_port(settings: Settings) -> None:
    """Tell at once, and not after minutes of loading, that the page's port is taken. Others may work without it."""
    from bots.web.listen import listen

    if settings.web:
        try:
            listen(settings.web).close()
        except OperatorError as error:
            if len(settings.adapters) == 1:
                raise
            log.error("%s", error)


async def start_engine(settings: Settings, progress: Callable[[float], None] = lambda share: None) -> LoadedEngine:
    """Load the model, which tells its `progress`, or find the engines elsewhere.

    Raises `ModelMissing` if packages or files are missing.
    """
    config = settings.engine
    if extra := _missing_extra(settings):
        raise ModelMissing(NO_ENGINE, how=how_to_install(extra))
    if config.urls:
        from core.remote.engine import RemoteEngine

        return await RemoteEngine.start(config)
    # Importing torch takes seconds, in which the page and the platforms are served.
    module = await asyncio.to_thread(importlib.import_module, "core.engine.engine")
    engine: Engine = await module.Engine.start(config, progress)
    return engine


async def start_engine_if_installed(settings: Settings, progress: Callable[[float], None]) -> LoadedEngine:
    """Load the model as `start_engine` does. Without its packages the service starts anyway, and says so when asked."""
    if extra := _missing_extra(settings):
        log.error(NO_ENGINE.format(how=how_to_install(extra)))
        return MissingEngine()
    return await start_engine(settings, progress)


def _missing_extra(settings: Settings) -> str:
    """Return the name of the extra that the engine needs and that is not installed, or ""."""
    extra = "remote" if settings.engine.urls else "cpu"
    return "" if all(importlib.util.find_spec(package) for package in ENGINE_PACKAGES[extra]) else extra


async def _load(settings: Settings, engine: LoadingEngine, services: Services) -> None:
    """Load the model while everything else works already, and then wait for its end."""
    await engine.load(partial(start_engine_if_installed, settings))
    gc.freeze()  # scanning torch's and transformers' objects would stop everything for 0.3 s
    await _end_with_the_model(services)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open the store for this process alone and load the model. Both are closed at the end."""
    engine = LoadingEngine(settings.engine.waiting)
    async with _serving(settings, engine) as services:
        await engine.load(partial(start_engine, settings))
        yield services


@asynccontextmanager
async def _serving(settings: Settings, engine: LoadingEngine) -> AsyncIterator[Services]:
    """Open the store for this process alone. It and the engine are closed at the end."""
    from storage.lock import hold

    with hold(settings.storage.url):
        make_room = _room_maker(settings)
        async with open_store(settings, alone=True) as store:
            from starlette.routing import Router

            leases = Replica(store) if store.database.shared else SingleReplica(store)
            try:
                store.computed = engine
                store.make_room_with(make_room)
                assistant = Assistant(engine, store, settings.assistant, settings.quota, leases)
                extra_routes = Router(redirect_slashes=False) if "bots.web" in settings.adapters else None
                yield Services(
                    assistant,
                    store,
                    settings.images,
                    engine.stats,
                    engine.check,
                    extra_routes,
                    engine.ended,
                    model=replace(describe(settings.engine.model), elsewhere=bool(settings.engine.urls)),
                    leases=leases,
                )
            finally:
                await leases.close()
                await engine.close()


def _room_maker(settings: Settings) -> Callable[[], bool]:
    """Return the function that removes cached files for the database.

    It runs at once if the disk is too full to open it.
    """
    from core.engine.cache_space import COMPUTED_FOLDER, give_way, is_scarce
    from storage.address import file_of

    database = file_of(settings.storage.url)
    if database is None:
        return lambda: False
    make_room = partial(give_way, settings.engine.cache / COMPUTED_FOLDER, database.parent)
    if is_scarce(database.parent):
        make_room()
    return make_room


async def rated_turns(settings: Settings) -> list[Turn]:
    """Return every rated turn, oldest first. Raises `OperatorError` if ratings are not switched on."""
    if not settings.storage.ratings:
        raise OperatorError("Ratings are switched off: set ratings = true in [storage], and people can rate answers.")
    async with open_store(settings) as store:
        return await store.rated()


async def expire(settings: Settings, yes: bool, unanswered: bool) -> str:
    """Forget what is old by the current clock if the operator said `yes`. Return what was or would be done."""
    async with open_store(settings) as store:
        conversations, questions = await store.expiry.expirable()
        if yes:
            return f"{await store.expiry.expire_now(unanswered)} conversations expired."
        doubt = store.expiry.doubt
    days, kept = settings.storage.expire_days, "" if unanswered else "; they are kept"
    return (
        f"{doubt} Older than {days:g} days by the clock of this machine: {conversations} conversations would be "
        f"removed with --yes, and {questions} questions were never answered{kept}."
    ).strip()


@asynccontextmanager
async def open_store(settings: Settings, alone: bool = False) -> AsyncIterator["Store"]:
    """Open the store until the block ends; `alone` as in `Store.open`."""
    from storage.store import Store

    store = await Store.open(settings.storage, alone=alone)
    try:
        yield store
    finally:
        await store.close()


async def _for_ever(name: str, work: Coroutine[Any, Any, None]) -> None:
    """Run what must not end before the service. A replica that no longer beats, for example, would answer no one."""
    try:
        await work
        log.error("%s ended without an error", name)
    except Exception:
        log.exception("%s failed", name)
    raise OperatorError(
        "A part of the service has ended unexpectedly ({name}); the log says why. Start the service again: what was "
        "asked is answered then.",
        name=name,
    )


async def _end_with_the_model(services: Services) -> None:
    """Raise `OperatorError` when the model's thread has ended, because only a new process can answer then."""
    await services.model_ended()
    raise OperatorError(
        "The model has ended unexpectedly; the log says why. Start the service again: what was asked is answered then."
    )


async def _run_adapters(settings: Settings, services: Services) -> None:
    async with asyncio.TaskGroup() as group:
        running = (_keep_running(name, config, services) for name, config in settings.platforms.items())
        tasks = [group.create_task(each) for each in running]
    reasons = [str(task.result()) for task in tasks]
    raise OperatorError("Nothing is left to do. {reasons}", reasons=" ".join(reasons))


async def _keep_running(
    name: str, config: Any, services: Services, pauses_s: Sequence[float] = PAUSES_S
) -> OperatorError:
    """Run an adapter for ever. Returns only an error that the operator must repair."""
    pausing = pauses(pauses_s)
    label = name.rpartition(".")[2]
    while True:
        began = asyncio.get_running_loop().time()
        services.health.mark_started(label)
        try:
            await platform(name).run(config, services)
            log.warning("%s ended", name)
        except OperatorError as error:
            services.health.mark_down(label, str(error))
            return error
        except BotError as error:
            log.error("%s failed and is started again: %s", name, error)
            services.health.record_failure(label, str(error))
        except Exception:
            log.exception("%s failed and is started again", name)
            services.health.record_failure(label, "It failed and is started again; the log says why.")
        if asyncio.get_running_loop().time() - began > PAUSES_S[-1]:
            pausing = pauses(pauses_s)
        await asyncio.sleep(next(pausing))


def _end_on_signals(received: set[int]) -> None:
    """Cancel this task at SIGINT and SIGTERM, and note which came."""
    task = asyncio.current_task()
    if task is None:
        return

    def end(number: int) -> None:
        received.add(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows has no loop signal handlers; Ctrl-C works there anyway
            asyncio.get_running_loop().add_signal_handler(number, end, number)

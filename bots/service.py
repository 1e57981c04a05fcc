"""The composition root: store, engine, assistant and the adapters that the config enables, in one process.

An adapter that fails is started again with growing pauses; one whose operator has something to mend says so and leaves
the others alone. Ctrl-C and SIGTERM end everything cleanly; unanswered questions wait on disk for the next start.
"""

import asyncio
import importlib
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from bots.config import Settings
from bots.log import set_up
from core.assistant import Assistant
from core.errors import BotError, OperatorError
from core.quota import Quota

if TYPE_CHECKING:
    from storage.store import Store

log = logging.getLogger(__name__)
PAUSES_S = (1, 2, 5, 10, 30, 60)
EXPIRE_EVERY_S = 3600


async def serve(settings: Settings) -> None:
    """Work until interrupted. Raises `OperatorError` when nothing can work."""
    if not settings.adapters:
        raise OperatorError("The config enables nothing: add a table [bots.web], [bots.telegram] or [bots.slack].")
    set_up(settings["bots.log"])
    _end_on_signals()
    log.info("loading %s", settings["core.engine"].model)
    async with assistant_of(settings) as (assistant, store):
        expiring = asyncio.create_task(_expire(store))
        try:
            await _run_adapters(settings, assistant, store)
        finally:
            expiring.cancel()


@asynccontextmanager
async def assistant_of(settings: Settings) -> AsyncIterator[tuple[Assistant, "Store"]]:
    """The assistant with its engine loaded and its store open; both are closed at the end."""
    from core.engine.engine import Engine
    from storage.store import Store

    store = await Store.open(settings["storage"])
    try:
        engine = await Engine.start(settings["core.engine"])
        try:
            yield Assistant(engine, store, settings["core.assistant"], Quota(settings["core.quota"])), store
        finally:
            await engine.close()
    finally:
        await store.close()


async def _run_adapters(settings: Settings, assistant: Assistant, store: "Store") -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_keep_running(name, settings, assistant, store)) for name in settings.adapters]
    reasons = [str(task.result()) for task in tasks]
    raise OperatorError("Nothing is left to do. {reasons}", reasons=" ".join(reasons))


async def _keep_running(name: str, settings: Settings, assistant: Assistant, store: "Store") -> OperatorError:
    """Returns only what the operator has to mend."""
    failures = 0
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await importlib.import_module(name).run(settings[name], assistant, store, settings["core.images"])
            log.warning("%s ended", name)
        except OperatorError as error:
            log.error("%s: %s", name, error)
            return error
        except Exception:
            log.exception("%s failed", name)
        if asyncio.get_running_loop().time() - began > PAUSES_S[-1]:
            failures = 0
        await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
        failures += 1


async def _expire(store: "Store") -> None:
    while True:
        try:
            if removed := await store.expire():
                log.info("%s conversations expired", removed)
        except BotError as error:
            log.warning("nothing could expire: %s", error)
        await asyncio.sleep(EXPIRE_EVERY_S)


def _end_on_signals() -> None:
    task = asyncio.current_task()
    if task is None:
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows has no loop signal handlers; Ctrl-C works there anyway
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)

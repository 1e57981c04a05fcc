"""Say what is missing before the first user notices. Works offline.

The database and the list of forgotten people are made if they are new.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path

from bots.cli import machine, model_files, remote_engines
from bots.cli.proxies import proxies
from bots.config import Settings, load, platform
from bots.conversing.check_result import CheckResult, Level
from core.errors import BotError
from core.units import GIGABYTE

PLATFORM_WAIT_S = 15
Check = Callable[[Settings], Awaitable[CheckResult | Iterable[CheckResult]]]


async def examine(path: Path | None) -> AsyncIterator[CheckResult]:
    """Yield everything that can be checked, in the order in which to repair it."""
    try:
        settings = load(path)
    except BotError as error:
        yield CheckResult("config", Level.WRONG, str(error))
        return
    yield CheckResult("config", Level.OK, f"enables {', '.join(settings.adapters) or 'nothing'}")
    for notice in settings.notices:
        yield CheckResult("config", Level.NOTE, notice)
    here: list[Check] = [model_files.model, machine.memory, machine.processor]
    engine: list[Check] = [remote_engines.engines] if settings.engine.urls else here
    checks: list[Check] = [machine.clock, _database, _disks, _forgotten, *engine, machine.font, proxies]
    for check in checks:
        found = await check(settings)
        for finding in [found] if isinstance(found, CheckResult) else found:
            yield finding
    for table in settings.adapters:
        async for finding in _platform(table, settings):
            yield finding


async def _database(settings: Settings) -> list[CheckResult]:
    """Check the database, and the time that it remembers: it doubts a clock that has jumped."""
    from storage.store import Store

    try:
        store = await Store.open(settings.storage)
        try:
            await store.check()
            doubt = store.expiry.doubt
        finally:
            await store.close()
    except BotError as error:
        return [CheckResult("database", Level.WRONG, str(error))]
    found = [CheckResult("database", Level.OK, "opens and can be written")]
    return [*found, CheckResult("clock", Level.WRONG, doubt)] if doubt else found


async def _disks(settings: Settings) -> list[CheckResult]:
    """Check the disks of the caches and of the database, if it is a file."""
    from storage.address import file_of

    engine, storage = settings.engine, settings.storage
    places = [(Path(engine.cache), engine.cache_limit_gb * GIGABYTE, "cache in [core.engine]")]
    with suppress(BotError):  # told by the database's own check
        if file := file_of(storage.url):
            places.append((file.parent, storage.size_limit_gb * GIGABYTE, "url in [storage]"))
    return [await asyncio.to_thread(machine.check_free_space, *place) for place in places]


async def _forgotten(settings: Settings) -> CheckResult:
    """Check the list of forgotten people, without which nobody can be deleted and no backup restored."""
    from storage import forgotten

    file = settings.storage.forgotten
    try:
        await asyncio.to_thread(forgotten.add, file, ())
        await asyncio.to_thread(forgotten.since, file, "")
    except BotError as error:
        return CheckResult("forgotten", Level.WRONG, str(error))
    return CheckResult("forgotten", Level.OK, f"{file} can be read and written, so people can be deleted")


async def _platform(table: str, settings: Settings) -> AsyncIterator[CheckResult]:
    """Yield what an adapter finds out by asking its platform who it is."""
    name = table.removeprefix("bots.")
    config = settings.platforms[table]
    if not (getattr(config, "allow", True) or config.admins):
        yield CheckResult(
            name, Level.NOTE, "allow is empty, so no one is answered: send it a message, it tells you your id"
        )
    try:
        async with asyncio.timeout(PLATFORM_WAIT_S):
            for finding in await platform(table).examine(config):
                yield finding
    except BotError as error:
        yield CheckResult(name, Level.WRONG, str(error))
    except TimeoutError:
        yield CheckResult(name, Level.NOTE, "the platform could not be reached, so its tokens are not checked")

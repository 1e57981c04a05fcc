"""Says what is missing before the first user notices. Works offline; makes the database if it is new."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil

from bots.config import Settings, load, platform
from bots.conversing.check_result import CheckResult, Level
from core import hardware
from core.errors import BotError

PLATFORM_WAIT_S = 15
LEAST_DISK = 2_000_000_000  # bytes; pictures and caches grow
BUILT = 1_760_000_000  # seconds since 1970; a clock before the product's own time is wrong
MEMORY_PER_WEIGHT = {"float32": 4.0, "float16": 2.0, "int8": 1.1, "auto": 1.1}  # bytes, of a 2-byte checkpoint
CONVERSATIONS = 1_500_000_000  # bytes beside the weights that a few conversations about pictures need


async def examine(path: Path | None) -> AsyncIterator[CheckResult]:
    """Everything that can be checked, in the order in which it has to be mended."""
    try:
        settings = load(path)
    except BotError as error:
        yield CheckResult("config", Level.WRONG, str(error))
        return
    yield CheckResult("config", Level.OK, f"enables {', '.join(settings.adapters) or 'nothing'}")
    checks: list[Callable[[Settings], Awaitable[CheckResult]]] = [_clock, _database, _disk, _model, _memory, _processor]
    for check in checks:
        yield await check(settings)
    for table in settings.adapters:
        async for finding in _platform(table, settings):
            yield finding


async def _clock(settings: Settings) -> CheckResult:
    return judge_clock(time.time())


def judge_clock(now: float) -> CheckResult:
    """`now` is in seconds since 1970."""
    text = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    if now < BUILT:
        return CheckResult(
            "clock", Level.WRONG, f"it says {text}: set it (timedatectl set-ntp true); Slack refuses old times"
        )
    return CheckResult("clock", Level.OK, text)


async def _database(settings: Settings) -> CheckResult:
    from storage.store import Store

    try:
        store = await Store.open(settings["storage"])
        try:
            await store.check()
        finally:
            await store.close()
    except BotError as error:
        return CheckResult("database", Level.WRONG, str(error))
    return CheckResult("database", Level.OK, "opens and can be written")


async def _disk(settings: Settings) -> CheckResult:
    return await asyncio.to_thread(_room_on_disk, settings)


def _room_on_disk(settings: Settings) -> CheckResult:
    folder = Path(settings["core.engine"].cache).absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return CheckResult("disk", Level.WRONG, f"{folder} cannot be written: chown it, or set cache in [core.engine]")
    return judge_room(folder, shutil.disk_usage(folder).free, settings["core.engine"].cache_limit * 1e9)


def judge_room(folder: Path, free: float, caches: float) -> CheckResult:
    """`free` bytes there, of which the caches may take so many."""
    text = f"{free / 1e9:.1f} GB free in {folder}"
    if free < LEAST_DISK:
        return CheckResult("disk", Level.WRONG, f"{text}: make room, 2 GB at least")
    if free < LEAST_DISK + caches:
        text = f"{text}; the caches may grow to {caches / 1e9:.0f} GB: lower cache_limit in [core.engine] or make room"
        return CheckResult("disk", Level.NOTE, text)
    return CheckResult("disk", Level.OK, text)


async def _model(settings: Settings) -> CheckResult:
    name = settings["core.engine"].model
    try:
        size = await asyncio.to_thread(_check_model, name)
    except BotError as error:
        return CheckResult("model", Level.WRONG, str(error))
    return CheckResult("model", Level.OK, f"{name} is complete, {size / 1e9:.2f} GB")


async def _memory(settings: Settings) -> CheckResult:
    config, available = settings["core.engine"], psutil.virtual_memory().available
    total = min(limit.bytes for limit in (hardware.memory(), hardware.process_memory()) if limit)
    try:
        needed = _weights(config.model) / 2 * MEMORY_PER_WEIGHT[config.precision.value] + CONVERSATIONS
    except BotError:
        return CheckResult("memory", Level.NOTE, f"{total / 1e9:.1f} GB; the model's need is unknown until it is there")
    return judge_memory(needed, min(available, total), total)


def judge_memory(needed: float, available: float, total: float) -> CheckResult:
    """In bytes."""
    text = f"{available / 1e9:.1f} of {total / 1e9:.1f} GB free; about {needed / 1e9:.1f} GB are needed"
    if needed > total:
        return CheckResult("memory", Level.WRONG, f'{text}: set precision = "int8" in [core.engine], or add memory')
    if needed > available:
        return CheckResult("memory", Level.NOTE, f"{text}: end other programs first")
    return CheckResult("memory", Level.OK, text)


async def _processor(settings: Settings) -> CheckResult:
    from core.model.kernel import Unavailable, instructions, prepare

    text = f"{os.cpu_count()} cores, {instructions()}"
    try:
        prepare()
    except Unavailable as reason:
        return CheckResult("processor", Level.NOTE, f"{text}: {reason}; until then float16 is used, which is slower")
    return CheckResult("processor", Level.OK, text)


async def _platform(table: str, settings: Settings) -> AsyncIterator[CheckResult]:
    """What an adapter finds out by asking its platform who it is."""
    name = table.removeprefix("bots.")
    config = settings[table]
    if not (getattr(config, "allow", True) or config.admins):
        yield CheckResult(
            name, Level.NOTE, "allow is empty, so nobody is answered: send it a message, it tells you your id"
        )
    try:
        async with asyncio.timeout(PLATFORM_WAIT_S):
            for finding in await platform(table).examine(config):
                yield finding
    except BotError as error:
        yield CheckResult(name, Level.WRONG, str(error))
    except TimeoutError:
        yield CheckResult(name, Level.NOTE, "the platform could not be reached, so its tokens are not checked")


def _check_model(name: str) -> int:
    """Bytes of the weights of a model that the engine can compute. Raises `OperatorError` with what is wrong."""
    from core.model.checkpoint import Checkpoint
    from core.model.compatibility import make_model

    make_model(Checkpoint.find(name))
    return _weights(name)


def _weights(name: str) -> int:
    """Bytes of the model's weights. Raises `ModelMissing`."""
    from core.model.checkpoint import Checkpoint

    return sum(file.stat().st_size for file in Checkpoint.find(name).files)

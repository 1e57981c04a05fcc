"""Check the model for the doctor: its files, what would be fetched, and what other models left in the cache."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bots.cli.fetch_model import PATTERNS
from bots.config import Settings
from bots.conversing.check_result import CheckResult, Level
from core.cache_folder import MODELS_FOLDER, WEIGHTS_FOLDER
from core.engine import EngineConfig
from core.engine.config import Kind
from core.errors import BotError, ModelMissing

if TYPE_CHECKING:
    from core.model.checkpoint import Checkpoint

WEIGHTS_BYTES = {"Qwen/Qwen3-VL-2B-Instruct": 4_255_000_000}  # about


async def model(settings: Settings) -> list[CheckResult]:
    """Check which engine answers, and whether it has a model that it can run."""
    config = settings.engine
    examine = _examine_reference if config.kind is Kind.REFERENCE else _examine
    return await asyncio.to_thread(examine, config)


def _examine_reference(config: EngineConfig) -> list[CheckResult]:
    from core.engine import any_model
    from core.model.checkpoint import find_folder

    lacks = "it answers one question at a time, keeps nothing for follow-ups, and has no int8 weights"
    engine = CheckResult("engine", Level.NOTE, f"reference (transformers): {lacks}")
    try:
        name = any_model.check(find_folder(config.model), config.precision)
    except ModelMissing as error:
        return [engine, CheckResult("model", Level.WRONG, str(error)), *_would_be_fetched(config.model)]
    except BotError as error:
        return [engine, CheckResult("model", Level.WRONG, str(error))]
    return [engine, CheckResult("model", Level.OK, f"{config.model} is a {name}")]


def _examine(config: EngineConfig) -> list[CheckResult]:
    from core.model.checkpoint import Checkpoint
    from core.model.compatibility import read_config

    try:
        checkpoint = Checkpoint.find(config.model)
        read_config(checkpoint)
    except ModelMissing as error:
        return [CheckResult("model", Level.WRONG, str(error)), *_would_be_fetched(config.model)]
    except BotError as error:
        return [CheckResult("model", Level.WRONG, str(error))]
    size = sum(file.stat().st_size for file in checkpoint.files)
    found = CheckResult("model", Level.OK, f"{config.model} is complete, {size / 1e9:.2f} GB")
    engine = CheckResult("engine", Level.OK, "native: Qwen3-VL on this processor")
    return [engine, found, *_stale(config.cache, checkpoint)]


def _would_be_fetched(name: str) -> Iterator[CheckResult]:
    """Yield what would be fetched from a hub: files, size, source, target folder, and whether it fits."""
    from huggingface_hub import constants

    if name.count("/") != 1 or Path(name).expanduser().is_absolute():
        return
    folder = Path(constants.HF_HUB_CACHE)
    there = folder / f"models--{name.replace('/', '--')}" / "blobs"
    kept = sum(file.stat().st_size for file in there.iterdir() if file.is_file()) if there.is_dir() else 0
    whole = WEIGHTS_BYTES.get(name)
    size = f"about {max(0, whole - kept) / 1e9:.1f} GB" if whole else "an unknown size"
    text = f"{size} of {', '.join(PATTERNS)} from {constants.ENDPOINT} into {folder}"
    if kept:
        text += f", where {kept / 1e9:.1f} GB of it lie already"
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    enough = not whole or whole - kept < free
    yield CheckResult("fetch", Level.NOTE if enough else Level.WRONG, f"{text}; {free / 1e9:.1f} GB are free")


def _stale(cache: Path, checkpoint: "Checkpoint") -> Iterator[CheckResult]:
    """Yield folders that another model or another version of the product computed, and that are no longer read."""
    from core.engine.cache_space import COMPUTED_FOLDER
    from core.engine.disk_cache import FILE_FORMAT
    from core.model.identity import identify

    folders = [
        path for kind in (COMPUTED_FOLDER, WEIGHTS_FOLDER) for path in sorted((cache / kind).glob("*")) if path.is_dir()
    ]
    own = identify(checkpoint, cache / MODELS_FOLDER) if folders else ""

    def is_read(folder: Path) -> bool:
        return folder.name.startswith(f"{own}-") and (
            folder.parent.name != COMPUTED_FOLDER or folder.name.endswith(f"-{FILE_FORMAT}")
        )

    stale = [folder for folder in folders if not (folder.is_symlink() or is_read(folder))]
    size = sum(file.lstat().st_size for folder in stale for file in folder.rglob("*") if file.is_file())
    if size:
        names = " ".join(map(str, stale))
        text = f"{size / 1e9:.2f} GB were computed for another model or version and are no longer read: rm -r {names}"
        yield CheckResult("caches", Level.NOTE, text)

"""Check the machine for the doctor: clock, disks, memory, processor and fonts."""

import os
import shutil
import time
from pathlib import Path

import psutil
from PIL import Image, ImageDraw, ImageFont

from bots.config import Settings
from bots.conversing.check_result import CheckResult, Level
from core import hardware
from core.errors import BotError
from core.pictures import fonts

LEAST_FREE_BYTES = 2_000_000_000  # pictures and caches grow
# Seconds since 1970 between which a clock may be right: the product did not exist before, and later every certificate
# has expired.
EARLIEST_TIME = 1_760_000_000
LATEST_TIME = EARLIEST_TIME + 15 * 365 * 86_400
BYTES_PER_WEIGHT = {"float32": 4.0, "float16": 2.0, "int8": 1.1, "auto": 1.1}  # of a 2-byte checkpoint
CONVERSATION_BYTES = 1_500_000_000  # for a few conversations about pictures, without the weights
SAMPLES = "发票あ한"  # Chinese, Japanese, Korean
NO_CHARACTER = "\U0010fffd"  # in no font: it looks like every missing character


async def clock(settings: Settings) -> CheckResult:
    return judge_clock(time.time())


def judge_clock(now: float) -> CheckResult:
    """Judge the clock. `now` is in seconds since 1970."""
    text = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    if not EARLIEST_TIME < now < LATEST_TIME:
        return CheckResult(
            "clock", Level.WRONG, f"it says {text}: set it (timedatectl set-ntp true); Slack refuses wrong times"
        )
    return CheckResult("clock", Level.OK, text)


def check_free_space(folder: Path, may_grow: float, setting: str) -> CheckResult:
    """Check the disk of a folder that may grow by so many bytes. `setting` names the folder's setting."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return CheckResult("disk", Level.WRONG, f"{folder} cannot be written: chown it, or change {setting}")
    return judge_room(folder, shutil.disk_usage(folder).free, may_grow)


def judge_room(folder: Path, free: float, may_grow: float) -> CheckResult:
    """Judge the disk: `free` bytes, of which the folder may take so many."""
    text = f"{free / 1e9:.1f} GB free in {folder}"
    if free < LEAST_FREE_BYTES:
        return CheckResult("disk", Level.WRONG, f"{text}: make room, 2 GB at least")
    if free < LEAST_FREE_BYTES + may_grow:
        limits = "cache_limit_gb in [core.engine] or size_limit_gb in [storage]"
        text = f"{text}; what is kept there may grow to {may_grow / 1e9:.0f} GB: lower {limits}, or make room"
        return CheckResult("disk", Level.NOTE, text)
    return CheckResult("disk", Level.OK, text)


async def memory(settings: Settings) -> CheckResult:
    from core.model.checkpoint import Checkpoint

    config, available = settings.engine, psutil.virtual_memory().available
    total = min(limit.bytes for limit in (hardware.memory(), hardware.process_memory()) if limit)
    try:
        weights = sum(file.stat().st_size for file in Checkpoint.find(config.model).files)
    except BotError:
        return CheckResult("memory", Level.NOTE, f"{total / 1e9:.1f} GB; the model's need is unknown until it is there")
    needed = weights / 2 * BYTES_PER_WEIGHT[config.precision.value] + CONVERSATION_BYTES
    return judge_memory(needed, min(available, total), total)


def judge_memory(needed: float, available: float, total: float) -> CheckResult:
    """Judge the memory, in bytes."""
    text = f"{available / 1e9:.1f} of {total / 1e9:.1f} GB free; about {needed / 1e9:.1f} GB are needed"
    if needed > total:
        return CheckResult("memory", Level.WRONG, f'{text}: set precision = "int8" in [core.engine], or add memory')
    if needed > available:
        return CheckResult("memory", Level.NOTE, f"{text}: end other programs first")
    return CheckResult("memory", Level.OK, text)


async def processor(settings: Settings) -> CheckResult:
    from core.model.instruction_set import Unavailable
    from core.model.kernel import prepare

    text = f"{os.cpu_count()} cores"
    try:
        return CheckResult("processor", Level.OK, f"{text}, int8 with {prepare().name}")
    except Unavailable as reason:
        text = f"{text}: {reason}; until then float16 or bfloat16 is used, which is slower"
        return CheckResult("processor", Level.NOTE, text)


async def font(settings: Settings) -> CheckResult:
    """Check the product's font. PDF files without fonts of their own, boxes and sheets are drawn with it."""
    what_to_do = "without it Chinese vanishes from PDF files: install the product again, or copy the file back"
    try:
        missing = _glyph(NO_CHARACTER)
        lacking = "".join(sample for sample in SAMPLES if _glyph(sample) == missing)
    except OSError as error:
        return CheckResult("fonts", Level.WRONG, f"{fonts.PATH} cannot be read ({error}); {what_to_do}")
    if lacking:
        return CheckResult("fonts", Level.WRONG, f"{fonts.PATH} has no {lacking}; {what_to_do}")
    return CheckResult("fonts", Level.OK, "Chinese, Japanese and Korean can be drawn")


def _glyph(character: str) -> bytes:
    image = Image.new("L", (48, 48))
    ImageDraw.Draw(image).text((4, 4), character, fill=255, font=ImageFont.truetype(fonts.PATH, 32))
    return image.tobytes()

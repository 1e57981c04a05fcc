"""Limits of real processes: the budget is the smallest, and when the system has no memory left the cache gives way."""

import errno
import json
import mmap
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import hardware
from core.engine import EngineConfig
from core.engine.cache import Cache
from core.engine.engine import DEFAULT_MEMORY_SHARE, LARGEST_MEMORY_SHARE, budget
from core.engine.memory import Memory, explain
from core.errors import OutOfMemory

TOO_MUCH = 1 << 50  # bytes
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "take",
    [
        lambda: torch.empty(TOO_MUCH, dtype=torch.uint8),
        lambda: np.empty(TOO_MUCH, np.uint8),
        lambda: bytearray(TOO_MUCH),
        lambda: mmap.mmap(-1, TOO_MUCH),
    ],
    ids=["torch", "numpy", "python", "pages"],
)
def test_everybodys_way_to_say_that_memory_is_missing_is_understood(take: Callable[[], object]) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 (each library has its own)
        take()
    assert hardware.is_out_of_memory(raised.value)
    assert isinstance(explain(raised.value), OutOfMemory)


@pytest.mark.parametrize(
    "error",
    [ValueError("Cannot allocate memory"), RuntimeError("a bug"), OSError(errno.ENOSPC, "No space"), KeyError(12)],
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not hardware.is_out_of_memory(error)
    assert explain(error) is error


def test_the_budget_is_the_smallest_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "memory", lambda: hardware.Limit(10_000, "the group"))
    for own, asked, expected, source in (
        (None, None, DEFAULT_MEMORY_SHARE * 10_000, "the group"),
        (None, 3e-6, 3_000, "`memory_limit_gb`"),
        (None, 1.0, LARGEST_MEMORY_SHARE * 10_000, "the group"),
        (2_000, 3e-6, 2_000, "ulimit"),
        (2_000, None, 2_000, "ulimit"),
        (20_000, None, DEFAULT_MEMORY_SHARE * 10_000, "the group"),
    ):
        limit = None if own is None else hardware.Limit(own, "ulimit")
        monkeypatch.setattr(hardware, "process_memory", lambda limit=limit: limit)
        found = budget(EngineConfig(memory_limit_gb=asked))
        assert found.bytes == expected
        assert source in found.source


class Short:
    """Work that succeeds once the cache has given way so often."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            bytearray(TOO_MUCH)
        return "done"


@pytest.mark.parametrize(("times", "kept"), [(0, 8), (1, 4), (2, 0)])
def test_the_cache_gives_way_until_the_work_is_done(times: int, kept: int) -> None:
    cache = Cache(10_000, None)
    for number in range(8):
        cache.keep_picture(f"p{number}", torch.zeros(1, 10, 10))  # 400 bytes
    memory: Any = Memory(None, cache, None, [])  # type: ignore[arg-type]
    assert memory.attempt(Short(times)) == "done"
    assert sum(cache.has_picture(f"p{number}") for number in range(8)) == kept
    cache.resize(10_000)
    assert cache.limit == 10_000 if not times else cache.limit < 3_200  # it will not grow to where memory was missing


def test_when_nothing_helps_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    memory: Any = Memory(None, Cache(0, None), None, [])  # type: ignore[arg-type]
    with pytest.raises(OutOfMemory, match="not enough memory"):
        memory.attempt(Short(3))
    assert "the cache gives way" in caplog.text
    with pytest.raises(ValueError, match="a bug"):
        memory.attempt(lambda: int("a bug"))


STARVE = textwrap.dedent("""
    import asyncio, json, resource, sys
    from dataclasses import replace
    from functools import partial
    from functools import partial
    from pathlib import Path

    import psutil

    from core.engine import EngineConfig
    from core.engine.engine import Engine
    from core.sampling import Sampling
    from tests.core.engine.tiny import ask, make_image, read
    from tests.writing import hang_up, writing

    SMALL, LARGE = Sampling(max_new_tokens=8), Sampling(max_new_tokens=8000)  # rows of 1 KB: LARGE takes 8 MB at once

    def leave(size):
        used = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (used + size, resource.RLIM_INFINITY))

    async def outcome(engine, question, sampling):
        answering = await writing(partial(engine.answer, question, sampling))
        try:
            if not answering.done():
                return "answered"
            return "answered" if (await answering).text else "nothing"
        except Exception as error:
            return type(error).__name__
        finally:
            await hang_up(answering)
            while engine.stats().running:
                await asyncio.sleep(0.01)

    async def main():
        model, cache = sys.argv[1:]
        engine = await Engine.start(EngineConfig(model=model, cache=Path(cache), threads=1, context_tokens=65536))
        said, question = {}, ask("What is it?", make_image(1))
        said["plenty"] = await outcome(engine, question, LARGE)
        for number in range(24):
            pictures = [make_image(1 + number % 3, 256, 256), *(make_image(k, 256, 256) for k in range(4, 10))]
            await outcome(engine, replace(ask(f"Number {number}?", *pictures), id=f"t:{number}"), SMALL)
        said["cached"] = engine.stats().cache_bytes
        leave(2_000_000)
        said["gives way"] = await outcome(engine, question, LARGE)
        said["left"] = engine.stats().cache_bytes
        said["small"] = await outcome(engine, question, SMALL)
        leave(2_000_000)
        said["too large"] = await outcome(engine, ask("And more " * 5000), SMALL)  # 50 MB
        said["beside it"] = await outcome(engine, ask("And that?"), SMALL)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        said["afterwards"] = await outcome(engine, question, LARGE)
        await engine.close()
        print(json.dumps(said))

    asyncio.run(main())
""")


def run(script: str, *words: str, ulimit: str = "ulimit -v unlimited") -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f'{ulimit}; exec "$0" "$@"', sys.executable, "-W", "ignore", "-c", script, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not hold it")
def test_without_memory_the_cache_gives_way_and_only_what_is_too_large_fails(tiny: Path, tmp_path: Path) -> None:
    done = run(STARVE, str(tiny), str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    cached, left = said.pop("cached"), said.pop("left")
    assert said == {
        "plenty": "answered",
        "gives way": "answered",
        "small": "answered",
        "too large": "OutOfMemory",
        "beside it": "answered",
        "afterwards": "answered",
    }
    assert left < cached / 2


START = textwrap.dedent("""
    import asyncio, logging, sys
    from pathlib import Path

    from core.engine import EngineConfig
    from core.engine.engine import Engine
    from core.sampling import Sampling
    from tests.core.engine.tiny import ask, make_image, read

    async def main():
        config = EngineConfig(model=sys.argv[1], cache=Path(sys.argv[2]), threads=1, memory_limit_gb=50.0)
        engine = await Engine.start(config)
        for number in range(3):
            answer, _ = await read(engine, ask("What is it?", make_image(number, 256, 256)), Sampling(max_new_tokens=8))
            print(answer.ending)
        await engine.close()

    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    asyncio.run(main())
""")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not hold it")
@pytest.mark.parametrize(("flag", "kilobytes"), [("-v", 2_000_000), ("-d", 1_200_000)])
def test_a_start_under_ulimit_keeps_to_it(tiny: Path, tmp_path: Path, flag: str, kilobytes: int) -> None:
    done = run(START, str(tiny), str(tmp_path / "cache"), ulimit=f"ulimit {flag} {kilobytes}")
    assert done.returncode == 0, done.stderr
    assert f"`ulimit {flag}`" in done.stdout
    assert done.stdout.count("length") == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not hold it")
def test_a_start_that_ulimit_leaves_no_room_says_so(tiny: Path, tmp_path: Path) -> None:
    done = run(START, str(tiny), str(tmp_path / "cache"), ulimit="ulimit -v 1000000")
    assert done.returncode
    assert "OperatorError" in done.stderr
    assert "Raise `ulimit -v`" in done.stderr


READ = textwrap.dedent("""
    import resource, sys
    from pathlib import Path

    import numpy as np
    import psutil

    from core import hardware
    from core.engine.disk_cache import DiskCache

    folder, size, spare = Path(sys.argv[1]), 64_000_000, int(sys.argv[2])
    disk = DiskCache(folder / "computed", "model", 1 << 40)
    disk.write("rows-1", {"rows": np.arange(9), "values": np.ones(size, np.int8)})
    disk.close()
    disk = DiskCache(folder / "computed", "model", 1 << 40)
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + spare, resource.RLIM_INFINITY))
    try:
        disk.read("rows-1")
    except BaseException as error:
        print(isinstance(error, Exception) and hardware.is_out_of_memory(error))
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(disk.read("rows-1")["values"].sum() == size)
""")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not hold it")
@pytest.mark.parametrize("spare", [2_000_000, 80_000_000, 140_000_000], ids=["not mapped", "not copied", "enough"])
def test_what_is_kept_on_disk_and_finds_no_memory_ends_no_thread_and_stays(tmp_path: Path, spare: int) -> None:
    done = run(READ, str(tmp_path), str(spare))
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"True"}

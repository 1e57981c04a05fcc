"""Forks lives of the service in milliseconds: a process that has imported everything and started nothing.

`python -m tests.chaos.nursery` reads a line of JSON for each life and writes its pid, later how it ended. A life is a
session of its own and runs what `python -m bots …` runs; only its `fate` is not the product's.
"""

import asyncio
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).parents[2]
MODULES = (
    "torch core.engine.engine bots.service bots.web.server rich.console typer bots.telegram.service "
    "bots.slack.service storage.store alembic.command aiosqlite tests.chaos.fate"
).split()
# One thread each, and idle ones that sleep: the lives share the machine with the platforms and everybody else.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}

END_WITH_PARENT = 1  # of prctl(2)


@dataclass(frozen=True)
class Life:
    """`ended` is the exit status, or the negative number of the signal."""

    pid: int
    ended: "asyncio.Future[int]"

    def kill(self, number: int = signal.SIGKILL) -> None:
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self) -> int:
        """How it ended. One who gives up waiting leaves `ended` to others; awaiting it directly would cancel it."""
        return await asyncio.shield(self.ended)


class NurseryEnded(Exception):
    """The nursery's process ended, although nobody had asked it to."""


class Nursery:
    """`async with Nursery() as nursery`; at the end every life is over. `words` are the last lines of their stderr,
    `spilled` those in which one of the `secrets` stands; all of them go to `log`, if there is one.

    If its process is killed, the block is cancelled, whatever it waits for, and raises `NurseryEnded`.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self.words: deque[str] = deque(maxlen=200)
        self.spilled: list[str] = []
        self.log: TextIO | None = None
        self._secrets = secrets
        self._line = asyncio.Lock()

    async def __aenter__(self) -> "Nursery":
        self._lives: dict[int, Life] = {}
        self._born: asyncio.Future[Life] | None = None  # who is being born
        self._owner, self._closing, self._lost = asyncio.current_task(), False, False
        pipe = asyncio.subprocess.PIPE  # for stderr too: a file could not grow on a full disk
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos.nursery", stdin=pipe, stdout=pipe, stderr=pipe,
            cwd=ROOT, env={**os.environ, **ENVIRONMENT}, start_new_session=True,  # Ctrl-C goes to its owner only
        )  # fmt: skip
        self._hearing = asyncio.create_task(self._hear())
        assert self._process.stdout
        if not await self._process.stdout.readline():
            await self._hearing
            raise RuntimeError("nothing can be born here: " + "".join(self.words))
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin and self._owner
        self._closing = True
        self._process.stdin.close()
        await self._process.wait()
        await asyncio.gather(self._listening, self._hearing)
        if self._lost:
            self._owner.uncancel()
            raise self._end()

    async def bear(
        self,
        *words: str,
        fate: dict[str, Any] | None = None,
        out: Path | None = None,
        errors: Path | None = None,
    ) -> Life:
        """`python -m bots` with these words; `out` is where it writes to instead of our `words`, or `errors` for
        stderr. Raises `NurseryEnded`."""
        assert self._process.stdin
        async with self._line:
            if self._listening.done():
                raise self._end()
            self._born = asyncio.get_running_loop().create_future()
            files = [path and str(path) for path in (out, errors or out)]
            self._process.stdin.write(json.dumps([words, fate or {}, *files]).encode() + b"\n")
            return await self._born

    def is_secret(self, line: str) -> bool:
        return any(secret in line for secret in self._secrets)

    async def _hear(self) -> None:
        assert self._process.stderr
        async for line in self._process.stderr:
            self.words.append(line.decode(errors="replace"))
            if self.log:
                self.log.write(self.words[-1])
            if self.is_secret(self.words[-1]):
                self.spilled.append(self.words[-1].strip())

    async def _listen(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            pid, status = json.loads(line)
            if status is None:
                life = self._lives[pid] = Life(pid, asyncio.get_running_loop().create_future())
                assert self._born
                self._born.set_result(life)
            else:
                self._lives.pop(pid).ended.set_result(status)
        for life in self._lives.values():
            life.ended.set_result(-signal.SIGKILL)
        await self._process.wait()
        self._give_up()

    def _give_up(self) -> None:
        """Let nobody wait for what cannot come any more."""
        if self._born and not self._born.done():
            self._born.set_exception(self._end())
        if not self._closing:
            assert self._owner
            self._lost = True
            self._owner.cancel()

    def _end(self) -> NurseryEnded:
        last = self.words[-1].strip() if self.words else "none"
        return NurseryEnded(
            f"The nursery ended with {self._process.returncode}, so nothing can be tried any more; last words: {last}"
        )


def _main() -> None:
    for name in MODULES:
        importlib.import_module(name)
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads; a fork would lose all but one"
    gc.collect()
    gc.freeze()  # so that the lives' collections leave these pages shared
    _say("ready")
    lives: dict[int, int] = {}  # a file descriptor that becomes readable when the process ends -> its pid
    nursery = os.getpid()
    while True:
        readable, _, _ = select.select([0, *lives], [], [])
        for ended in (each for each in readable if each):
            _, status = os.waitpid(lives[ended], 0)
            _say([lives.pop(ended), os.waitstatus_to_exitcode(status)])
            os.close(ended)
        if 0 in readable:
            line = sys.stdin.readline()
            if not line:
                break
            pid = os.fork()
            if not pid:
                _live(nursery, *json.loads(line))
            lives[os.pidfd_open(pid)] = pid
            _say([pid, None])
    for pid in lives.values():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _live(nursery: int, words: Sequence[str], fate: dict[str, Any], out: str | None, errors: str | None) -> None:
    from tests.chaos.fate import meet

    # Nobody may be left to do so when the storm itself is killed; and a life has an end of the nursery's pipes.
    ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != nursery:  # it was killed before that
        os._exit(1)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    if errors:
        os.dup2(_opened(errors), 2)
    os.dup2(_opened(out) if out else 2, 1)  # ours is for pids
    meet(**fate)
    sys.argv = ["bots", *words]
    runpy.run_module("bots", run_name="__main__", alter_sys=True)
    sys.exit()


def _opened(path: str) -> int:
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    _main()

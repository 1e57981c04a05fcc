"""Run jobs on hostile files in a separate process; this module has both ends of its pipes.

The process is a warm Python without torch. It reads a job (a function's name, its options and some bytes) from its
input, and writes the result to its output. The kernel limits its memory and its rights (`core.pictures.confinement`).
Its owner limits its time, and may kill it at any time.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from core.errors import BadImage, BotError, TooLarge
from core.pictures import confinement
from core.pictures.packet import Packet

ADDRESS_SPACE_BYTES = 1 << 30
JOB_MODULES = ("core.pictures.decoder", "core.pictures.pages", "core.pictures.drawing")  # imported before any job
BUSY_TIMES = 6.0  # a job may take so many times its seconds of processor time where others have the processors
LOWEST_NICENESS = 19
MAPPED_BYTES = 1 << 20  # larger blocks are returned to the system at once; by default glibc raises this threshold
EXIT_SECONDS = 2.0  # from the end of a process's output to its exit
KILLED_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT}  # no crash ends like this

ENVIRONMENT = ("PYTHONHOME", "LD_LIBRARY_PATH")  # all that a worker sees; some Pythons do not start without them

_kept: list[str] = []  # rights that this worker could not give up


class Died(Exception):
    """Raised when the process is gone or writes nonsense. `outside` means that it was killed, and not by its job."""

    def __init__(self, reason: str, outside: bool) -> None:
        super().__init__(reason)
        self.outside = outside


class PictureWorker:
    """The owner's end of a worker. Only `end` and `step_back` may be called from other threads."""

    def __init__(self) -> None:
        self.tired = False  # its priority was lowered, and cannot be raised again
        self._process = subprocess.Popen(
            [sys.executable, "-m", "core.pictures.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            env=_environment(),
            start_new_session=True,  # Ctrl-C goes to its owner only
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, job: str, data: bytes, options: dict[str, Any], seconds: float) -> list[Packet]:
        """Run a job, and return its packets. Raises the job's `BotError`, `MemoryError`, and `Died`."""
        try:
            assert self._process.stdin and self._process.stdout
            _write(self._process.stdin, {"job": job, "options": options, "seconds": seconds}, [data])
            header, blobs = _read(self._process.stdout)
            return _result(header, blobs)
        except (BotError, MemoryError):
            raise
        except Exception as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(EXIT_SECONDS if isinstance(error, EOFError | BrokenPipeError) else 0)
            ended = self._process.returncode
            self.close()
            raise Died(repr(error), outside=ended in KILLED_FROM_OUTSIDE) from error

    def end(self) -> None:
        """Kill the process, so that `run` raises `Died`. Thread-safe."""
        self._process.kill()

    def wait(self) -> None:
        """Wait until the process is gone."""
        self._process.wait()

    def step_back(self, niceness: int) -> None:
        """Lower the process's priority for good, by so much; it may be low already, and may not be raised."""
        self.tired = True
        with contextlib.suppress(ProcessLookupError):
            lower = os.getpriority(os.PRIO_PROCESS, self.pid) + niceness
            os.setpriority(os.PRIO_PROCESS, self.pid, min(lower, LOWEST_NICENESS))

    def close(self) -> None:
        if self.alive:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # some bytes may still be unsent
                assert pipe
                pipe.close()


def _environment() -> dict[str, str]:
    """Return the worker's environment, with malloc set to return memory after each picture.

    Each of malloc's arenas takes address space, which is what the limit counts.
    """
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    needed = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    return needed | {"PYTHONPATH": path, "MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(MAPPED_BYTES)}


def _result(header: dict[str, Any], blobs: list[bytes]) -> list[Packet]:
    if header.get("memory"):
        raise MemoryError
    if "bug" in header:
        raise RuntimeError(header["bug"])
    if "error" in header:
        name, sentence, values = header["error"]
        raise {"BadImage": BadImage, "TooLarge": TooLarge}[name](sentence, **values)
    return list(zip(header["parts"], blobs, strict=True))


# A message on a pipe is the header's length, the header as JSON, and the blobs whose sizes the header tells. It is not
# a pickle, because a worker has read hostile bytes and its owner does not trust it.


def _write(pipe: IO[bytes], header: dict[str, Any], blobs: Sequence[bytes]) -> None:
    encoded = json.dumps({**header, "sizes": [len(blob) for blob in blobs]}).encode()
    pipe.write(struct.pack("!I", len(encoded)) + encoded)
    for blob in blobs:
        pipe.write(blob)
    pipe.flush()


def _read(pipe: IO[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    header = json.loads(_exactly(pipe, struct.unpack("!I", _exactly(pipe, 4))[0]))
    return header, [_exactly(pipe, size) for size in header["sizes"]]


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _serve() -> None:
    """Run jobs in the worker until the owner closes the pipe or is gone."""
    os.environ.clear()
    _kept.extend(confinement.confine())
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes only to its pipe
    pipe_in, pipe_out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not become part of the answer
    for module in JOB_MODULES:
        importlib.import_module(module)
    while True:
        try:
            header, blobs = _read(pipe_in)
        except EOFError:
            return
        signal.alarm(int(BUSY_TIMES * header["seconds"]) + 2)  # ends the job if the owner is gone
        _write(pipe_out, *_answer(header, blobs[0]))
        signal.alarm(0)


def _answer(header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    module, _, function = header["job"].partition(":")
    try:
        packets: list[Packet] = getattr(importlib.import_module(module), function)(data, **header["options"])
        return {"parts": [what for what, _ in packets]}, [blob for _, blob in packets]
    except MemoryError:
        return {"memory": True}, []
    except BotError as error:
        return {"error": [type(error).__name__, error.sentence, error.values]}, []
    except Exception:
        return {"bug": traceback.format_exc()}, []


def kept(data: bytes) -> list[Packet]:
    """Return which rights could not be given up. This job is done as soon as the worker is ready."""
    return [({"kept": _kept}, b"")]


if __name__ == "__main__":
    _serve()

"""Processes that decode what strangers send: a decoder that hangs, crashes or eats memory is ended and reported.

A worker is a warm Python without torch. It reads a job (a function's name, its options and some bytes) from its input
and writes the result to its output. It is limited in memory by the kernel, and in time by its owner.
"""

import asyncio
import atexit
import contextlib
import importlib
import json
import logging
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from core.errors import BadImage, BotError, Busy, TooLarge

WORKERS = 2  # decode at the same time; the others wait in line
LINE = 64  # jobs in line; each holds the bytes of a file
MEMORY = 1 << 30  # bytes of address space of one worker
SECONDS = 20.0  # of one job

# What a worker sees of the environment: no tokens. (Each of malloc's arenas is address space, and so is the limit.)
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TMPDIR")

Part = tuple[dict[str, Any], bytes]  # a piece of a job's result: what it is, and its bytes

log = logging.getLogger(__name__)
_threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="decode")
_mine = threading.local()
_started: set["_Worker"] = set()
_line = threading.BoundedSemaphore(WORKERS + LINE)


async def run(job: str, data: bytes, options: dict[str, Any], seconds: float = SECONDS) -> list[Part]:
    """Call `job` ("package.module:function") with the bytes and the options in a worker.

    Raises the `BotError` that the job raised; `TooLarge` when it ran out of memory, `BadImage` when it took too long or
    broke its worker, `Busy` when too many wait.
    """
    if not _line.acquire(blocking=False):
        raise Busy("Too many pictures arrive at once. Please try again in a minute.", retry_after=60)
    future = _threads.submit(_run, job, data, options, seconds)
    future.add_done_callback(lambda _: _line.release())
    return await asyncio.wrap_future(future)


def _run(job: str, data: bytes, options: dict[str, Any], seconds: float) -> list[Part]:
    worker: _Worker | None = getattr(_mine, "worker", None)
    if worker and not worker.alive:  # while it was idle: when a machine runs out of memory, say
        worker.close()
        worker = None
    worker = _mine.worker = worker or _Worker()
    return worker.run(job, data, options, seconds)


class _Worker:
    """The process of one thread of the pool."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "core.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ} | {"MALLOC_ARENA_MAX": "2"},
            start_new_session=True,  # Ctrl-C is its owner's business
        )
        _started.add(self)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, job: str, data: bytes, options: dict[str, Any], seconds: float) -> list[Part]:
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            assert self._process.stdin and self._process.stdout
            _write(self._process.stdin, {"job": job, "options": options, "seconds": seconds}, [data])
            header, blobs = _read(self._process.stdout)
            return _result(header, blobs)
        except BotError:
            raise
        except Exception as error:  # it is gone, or writes nonsense
            self.close()
            log.warning("a decoder was ended: %s", "it took too long" if late.is_set() else repr(error))
            if late.is_set():
                raise BadImage("This file takes too long to open. A screenshot of it would work.") from error
            if isinstance(error, MemoryError):
                raise TooLarge(
                    "This picture needs too much memory to open. Please send a smaller version of it."
                ) from error
            raise BadImage("This file is damaged in a way I cannot open. A screenshot of it would work.") from error
        finally:
            timer.cancel()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was not sent to it any more
                assert pipe
                pipe.close()
        _started.discard(self)


@atexit.register
def end() -> None:
    """End every worker; the next job starts another."""
    for worker in list(_started):
        worker.close()


def _result(header: dict[str, Any], blobs: list[bytes]) -> list[Part]:
    if header.get("memory"):
        raise MemoryError
    if "bug" in header:
        raise RuntimeError(header["bug"])
    if "error" in header:
        name, sentence, values = header["error"]
        raise {"BadImage": BadImage, "TooLarge": TooLarge}[name](sentence, **values)
    return list(zip(header["parts"], blobs, strict=True))


# A message on a pipe: the header's length, the header as JSON, and the blobs whose sizes it tells. No pickle: a worker
# has touched hostile bytes, and its owner does not trust it.


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
    """The worker's side: until the owner closes the pipe, or is gone."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes to its pipe and to no file
    pipe_in, pipe_out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is not part of the answer
    while True:
        try:
            header, blobs = _read(pipe_in)
        except EOFError:
            return
        signal.alarm(int(header["seconds"]) + 2)  # if the owner is gone, nobody else would end this
        _write(pipe_out, *_answer(header, blobs[0]))
        signal.alarm(0)


def _answer(header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    module, _, function = header["job"].partition(":")
    try:
        parts: list[Part] = getattr(importlib.import_module(module), function)(data, **header["options"])
        return {"parts": [what for what, _ in parts]}, [blob for _, blob in parts]
    except MemoryError:
        return {"memory": True}, []
    except BotError as error:
        return {"error": [type(error).__name__, error.sentence, error.values]}, []
    except Exception:
        return {"bug": traceback.format_exc()}, []


if __name__ == "__main__":
    _serve()

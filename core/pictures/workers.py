"""Run the processes that decode strangers' files, and the threads that give them their jobs.

A decoder that hangs, crashes or takes too much memory is killed and reported. `core.pictures.decoding_queue` decides
the order. Two quick workers try every job first. One slow worker, with the lowest priority, repeats jobs that had to
give way. What a job may take is counted in processor time, because a model may have the processors meanwhile.
"""

import asyncio
import atexit
import contextlib
import logging
import sys
import threading
import time
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from enum import Enum, auto
from io import BytesIO
from typing import IO, Any

import psutil

from core import work_context
from core.errors import BadImage, Busy, TooLarge
from core.pictures.decoding_queue import QUICK_SECONDS, DecodingJob, DecodingQueue, too_many
from core.pictures.packet import Packet
from core.pictures.spool import contents, size
from core.pictures.worker import BUSY_TIMES, LOWEST_NICENESS, Died, PictureWorker

__all__ = ["Packet", "end", "run", "warm"]

QUICK_WORKERS = 2
JOB_SECONDS = 20.0  # of processor time
TIRED_NICENESS = 10  # of a quick worker whose job is slow: a third of the weight of the model's threads
WATCH_SECONDS = 0.1  # between two checks of how long each job takes
START_SECONDS = 60.0  # longest start of a worker

log = logging.getLogger(__name__)


class _Verdict(Enum):
    """Why a job's worker was killed."""

    LATE = auto()
    GONE = auto()  # the caller cancelled it
    GIVES_WAY = auto()


@dataclass(slots=True, eq=False, kw_only=True)
class _Job(DecodingJob):
    call: tuple[str, IO[bytes], dict[str, Any], float]  # arguments of `run`, with a file for the bytes
    future: "Future[list[Packet]]"
    worked_s: float = 0.0  # processor time of its worker before it
    worker: PictureWorker | None = None
    verdict: _Verdict | None = None
    again: bool = False  # its worker was killed from outside once


async def run(
    job: str, data: bytes | IO[bytes], options: dict[str, Any], seconds: float = JOB_SECONDS, slow: bool = False
) -> list[Packet]:
    """Run `job` ("package.module:function") with the bytes and options in a worker, for `work_context.current()`.

    A job may take so many `seconds` of processor time, and `BUSY_TIMES` as long in all. One known to be `slow` leaves
    the quick workers to others. Raises the `BotError` that the job raised, `TooLarge` when it ran out of memory,
    `BadImage` when it took too long or crashed its worker, and `Busy` when too many wait or workers are killed from
    outside. Cancelling it drops the job.
    """
    who, now, future = work_context.current(), time.monotonic(), Future[list[Packet]]()
    file = BytesIO(data) if isinstance(data, bytes) else data
    call = (job, file, options, seconds)
    _pool.put(_Job(who.person, size(file), min(who.arrived, now), now, slow, call=call, future=future))
    return await asyncio.wrap_future(future)


async def warm() -> None:
    """Start the workers and wait until they are ready, so that the first picture does not have to wait."""
    await asyncio.to_thread(_pool.start)


def end() -> None:
    """Kill every worker. The next job starts another."""
    _pool.end()


class _Pool:
    """The threads and processes. They start with the first job, or with `start`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: DecodingQueue[_Job] = DecodingQueue()
        self._workers: set[PictureWorker] = set()
        self._spare: PictureWorker | None = None  # replaces a killed worker at once
        self._ready = 0
        self._threads: list[threading.Thread] = []
        self._closing = False

    def put(self, job: _Job) -> None:
        with self._changed:
            for left in self._jobs.add(job):
                _settle(left, too_many())
            job.future.add_done_callback(lambda _: self._drop(job))
            self._begin()
            self._changed.notify_all()

    def start(self) -> None:
        with self._changed:
            self._begin()
            if not self._changed.wait_for(lambda: self._ready >= QUICK_WORKERS, START_SECONDS):
                log.warning("picture workers have not started yet")

    def end(self) -> None:
        for worker in list(self._workers):
            worker.end()
            worker.wait()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for worker in list(self._workers):
            worker.close()

    def _begin(self) -> None:
        if self._threads:
            return
        work = [
            threading.Thread(target=self._work, args=(index >= QUICK_WORKERS,)) for index in range(QUICK_WORKERS + 1)
        ]
        self._threads = [*work, threading.Thread(target=self._watch)]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def _drop(self, job: _Job) -> None:
        with self._changed:
            if job in self._jobs.waiting:
                self._jobs.waiting.remove(job)

    # In a thread of each worker

    def _work(self, slow: bool) -> None:
        worker = None if slow else self._new()
        if worker is not None:
            self._warm_up(worker)
        while (job := self._take(slow)) is not None:
            if worker is None or not worker.alive or (worker.tired and not slow):
                worker = self._replace(worker)
                _wait_until_ready(worker)
            if slow:
                worker.step_back(LOWEST_NICENESS)
            with self._changed:
                job.worker, job.began, job.worked_s = worker, time.monotonic(), _processor_seconds(worker)
            self._do(job, worker)

    def _warm_up(self, worker: PictureWorker) -> None:
        kept = ", ".join(_wait_until_ready(worker))
        with self._changed:
            if kept and not self._ready:
                log.warning("picture workers are not confined as SECURITY.md says: here they keep %s", kept)
            self._ready += 1
            self._changed.notify_all()

    def _take(self, slow: bool) -> _Job | None:
        with self._changed:
            while not self._closing:
                if (job := self._jobs.next(slow, time.monotonic())) is not None:
                    return job
                self._changed.wait()
        return None

    def _do(self, job: _Job, worker: PictureWorker) -> None:
        outcome: list[Packet] | BaseException | None
        try:
            name, file, options, seconds = job.call
            outcome = worker.run(name, contents(file), options, seconds)
        except MemoryError:
            outcome = TooLarge("This picture needs too much memory to open. Please send a smaller version of it.")
        except Died as died:
            outcome = _outcome(job, died)
        except BaseException as error:
            outcome = error
        with self._changed:
            self._jobs.ended(job, time.monotonic())
            if outcome is None and not job.future.done():
                job.worker, job.verdict, job.queued = None, None, time.monotonic()
                self._jobs.waiting.append(job)
            self._changed.notify_all()
        if outcome is not None:
            _settle(job, outcome)

    def _replace(self, worker: PictureWorker | None) -> PictureWorker:
        if worker is not None:
            self._close(worker)
        with self._changed:
            spare, self._spare = self._spare, None
            self._changed.notify_all()
        if spare is not None and spare.alive:
            return spare
        return self._new()

    def _new(self) -> PictureWorker:
        with self._changed:
            if self._closing:
                sys.exit()  # ends this thread only
            worker = PictureWorker()
            self._workers.add(worker)
            return worker

    def _close(self, worker: PictureWorker) -> None:
        worker.close()
        with self._changed:
            self._workers.discard(worker)

    # In a thread of its own

    def _watch(self) -> None:
        """Kill jobs that take too long, that were cancelled, or that must give way."""
        while not self._closing:
            if self._spare is None or not self._spare.alive:
                self._spare = self._new()
            with self._changed:
                if self._jobs.running or self._jobs.waiting:
                    self._changed.wait(WATCH_SECONDS)
                else:
                    self._changed.wait()
                self._look(time.monotonic())

    def _look(self, now: float) -> None:
        for job in self._jobs.overdue(now):
            _settle(job, too_many())
        for job in self._jobs.running:
            age = now - job.began
            if _is_late(job, age):
                _end(job, _Verdict.LATE)
            elif age > QUICK_SECONDS and job.future.cancelled():
                _end(job, _Verdict.GONE)
            elif age > QUICK_SECONDS and job.worker and not job.worker.tired:
                job.worker.step_back(TIRED_NICENESS)
        if sum(not job.slow for job in self._jobs.running) >= QUICK_WORKERS and (giving := self._jobs.gives_way(now)):
            _end(giving, _Verdict.GIVES_WAY)


def _wait_until_ready(worker: PictureWorker) -> list[str]:
    """Wait for the start of a worker, which counts as no time of its first job. Return which rights it keeps."""
    too_late = threading.Timer(START_SECONDS, worker.end)
    too_late.daemon = True  # the program's end does not wait for it
    too_late.start()
    try:
        [(said, _)] = worker.run("core.pictures.worker:kept", b"", {}, START_SECONDS)
    except Died:  # the first job will report it
        return []
    finally:
        too_late.cancel()
    kept: list[str] = said["kept"]
    return kept


def _is_late(job: _Job, age: float) -> bool:
    seconds = job.call[3]
    if age <= seconds or job.worker is None:
        return False
    return age > BUSY_TIMES * seconds or _processor_seconds(job.worker) - job.worked_s > seconds


def _processor_seconds(worker: PictureWorker) -> float:
    """Return the processor time that a worker has used since its start, or 0 if it is gone."""
    try:
        used = psutil.Process(worker.pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system)


def _end(job: _Job, verdict: _Verdict) -> None:
    if job.verdict is None and job.worker is not None:
        job.verdict = verdict
        job.worker.end()


def _outcome(job: _Job, died: Died) -> BaseException | None:
    """Return the error for a job whose worker is gone, or None to run the job once more."""
    if job.verdict is _Verdict.GIVES_WAY:
        job.slow = True
        return None
    if job.verdict is _Verdict.GONE:
        return died
    if job.verdict is _Verdict.LATE:
        log.warning("a picture worker was killed: it took too long")
        return BadImage("This file takes too long to open. A screenshot of it would work.")
    log.warning("a picture worker was killed: %s", died)
    if not died.outside:
        return BadImage("This file is damaged in a way I cannot open. A screenshot of it would work.")
    if job.again:
        return Busy("Opening pictures failed on my side, not because of your file. Please try again in a minute.", 60)
    job.again = True
    return None


def _settle(job: _Job, outcome: list[Packet] | BaseException) -> None:
    with contextlib.suppress(InvalidStateError):  # the caller stopped waiting
        if isinstance(outcome, BaseException):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)


_pool = _Pool()
atexit.register(_pool.close)

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from core import work_context
from core.errors import BadImage, BotError, Busy, TooLarge
from core.pictures import decoding_queue, workers
from core.pictures.decoding_queue import LEAST_JOB_BYTES, QUEUED_FILE_BYTES, QUEUED_JOBS_PER_PERSON, QUICK_SECONDS
from core.pictures.worker import PictureWorker

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60.0  # the machine may be busy
OWNER = """
import asyncio, sys
import psutil
from core.pictures import workers
if sys.argv[1] == "warm":
    asyncio.run(workers.warm())
    print(*[child.pid for child in psutil.Process().children() if child.cpu_times().user > 0.05], flush=True)
[_, (what, _)] = asyncio.run(workers.run("tests.core.jobs:echo", b"", {}))
print(what["pid"], flush=True)
if sys.argv[1] == "hang":
    asyncio.run(workers.run("tests.core.jobs:hang", b"", {}, seconds=1))
"""


async def run(job: str, data: bytes = b"", seconds: float = 10.0, **options: object) -> list[workers.Packet]:
    return await workers.run(f"tests.core.jobs:{job}", data, options, seconds)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_job_gets_its_bytes_and_options_and_gives_parts_back() -> None:
    data = os.urandom(3_000_000)
    (what, same), (_, nothing) = await run("echo", data, name="图", number=2)
    assert (what, same, nothing) == ({"name": "图", "number": 2}, data, b"")


async def test_a_worker_stays_warm() -> None:
    pids = {(await run("echo"))[1][0]["pid"] for _ in range(8)}
    assert len(pids) <= workers.QUICK_WORKERS
    assert os.getpid() not in pids


async def test_the_start_of_a_worker_is_no_time_of_its_first_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it takes a second, each new worker would have been given up for its successor, which starts as slowly."""
    (tmp_path / "sitecustomize.py").write_text(f"import time\ntime.sleep({QUICK_SECONDS + 0.5})")
    await workers.warm()
    monkeypatch.syspath_prepend(tmp_path)
    workers.end()
    assert len({(await run("echo"))[1][0]["pid"] for _ in range(8)}) <= workers.QUICK_WORKERS


@pytest.mark.parametrize(
    ("job", "error", "words"),
    [
        ("hang", BadImage, "takes too long"),
        ("eat", TooLarge, "too much memory"),
        ("crash", BadImage, "damaged"),
        ("babble", BadImage, "damaged"),
        ("stumble", BadImage, "damaged"),
        ("refuse", TooLarge, "7 is too large"),
    ],
)
async def test_a_job_that_misbehaves_is_ended_and_reported(job: str, error: type[BotError], words: str) -> None:
    with pytest.raises(error, match=words):
        await run(job, seconds=1.0 if job == "hang" else 10.0)
    assert (await run("echo", b"still here"))[0][1] == b"still here"


async def test_a_worker_that_dies_while_it_is_idle_is_replaced_and_leaves_no_pipe_open() -> None:
    def pipes() -> int:
        """Count the open files, without the two pipes of each living worker: how many live differs."""
        return len(os.listdir("/proc/self/fd")) - 2 * sum(worker.alive for worker in list(workers._pool._workers))

    first = {(await run("echo"))[1][0]["pid"] for _ in range(8)}
    before = pipes()
    for pid in first:
        os.kill(pid, signal.SIGKILL)
        psutil.Process(pid).wait(PATIENCE_SECONDS)
    second = {(await run("echo"))[1][0]["pid"] for _ in range(8)}
    assert not first & second
    async with asyncio.timeout(60):
        while pipes() > before:  # a job is what makes a thread notice that its worker is dead
            await run("echo")


async def test_a_worker_sees_no_secrets_and_writes_no_files(tmp_path: Path) -> None:
    os.environ["SOME_TOKEN"] = "secret"
    try:
        workers.end()
        [(environment, _)] = await run("environment")
    finally:
        del os.environ["SOME_TOKEN"]
    assert environment == {}
    pids = [(await run("echo"))[1][0]["pid"] for _ in range(4)]
    for pid in pids:
        assert b"SOME_TOKEN" not in await asyncio.to_thread(Path(f"/proc/{pid}/environ").read_bytes)
    with pytest.raises(BadImage):
        await run("write", b"data", path=str(tmp_path / "file"))
    assert not await asyncio.to_thread((tmp_path / "file").exists)


async def test_what_a_large_picture_took_is_given_back_before_the_next_one() -> None:
    [(what, _)] = await run("take_and_free", megabytes=25)
    assert what["more"] < 5


async def test_a_job_has_its_seconds_though_a_model_has_the_processors_meanwhile() -> None:
    """A file that would be open after a second is not called bad because the machine is busy."""
    assert await workers.run("tests.core.jobs:sleep", b"", {"seconds": 3}, 2) == []
    with pytest.raises(BadImage, match="takes too long"):
        await workers.run("tests.core.jobs:sleep", b"", {"seconds": 600}, 0.2)


@pytest.mark.parametrize(("before", "after"), [(3, 13), (12, 19)])
def test_a_worker_that_steps_back_gets_a_lower_priority_also_where_the_service_has_a_low_one(
    before: int, after: int
) -> None:
    """Without root nobody may raise a priority: a fixed one would fail where the service has a lower one."""
    worker = PictureWorker()
    try:
        os.setpriority(os.PRIO_PROCESS, worker.pid, os.getpriority(os.PRIO_PROCESS, worker.pid) + before)
        expected = min(19, os.getpriority(os.PRIO_PROCESS, 0) + after)
        worker.step_back(workers.TIRED_NICENESS)
        assert os.getpriority(os.PRIO_PROCESS, worker.pid) == expected
    finally:
        worker.close()


async def test_a_job_that_does_not_read_its_input_is_ended_too() -> None:
    await run("echo")
    jobs = [run("hang", os.urandom(5_000_000), seconds=0.5) for _ in range(workers.QUICK_WORKERS)]
    for ended in await asyncio.gather(*jobs, return_exceptions=True):
        assert isinstance(ended, BadImage)
        assert "too long" in str(ended)


async def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BadImage):
        await run("stumble")
    assert "ZeroDivisionError" in caplog.text


class Slow:
    """Jobs that last until `release`. Each belongs to a person, and its worker has its number as its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: set[str] = set()
        self.tasks: list[asyncio.Task[list[workers.Packet]]] = []

    def add(self, person: str, count: int = 1) -> None:
        for _ in range(count):
            number = len(self.tasks)
            self.tasks.append(asyncio.create_task(of(person and f"{self._folder} {person}", self._run(number))))

    def release(self) -> None:
        (self._folder / "go").touch()

    @property
    def at_work(self) -> dict[str, int]:
        """The process of each job that runs, by the job's name."""
        found = {_name(child): child.pid for child in psutil.Process().children()}
        return {name: pid for name, pid in found.items() if name.startswith("slow ")}

    @property
    def begun(self) -> int:
        """How many have ever begun, as far as somebody looked; none is ended so soon that it is missed."""
        self._seen.update(self.at_work)
        return len(self._seen)

    async def _run(self, number: int) -> list[workers.Packet]:
        return await run("until", seconds=60, name=f"slow {number}", path=str(self._folder / "go"))


@contextmanager
def no_job_gives_way() -> Iterator[None]:
    """Where a worker takes more than a second to start, the first job would be old before the second one begins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding_queue, "QUICK_SECONDS", 600.0)
        yield


async def of(person: str, work: Coroutine[Any, Any, Any]) -> Any:
    work_context.set_current(person)
    return await work


async def test_too_many_jobs_are_refused_and_the_others_done(tmp_path: Path) -> None:
    slow, more = Slow(tmp_path), 2 * workers.QUICK_WORKERS
    slow.add("", workers.QUICK_WORKERS)
    await until(lambda: slow.begun == workers.QUICK_WORKERS)
    slow.add("", QUEUED_FILE_BYTES // LEAST_JOB_BYTES + more)
    await until(lambda: any(task.done() for task in slow.tasks))
    slow.release()
    results = await asyncio.gather(*slow.tasks, return_exceptions=True)
    refused = [result for result in results if not isinstance(result, list)]
    assert {type(result) for result in refused} == {Busy}
    assert 0 < len(refused) <= more  # a job that gives way makes room for another


async def test_a_person_whose_files_are_slow_keeps_nobody_waiting(tmp_path: Path) -> None:
    slow = Slow(tmp_path)
    slow.add("a", 12)
    await until(lambda: slow.begun >= workers.QUICK_WORKERS)
    for person in ("b", "c", "d"):
        assert (await of(person, run("echo", b"mine")))[0][1] == b"mine"
    assert not any(task.done() for task in slow.tasks)
    slow.release()
    assert len(await asyncio.gather(*slow.tasks)) == 12, "they are done later"


async def test_many_people_whose_files_are_slow_keep_nobody_waiting(tmp_path: Path) -> None:
    slow = Slow(tmp_path)
    for number in range(6):
        slow.add(f"slow {number}")
    await until(lambda: slow.begun >= workers.QUICK_WORKERS)
    for person in ("b", "c", "d"):
        assert (await of(person, run("echo", b"mine")))[0][1] == b"mine"
    slow.release()
    await asyncio.gather(*slow.tasks)


async def test_one_person_can_have_only_so_many_jobs_in_line(tmp_path: Path) -> None:
    slow = Slow(tmp_path)
    with no_job_gives_way():
        slow.add("a", workers.QUICK_WORKERS)
        await until(lambda: slow.begun == workers.QUICK_WORKERS)
        slow.add("a", QUEUED_JOBS_PER_PERSON + 5)
        await until(lambda: sum(task.done() for task in slow.tasks) == 5)
    assert await of("b", run("echo"))
    slow.release()
    results = await asyncio.gather(*slow.tasks, return_exceptions=True)
    assert [type(result) for result in results[-5:]] == [Busy] * 5
    assert all(isinstance(result, list) for result in results[:-5])


async def test_jobs_that_nobody_waits_for_are_dropped(tmp_path: Path) -> None:
    slow = Slow(tmp_path)
    with no_job_gives_way():
        slow.add("a", 10)
        await until(lambda: slow.begun == workers.QUICK_WORKERS)
        for task in slow.tasks:
            task.cancel()
        await asyncio.gather(*slow.tasks, return_exceptions=True)
    next_one = asyncio.create_task(of("a", run("echo")))
    await until(lambda: slow.begun > workers.QUICK_WORKERS or next_one.done())
    assert await next_one, "those that ran are ended"
    assert slow.begun == workers.QUICK_WORKERS, "those that waited never begin"


async def test_a_worker_that_is_ended_from_outside_does_its_job_once_more(tmp_path: Path) -> None:
    slow = Slow(tmp_path)
    slow.add("a")
    await until(lambda: slow.begun == 1)
    kill_workers(slow)
    slow.release()
    assert await slow.tasks[0]


async def test_a_worker_that_is_ended_again_and_again_is_not_called_the_files_fault(tmp_path: Path) -> None:
    slow = Slow(tmp_path)
    slow.add("a")
    for _ in range(2):
        await until(lambda: slow.at_work)
        kill_workers(slow)
    with pytest.raises(Busy, match="not because of your file"):
        await slow.tasks[0]


def kill_workers(slow: Slow) -> None:
    """Those at work, as a machine without memory does."""
    for pid in slow.at_work.values():
        os.kill(pid, signal.SIGKILL)
        while _runs(pid):
            time.sleep(0.01)


async def test_a_caller_who_leaves_takes_no_place_for_ever() -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(workers.run("tests.core.jobs:sleep", b"", {"seconds": 600}, 600), 0.05)
    assert await run("echo")


async def test_the_event_loop_goes_on_while_a_worker_works(tmp_path: Path) -> None:
    slow = Slow(tmp_path)
    slow.add("")
    await until(lambda: slow.at_work)
    slow.release()
    assert await slow.tasks[0]


def test_workers_are_warm_before_the_first_job() -> None:
    with owner("warm") as process:
        assert process.stdout
        warm, did = process.stdout.readline().split(), process.stdout.readline().strip()
        process.communicate()
    assert did in warm
    assert len(warm) >= workers.QUICK_WORKERS


def owner(what: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", OWNER, what]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_program_with_warm_workers_ends_cleanly() -> None:
    with owner("end") as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert not psutil.pid_exists(int(out))


def test_no_worker_outlives_a_killed_owner_for_long() -> None:
    with owner("hang") as process:
        assert process.stdout
        pids = [int(process.stdout.readline())]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(pids) < 2 and time.monotonic() < deadline:  # whichever of the pool's workers hangs
            pids = [child.pid for child in psutil.Process(process.pid).children()]
            if any(psutil.Process(pid).cpu_times().user > 0.3 for pid in pids):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline + PATIENCE_SECONDS:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in pids)


def _name(process: psutil.Process) -> str:
    """Return the name of a process, or "" for one that ends just now."""
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else str(process.name())
    except psutil.NoSuchProcess:
        return ""


def _runs(pid: int) -> bool:
    try:
        status = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return False
    return bool(status != psutil.STATUS_ZOMBIE)  # nobody may be there to bury an orphan


async def test_a_worker_that_does_not_start_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await workers.warm()
    (tmp_path / "sitecustomize.py").write_text("import time\ntime.sleep(3600)")
    with monkeypatch.context() as broken:
        broken.syspath_prepend(tmp_path)
        broken.setattr(workers, "START_SECONDS", 0.2)
        workers.end()
        with pytest.raises(Busy, match="on my side"):
            await run("echo")
    workers.end()
    assert (await run("echo", b"words"))[0][1] == b"words"

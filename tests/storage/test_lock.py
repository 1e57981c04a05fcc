"""Two services on one SQLite database: the second one is refused, and told who has it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import OperatorError
from storage.lock import hold

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from storage.lock import hold
with hold(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def test_a_second_service_is_refused_by_the_name_of_the_first(path: Path) -> None:
    with hold(url(path)):
        with (
            pytest.raises(OperatorError, match=rf"process {os.getpid()} on {socket.gethostname()}\."),
            hold(url(path)),
        ):
            pass
        with hold(url(path.with_name("other.db"))):
            pass
    with hold(url(path)):
        pass


def test_another_way_to_the_same_file_is_no_way_around(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    link = tmp_path / "link"
    link.symlink_to(path.parent)
    monkeypatch.chdir(path.parent)
    for other in (
        url(link / path.name),
        f"sqlite+aiosqlite:///{path.name}",
        f"sqlite+aiosqlite:///../folder/{path.name}",
    ):
        with hold(url(path)), pytest.raises(OperatorError), hold(other):
            pass


def test_a_crash_leaves_no_lock_behind(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, url(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with pytest.raises(OperatorError, match=f"process {first.pid} on "), hold(url(path)):
            pass
        first.kill()
        first.wait()
    with hold(url(path)):
        assert str(os.getpid()) in path.with_name("answers.db.lock").read_text("utf-8")


def test_a_lock_file_that_nobody_can_read_is_no_obstacle(path: Path) -> None:
    path.parent.mkdir()
    lock = path.with_name("answers.db.lock")
    lock.write_bytes(b"\xff\xfe nonsense " * 1000)
    with hold(url(path)):
        assert lock.read_text("utf-8") == f"{socket.gethostname()} {os.getpid()}\n"


@pytest.mark.parametrize("address", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "postgresql+asyncpg://h/x"])
def test_databases_that_are_no_file_are_not_locked(address: str) -> None:
    with hold(address), hold(address):
        pass


def test_a_folder_that_cannot_be_written_is_explained() -> None:
    with pytest.raises(OperatorError, match="folder"), hold("sqlite+aiosqlite:////proc/answers.db"):
        pass

"""The commands that keep the database, as an operator types them."""

import asyncio
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bots.cli import backup
from storage.copying import Progress
from storage.store import Store, StoreConfig
from tests.bots.cli.command import told
from tests.storage.filled import fill, rows

ROOT = Path(__file__).parents[3]


def run(*words: str, environment: Mapping[str, str] = {}) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bots", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment})


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    path = tmp_path / "answers.db"
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}", ratings=True))
    await fill(store)
    await store.close()
    return path


def config(database: Path) -> dict[str, str]:
    return {
        "PA_STORAGE_URL": f"sqlite+aiosqlite:///{database}",
        "PA_CORE_ENGINE_MODEL": "Qwen/Qwen3-VL-2B-Instruct",
        "HF_HOME": str(database.parent / "hub"),
    }


def test_a_backup_says_what_is_in_it_and_restores(database: Path, tmp_path: Path) -> None:
    ref = database.parent / "hub/hub/models--Qwen--Qwen3-VL-2B-Instruct/refs/picture-answers"
    ref.parent.mkdir(parents=True)
    ref.write_text("89644892e4d85e24eaac8bacfd4f463576704203", "utf-8")
    file = tmp_path / "backup"
    made = run("backup", str(file), environment=config(database))
    assert made.returncode == 0
    assert "(conversations: 2, answers: 4, pictures: 4)" in made.stderr
    restored = run("restore", str(file), environment=config(tmp_path / "new" / "answers.db"))
    assert restored.returncode == 0
    assert "back, and each row was compared (conversations: 2, answers: 4, pictures: 4)" in restored.stderr
    assert "python -m bots model fetch Qwen/Qwen3-VL-2B-Instruct --revision 89644892e4d85e24" in restored.stderr
    assert rows(tmp_path / "new" / "answers.db") == rows(database)


def test_a_copy_goes_from_one_address_to_another(database: Path, tmp_path: Path) -> None:
    new = tmp_path / "copy.db"
    copied = run("copy-database", f"sqlite+aiosqlite:///{database}", f"sqlite+aiosqlite:///{new}")
    assert copied.returncode == 0
    assert "each row was compared (conversations: 2, answers: 4, pictures: 4). Set url in [storage]" in copied.stderr
    assert rows(new) == rows(database)


def test_what_cannot_be_done_is_one_sentence_and_status_2(database: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("something", "utf-8")
    for words, sentence in (
        (("backup", str(taken)), "exists already"),
        (("backup", str(tmp_path / "no" / "folder")), "cannot be written: No such file or directory"),
        (("restore", str(taken)), "is not a backup that this program made"),
        (("restore", str(tmp_path / "none")), "cannot be read: No such file or directory"),
        (("copy-database", "nonsense", "postgresql+asyncpg://h/x"), "not a database address"),
    ):
        refused = told(*words, environment=config(database))
        assert refused.exit_code == 2, words
        assert sentence in refused.stderr
        assert "Traceback" not in refused.stderr
    assert taken.read_text("utf-8") == "something"


def test_a_terminal_shows_how_far_it_is(database: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bots", "backup", str(tmp_path / "b")]
    environment = {**os.environ, **config(database), "TERM": "xterm"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=theirs, stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # how Linux tells the end of a terminal
            pass
        os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"(Copying|Comparing|Checking) [a-z_]+.*\d+/\d+", shown)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_work_between_two_statements(number: signal.Signals) -> None:
    """With the first row that is told after it; what was begun ends as it must."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
    steps = []

    async def work(progress: Progress) -> None:
        steps.append("begun")
        os.kill(os.getpid(), number)
        await asyncio.sleep(0.05)
        steps.append("ended a statement")
        try:
            while True:
                await asyncio.sleep(0)
                progress("Copying", 1, 2)
        finally:
            await asyncio.sleep(0.05)
            steps.append("rolled back")

    try:
        with pytest.raises((asyncio.CancelledError, KeyboardInterrupt)):
            asyncio.run(backup.work_off(work))
    finally:
        signal.signal(signal.SIGINT, before)
    assert steps == ["begun", "ended a statement", "rolled back"]


@pytest.mark.parametrize("words", [["backup"], ["restore"], ["copy-database"]])
def test_help_says_what_a_command_needs(words: list[str]) -> None:
    shown = told(*words, "--help", environment={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "service" in shown.stdout


@pytest.mark.parametrize("words", [["expire"], ["restore"], ["copy-database"]])
def test_help_names_tables_of_the_config_in_their_brackets(words: list[str]) -> None:
    """Rich takes them for its markup."""
    assert "[storage]" in told(*words, "--help", environment={"COLUMNS": "200"}).stdout


def test_a_backup_is_read_by_sqlite_itself(database: Path, tmp_path: Path) -> None:
    run("backup", str(tmp_path / "b"), environment=config(database))
    opened = sqlite3.connect(f"file:{tmp_path / 'b'}?mode=ro&immutable=1", uri=True)
    assert opened.execute("SELECT count(*) FROM turns").fetchone() == (4,)
    assert dict(opened.execute("SELECT name, value FROM backup").fetchall()).keys() == {
        "made", "version", "model", "fingerprint",
    }  # fmt: skip
    opened.close()

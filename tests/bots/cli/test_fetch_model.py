"""`model fetch` with the hub's real library, from a hub on loopback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.model.description import DEMO
from tests.bots.cli.hub import Hub, serve

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[3]
NAME = "Qwen/Qwen3-VL-Small"
OLD, NEW = "a" * 40, "b" * 40
FILES = {
    path.name: path.read_bytes() if path.suffix != ".safetensors" else b"old weights" * 1000
    for path in DEMO.iterdir()
    if path.is_file()
}


@pytest.fixture
def hub() -> Iterator[Hub]:
    commits = {OLD: FILES, NEW: FILES | {"model.safetensors": b"new weights" * 1000}}
    with serve(Hub(NAME, commits, {"main": OLD, "v1": OLD})) as started:
        yield started


def fetch(
    hub: Hub, folder: Path, *words: str, program: str = "-m bots model fetch"
) -> subprocess.CompletedProcess[str]:
    own = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(folder),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
        "HF_HUB_OFFLINE": "0",
    }
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    return subprocess.run(
        [sys.executable, *program.split(), *(words or (NAME,))],
        cwd=ROOT, env=kept | own, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500,
    )  # fmt: skip


def weights(folder: Path) -> bytes:
    """The weights that the product finds under the model's name."""
    script = f"import sys; from core.model.pinned import find; sys.stdout.write(str(find({NAME!r})))"
    own = os.environ | {"HF_HOME": str(folder)}
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=own, capture_output=True, text=True, timeout=500
    )
    return (Path(found.stdout) / "model.safetensors").read_bytes()


def test_the_newest_is_pinned_said_and_stays_until_another_is_named(hub: Hub, tmp_path: Path) -> None:
    first = fetch(hub, tmp_path)
    assert first.returncode == 0, first.stderr
    assert f"{NAME} is here: revision main, commit {OLD}, 7 files, " in first.stderr
    assert f"python -m bots selftest --model {NAME}" in first.stderr
    assert weights(tmp_path) == b"old weights" * 1000
    assert {path.name for path in tmp_path.rglob("README.md")} == set()  # only what is needed

    hub.revisions["main"] = NEW
    again = fetch(hub, tmp_path)
    assert f"revision {OLD}, 7 files" in again.stderr, again.stderr
    assert hub.sent.count("model.safetensors") == 1
    assert weights(tmp_path) == b"old weights" * 1000

    newest = fetch(hub, tmp_path, NAME, "--revision", "main")
    assert f"revision main, commit {NEW}, 7 files" in newest.stderr, newest.stderr
    assert weights(tmp_path) == b"new weights" * 1000

    tag = fetch(hub, tmp_path, NAME, "--revision", "v1")
    assert f"revision v1, commit {OLD}, 7 files" in tag.stderr, tag.stderr
    assert weights(tmp_path) == b"old weights" * 1000


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_that_arrives_damaged_is_named_and_not_kept(hub: Hub, tmp_path: Path, name: str) -> None:
    whole = hub.commits[OLD][name]
    hub.spoilt[name] = whole[:-1] + bytes([whole[-1] ^ 1])
    result = fetch(hub, tmp_path)
    assert result.returncode == 2
    assert f"{name} did not arrive as the hub has it" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "hub" / f"models--{NAME.replace('/', '--')}" / "refs" / "picture-answers").exists()

    hub.spoilt.clear()
    result = fetch(hub, tmp_path)
    assert result.returncode == 0, result.stderr
    assert hub.sent.count(name) == 2
    assert len(hub.sent) == len(set(hub.sent)) + 1  # what was whole is not sent twice


def test_a_revision_or_a_model_that_the_hub_does_not_have_is_refused(hub: Hub, tmp_path: Path) -> None:
    for words in ((NAME, "--revision", "none"), ("Qwen/None",)):
        result = fetch(hub, tmp_path, *words)
        assert result.returncode == 2
        assert "could not be downloaded from huggingface" in result.stderr
        assert "By hand:" in result.stderr
        assert "Traceback" not in result.stderr


def test_a_model_that_was_fetched_before_revisions_were_pinned_is_still_found(hub: Hub, tmp_path: Path) -> None:
    old_product = f"-c from\thuggingface_hub\timport\tsnapshot_download;snapshot_download({NAME!r})"
    words = old_product.split(" ")
    result = fetch(hub, tmp_path, words[1].replace("\t", " "), program=words[0])
    assert result.returncode == 0, result.stderr
    assert weights(tmp_path) == b"old weights" * 1000


@pytest.mark.parametrize("answer", ["n", "y"])
def test_at_a_terminal_the_selftest_is_offered(hub: Hub, tmp_path: Path, answer: str) -> None:
    hub.commits[OLD] = {path.name: path.read_bytes() for path in DEMO.iterdir() if path.is_file()}
    script = """
import runpy, sys
import bots.cli.selftest as own
own.TASKS = own.TASKS[:1]
sys.argv = ["bots", "model", "fetch", *sys.argv[1:]]
runpy.run_module("bots", run_name="__main__", alter_sys=True)
"""
    master, terminal = os.openpty()
    own = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
        "HF_HUB_OFFLINE": "0",
    }
    own["PA_CORE_ENGINE_CACHE"] = str(tmp_path / "cache")
    os.write(master, f"{answer}\n".encode())
    result = subprocess.run(
        [sys.executable, "-c", script, NAME], cwd=ROOT, env=os.environ | own, stdin=terminal, capture_output=True,
        text=True, timeout=500,
    )  # fmt: skip
    os.close(master)
    os.close(terminal)
    assert result.returncode == 0, result.stderr
    assert "Run this self-test now?" in result.stderr
    assert ("1 of 1 answers are right" in result.stdout) == (answer == "y")

"""What a decoder that was taken over may do: nothing to the network, to files, or to its owner."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.pictures import confinement, fonts, seccomp, workers
from core.pictures.seccomp import Code, FilterAction, Instruction
from core.pictures.worker import PictureWorker

ROOT = Path(__file__).parents[3]
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
OWN = 4711  # a process's id
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines")


async def test_whoever_takes_over_a_decoder_gets_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "answers.db"
    await asyncio.to_thread(file.write_text, "words")
    with socket.create_server(("127.0.0.1", 0)) as server:
        options = {"owner": os.getpid(), "file": str(file), "folder": str(tmp_path), "port": server.getsockname()[1]}
        [(errors, _)] = await workers.run("tests.core.jobs:break_out", b"", options)
    assert len(errors) >= 24
    assert [what for what, error in errors.items() if error not in ("EPERM", "EACCES")] == []
    assert await asyncio.to_thread(file.read_text) == "words"


async def test_what_a_decoder_needs_goes_on() -> None:
    font = str(max(fonts.FOLDER.iterdir(), key=lambda path: path.stat().st_size))
    [(found, noise)] = await workers.run("tests.core.jobs:be_useful", b"", {"font": font})
    assert found["font"] > 1000
    assert found["cores"] == os.cpu_count()
    assert len(noise) == 8


@pytest.mark.parametrize("file", ["late.py", "late/__init__.py"])
def test_a_file_that_appears_in_a_folder_of_modules_hides_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Python lists a folder again when it has changed, and a decoder may not list one that is not Python's own."""
    module = tmp_path / file
    module.parent.mkdir(exist_ok=True)
    module.write_text("def job(data): return [({}, data)]")
    monkeypatch.syspath_prepend(tmp_path)
    worker = PictureWorker()
    try:
        worker.run("core.pictures.worker:kept", b"", {}, 60)
        (tmp_path / "answers.db-wal").touch()
        assert worker.run("late:job", b"words", {}, 60) == [({}, b"words")]
    finally:
        worker.close()


async def test_what_could_not_be_taken_from_decoders_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    [(said, _)] = await workers.run("core.pictures.worker:kept", b"", {})
    assert said["kept"] == []
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "network and processes" in confinement.confine()


@pytest.mark.parametrize(
    ("missing", "kept", "refused"),
    [
        (
            "landlock.restrict_to",
            "other files",
            ["connect", "bind", "write the database", "remove the database", "make a file", "a process"],
        ),
        (
            "seccomp.install",
            "network and processes",
            ["connect", "read the database", "write the database", "the owner's environment", "/etc/passwd"],
        ),
    ],
)
def test_each_measure_holds_without_the_other(tmp_path: Path, missing: str, kept: str, refused: list[str]) -> None:
    """Where Landlock is missing, as in older kernels, files can be read and not changed."""
    file = tmp_path / "answers.db"
    file.write_text("words")
    script = f"""
import json, sys
from core.pictures import confinement, landlock, seccomp
from tests.core import jobs
def missing(*_): raise OSError(38, "")
{missing} = missing
kept = confinement.confine()
[(errors, _)] = jobs.break_out(b"", int(sys.argv[1]), sys.argv[2], sys.argv[3], 1, json.loads(sys.argv[4]))
print(json.dumps([kept, errors]))
"""
    with subprocess.Popen(["sleep", "600"]) as owner:
        arguments = [str(owner.pid), str(file), str(tmp_path), json.dumps(refused)]
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        owner.kill()
    assert done.returncode == 0, done.stderr
    told, errors = json.loads(done.stdout)
    assert told == [kept]
    assert [what for what in refused if errors[what] not in ("EPERM", "EACCES")] == []
    assert file.read_text() == "words"


def test_commands_cannot_be_looked_into_by_others_of_the_same_user() -> None:
    """prctl(2) says whether it is so; who may look is the kernel's business, and root may always."""
    script = "import sys; from bots.cli.runner import run_command; import ctypes, asyncio\n"
    script += "async def work(): print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\nrun_command(work)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "0"


@pytest.mark.parametrize("machine", list(seccomp.ARCHITECTURES))
def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    if not HEADERS[machine].is_file():
        pytest.skip("the kernel's headers are not installed")
    column = list(seccomp.ARCHITECTURES).index(machine)
    known = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text("utf-8")))
    calls = {**seccomp.REFUSED, **seccomp.UNKNOWN, **seccomp.ITSELF, "clone": seccomp.CLONE, "seccomp": seccomp.SECCOMP}
    calls |= {name: numbers for name, (numbers, _) in seccomp.OPENING.items()}
    for name, numbers in calls.items():
        if name in known or numbers[column] is None:
            assert str(numbers[column]) == known.get(name, "None"), name


@pytest.mark.parametrize("machine", list(seccomp.ARCHITECTURES))
def test_the_filter_decides_the_same_on_each_processor(machine: str) -> None:
    column = list(seccomp.ARCHITECTURES).index(machine)
    filter_ = seccomp.program(machine, OWN)

    def verdict(number: int | None, *arguments: int, architecture: str = machine) -> int:
        assert number is not None
        data = {0: number, 4: seccomp.ARCHITECTURES[architecture]}
        return decide(filter_, data | {16 + 8 * place: each for place, each in enumerate(arguments)})

    for name, numbers in seccomp.REFUSED.items():
        if numbers[column] is not None:
            assert verdict(numbers[column]) == FilterAction.REFUSE, name
    for name, numbers in seccomp.ITSELF.items():
        assert verdict(numbers[column], OWN) == verdict(numbers[column], 0) == FilterAction.ALLOW, name
        assert verdict(numbers[column], OWN + 1) == verdict(numbers[column], 2**32 - 1) == FilterAction.REFUSE, name
    opened = seccomp.OPENING["openat"][0][column]
    assert verdict(opened, 0, 0, os.O_RDONLY | os.O_CLOEXEC) == FilterAction.ALLOW
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC | os.O_CLOEXEC):
        assert verdict(opened, 0, 0, flags) == FilterAction.REFUSE
    assert verdict(seccomp.CLONE[column], 0x3D0F00) == FilterAction.ALLOW, "a thread"
    assert verdict(seccomp.CLONE[column], 0x1200011) == FilterAction.REFUSE, "a process"
    assert verdict(seccomp.UNKNOWN["clone3"][column]) == FilterAction.UNKNOWN
    read, write = ((0, 63), (1, 64))[0][column], ((0, 63), (1, 64))[1][column]
    assert verdict(read) == verdict(write) == FilterAction.ALLOW
    other = next(each for each in seccomp.ARCHITECTURES if each != machine)
    assert verdict(read, architecture=other) == FilterAction.KILL
    if machine == "x86_64":
        assert verdict(0x40000000 + 41) == FilterAction.REFUSE


def decide(program: list[Instruction], data: dict[int, int]) -> int:
    """As the kernel does."""
    loaded, at = 0, 0
    while True:
        code, if_so, if_not, value = program[at]
        match code:
            case Code.RETURN:
                return value
            case Code.LOAD:
                loaded, at = data.get(value, 0) & 0xFFFFFFFF, at + 1
                continue
            case Code.JUMP_IF_EQUAL:
                holds = loaded == value
            case Code.JUMP_IF_AT_LEAST:
                holds = loaded >= value
            case Code.JUMP_IF_ANY_BIT:
                holds = bool(loaded & value)
        at += 1 + (if_so if holds else if_not)

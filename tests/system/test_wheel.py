"""The wheel in an empty environment: no checkout, no compiler, no network, only what it brings and a local index."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]  # installing takes minutes on a busy machine
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SAMPLE = ROOT / "core" / "demo" / "samples" / "invoice.png"
LOCK = ROOT / "requirements.lock"
CHECK = ROOT / "tests" / "core" / "model" / "check_kernel.c"
ARCHES = {
    "x86_64": ("kernel_amx.so", "kernel_avx2.so", "kernel_avx512.so"),
    "aarch64": ("kernel_neon.so", "kernel_dotprod.so", "kernel_i8mm.so"),
}
MOST_MEGABYTES = 45
TORCH = (ROOT / "requirements-torch.lock").read_text("utf-8").strip()


def call(*command: object, **keywords: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **keywords)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return done  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel for each processor, from a copy of the tracked files."""
    folder = tmp_path_factory.mktemp("wheels")
    source = folder / "source"
    source.mkdir()
    tracked = call("git", "ls-files", "-z", cwd=ROOT).stdout.split("\0")
    call("cp", "--parents", *filter(None, tracked), source, cwd=ROOT)
    found = {}
    for arch in ARCHES:
        call(
            sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, source,
            env=os.environ | {"KERNEL_ARCH": arch},
        )  # fmt: skip
        call("rm", "-r", source / "build")  # or the next one would hold both kernels
        [found[arch]] = folder.glob(f"*{arch}.whl")
    return found


@pytest.fixture(scope="session")
def index() -> Path:
    """A folder with every package that the wheel needs, kept between runs."""
    pinned = hashlib.sha256(LOCK.read_bytes() + TORCH.encode()).hexdigest()[:16]  # one lock's packages in a folder
    folder = ROOT / ".venv" / f"wheelhouse-{pinned}"
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "--find-links", folder]
    if subprocess.run([*map(str, pip), TORCH, "--no-index"], capture_output=True).returncode:
        call(*pip, TORCH, "--index-url", "https://download.pytorch.org/whl/cpu")
    call(*pip, "--require-hashes", "-r", LOCK)
    return folder


def install(folder: Path, index: Path, what: str) -> Path:
    """Make an empty environment with the wheel in it; returns its command."""
    call(sys.executable, "-m", "venv", folder)
    call(folder / "bin" / "pip", "install", "-q", "--no-index", "--find-links", index, what)
    return folder / "bin" / "picture-answers"


def alone(command: Sequence[object], home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of an environment as on a bare machine: nothing else on its PATH, and no network."""
    home.mkdir(exist_ok=True)
    bare = {"PATH": str(Path(str(command[0])).parent), "HOME": str(home), "LANG": "C.UTF-8"}
    words = [sys.executable, HERE / "isolated.py", *command]
    return subprocess.run(
        [str(word) for word in words], cwd=home, env=bare, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path], index: Path) -> Path:
    return install(tmp_path_factory.mktemp("cpu") / "venv", index, f"{wheels[platform.machine()]}[cpu]")


@pytest.fixture(scope="session")
def installed_base(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path], index: Path) -> Path:
    return install(tmp_path_factory.mktemp("base") / "venv", index, str(wheels[platform.machine()]))


@pytest.mark.parametrize("arch", ARCHES)
def test_a_wheel_holds_every_file_and_the_kernel_and_is_small(wheels: dict[str, Path], arch: str) -> None:
    assert wheels[arch].name.endswith(f"-py3-none-manylinux_2_17_{arch}.whl")
    assert wheels[arch].stat().st_size < MOST_MEGABYTES * 1_000_000
    held = set(zipfile.ZipFile(wheels[arch]).namelist())
    tracked = call("git", "ls-files", "bots", "core", "storage", cwd=ROOT).stdout.split()
    notes = {file for file in tracked if file.endswith("NOTES.md")}
    assert not set(tracked) - notes - held
    assert {file for file in held if file.endswith(".so")} == {f"core/model/native/{name}" for name in ARCHES[arch]}
    assert "bots/config.example.toml" in held
    assert not {file for file in held if file.startswith(("tests", "training", "docs"))}


@pytest.mark.parametrize("arch", ARCHES)
def test_a_wheel_keeps_the_promise_of_its_name(wheels: dict[str, Path], arch: str) -> None:
    said = call(sys.executable, "-m", "auditwheel", "show", wheels[arch]).stdout
    assert re.search(rf"consistent\s+with\s+the\s+following\s+platform\s+tag:\s+\"manylinux_2_(5|17)_{arch}\"", said)


@pytest.mark.parametrize(("name", "processor"), [("neon", "cortex-a53"), ("dotprod", "neoverse-n1"), ("i8mm", "max")])
def test_the_kernels_of_the_wheel_for_arm_are_right(
    wheels: dict[str, Path], name: str, processor: str, tmp_path: Path
) -> None:
    for needed in ("aarch64-linux-gnu-gcc", "qemu-aarch64"):
        if not shutil.which(needed):
            pytest.skip(f"NOT TESTED: the wheel's {name} kernel. {needed} is missing: make system-packages")
    kernel = zipfile.ZipFile(wheels["aarch64"]).extract(f"core/model/native/kernel_{name}.so", tmp_path)
    program = tmp_path / "check"
    call("aarch64-linux-gnu-gcc", "-O1", "-rdynamic", CHECK, kernel, "-lm", "-o", program)
    done = call("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-cpu", processor, program, 100, 7)
    assert done.stdout == "100 cases, 0 wrong\n"


def test_the_installed_command_says_its_version_and_gives_the_example_config(installed: Path, tmp_path: Path) -> None:
    assert re.fullmatch(r"picture-answers \d+\.\d+\.\d+\n", alone([installed, "--version"], tmp_path).stdout)
    example = alone([installed, "example-config"], tmp_path).stdout
    assert example == (ROOT / "config.example.toml").read_text("utf-8")


def test_the_doctor_needs_no_compiler_where_the_wheel_has_the_kernel(installed: Path, tmp_path: Path) -> None:
    done = alone([installed, "doctor"], tmp_path)
    assert re.search(r"^ok +processor ", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert done.returncode == 0, done.stdout


def test_the_installed_command_answers_about_a_picture(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[core.engine]\nmodel = "demo"\nprecision = "int8"\n', "utf-8")
    done = alone([installed, "ask", SAMPLE, "What is the total?", "--config", "config.toml"], tmp_path)
    assert done.returncode == 0, done.stderr
    samples = json.loads((SAMPLE.parent / "samples.json").read_text("utf-8"))
    assert done.stdout.strip(), samples
    assert not list(tmp_path.rglob("*.so"))  # nothing was compiled


def test_the_pages_first_load_has_its_pictures_and_its_chinese(installed: Path, tmp_path: Path) -> None:
    done = alone([installed.with_name("python"), HERE / "first_load.py", installed, SAMPLE], tmp_path)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["page"] == 200
    assert re.search("[\u4e00-\u9fff]", seen["chinese"])
    assert {status for status, _ in seen["found"].values()} == {200}
    assert sum(address.endswith((".css", ".js", ".svg")) for address in seen["found"]) >= 3
    assert all(size for _, size in seen["found"].values())
    assert seen["answer"][0] == 200
    assert seen["ready"][0] == 200


def test_the_base_alone_starts_the_page_and_says_what_is_missing(installed_base: Path, tmp_path: Path) -> None:
    bare = installed_base.with_name("python")
    assert subprocess.run([bare, "-c", "import torch"], capture_output=True).returncode == 1
    done = alone([bare, HERE / "first_load.py", installed_base, SAMPLE], tmp_path)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["page"] == 200
    status, body = seen["answer"]
    assert status == 503
    assert body["detail"] == "There is no model on this server yet. The log of the server says what to install."
    assert "pip install 'picture-answers[cpu]'" in seen["log"]


def test_a_platform_that_is_not_installed_is_named_with_its_command(installed_base: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[bots.telegram]\ntoken = "1:x"\n', "utf-8")
    done = alone([installed_base, "run", "--config", "config.toml"], tmp_path)
    assert done.returncode == 2
    assert (
        "[bots.telegram] needs packages that are not installed: pip install 'picture-answers[telegram]'" in done.stderr
    )

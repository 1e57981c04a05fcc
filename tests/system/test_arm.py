"""The kernels for 64-bit ARM, compiled by gcc and clang, run under emulation. Their speed is not known."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core.model.instruction_set import DOTPROD, I8MM, NATIVE, NEON, InstructionSet

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]  # installing takes minutes on a busy machine
CHECK = Path(__file__).parents[1] / "core" / "model" / "check_kernel.c"
LIBRARIES = "/usr/aarch64-linux-gnu"
# The processor on which each instruction set is the newest there is.
PROCESSORS = {"cortex-a53": NEON, "neoverse-n1": DOTPROD, "max": I8MM}
COMPILERS = {
    "gcc": ["aarch64-linux-gnu-gcc", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    # Debian has clang's sanitizers for its own processor alone: without their library a finding ends the program.
    "clang": ["clang", "--target=aarch64-linux-gnu", "-static", "-fsanitize=undefined", "-fsanitize-trap=undefined"],
}


def run(program: Path, processor: str) -> "subprocess.CompletedProcess[str]":
    """Check 100 random shapes on an emulated processor."""
    command = ["qemu-aarch64", "-L", LIBRARIES, "-cpu", processor, str(program), "100", "7"]
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}  # the leak checker needs ptrace
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


@pytest.fixture(params=COMPILERS)
def compiler(request: pytest.FixtureRequest) -> list[str]:
    command = COMPILERS[request.param]
    for needed in (command[0], "aarch64-linux-gnu-gcc", "qemu-aarch64"):  # clang links with gcc's library
        if not shutil.which(needed):
            pytest.skip(f"NOT TESTED: ARM's kernels by {request.param}. {needed} is missing: make system-packages")
    return command


@pytest.mark.parametrize(("processor", "instructions"), PROCESSORS.items(), ids=PROCESSORS)
def test_the_kernels_agree_with_plain_c_and_touch_nothing_beyond_their_ends_on_arm(
    compiler: list[str], processor: str, instructions: InstructionSet, tmp_path: Path
) -> None:
    program = tmp_path / "check"
    sources = [CHECK, *NATIVE.glob("*.c")]
    warnings = ["-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiler, *instructions.flags, "-O1", *warnings, *sources, "-lm", "-o", program], check=True)
    done = run(program, processor)
    assert done.stdout == "100 cases, 0 wrong\n", done.stdout + done.stderr


def test_a_processor_without_the_instructions_is_told_apart(tmp_path: Path) -> None:
    """What the other tests rest on: the emulated processors differ as real ones do."""
    if not shutil.which("aarch64-linux-gnu-gcc") or not shutil.which("qemu-aarch64"):
        pytest.skip("NOT TESTED: ARM's kernels. A cross compiler or qemu is missing: make system-packages")
    program = tmp_path / "check"
    sources = [CHECK, *NATIVE.glob("*.c")]
    subprocess.run(["aarch64-linux-gnu-gcc", *I8MM.flags, "-O2", *sources, "-lm", "-o", program], check=True)
    assert run(program, "max").returncode == 0
    assert "Illegal instruction" in run(program, "neoverse-n1").stderr

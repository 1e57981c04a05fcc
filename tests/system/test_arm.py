"""The kernels for 64-bit ARM, compiled as for the wheel and run under emulation. Their speed is not known."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.model.instruction_set import NATIVE

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]  # installing takes minutes on a busy machine
CHECK = Path(__file__).parents[1] / "core" / "model" / "check_kernel.c"


@pytest.mark.parametrize("processor", ["max", "cortex-a53"])
def test_the_kernels_agree_with_plain_c_on_arm(processor: str, tmp_path: Path) -> None:
    assert shutil.which("qemu-aarch64"), "make test-system installs it (qemu-user)"
    program = tmp_path / "check"
    sources = [str(source) for source in (CHECK, *NATIVE.glob("*.c"))]
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-musl", "-O2", "-static", *sources]
    subprocess.run([*command, "-lm", "-o", str(program)], check=True, timeout=300)
    done = subprocess.run(["qemu-aarch64", "-cpu", processor, program, "300", "7"], capture_output=True, text=True)
    assert done.stdout == "300 cases, 0 wrong\n", done.stdout + done.stderr

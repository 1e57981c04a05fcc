"""The kernels in C: right on random shapes, never beyond their ends, and used only where they agree with torch."""

import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.model import compiler, instruction_set, kernel
from core.model.compiler import Compiler
from core.model.full_attention import FullAttention
from core.model.instruction_set import (
    AMX,
    AVX2,
    AVX512,
    DOTPROD,
    I8MM,
    INSTRUCTION_SETS,
    NATIVE,
    NEON,
    InstructionSet,
    Unavailable,
    available,
)
from core.model.kernel import Kernel, Product, load
from core.model.prologue import GELU, RMSNorm, SwiGLU

KNOWN = INSTRUCTION_SETS.get(platform.machine(), ())
CHECK = Path(__file__).with_name("check_kernel.c")
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# What is fetched ahead is read, so that a sanitizer sees it. Where no memory is, fetching makes no fault, but it took
# 100 ns each time on a Zen 1, and products four times as long.
READ_AHEAD = "-D__builtin_prefetch(address,...)=((void)*(const volatile char*)(address))"


def build(compiler: str, folder: Path, *flags: str) -> Path:
    """Compile the check. With the sanitizers gcc takes four times as long for -O2."""
    program = folder / "check"
    sources = [CHECK, *NATIVE.glob("*.c")]
    subprocess.run([compiler, "-O1", *flags, *sources, "-lm", "-o", program], check=True)
    return program


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    monkeypatch.setattr(kernel, "_loaded", {})


@pytest.fixture(params=KNOWN, ids=lambda each: each.name)
def instructions(request: pytest.FixtureRequest) -> InstructionSet:
    """Each instruction set that this machine has."""
    each: InstructionSet = request.param
    if each not in available():
        needs = " ".join(sorted(each.needs))
        pytest.skip(f"NOT TESTED: the {each.name} kernel. This machine lacks or turns off one of: {needs}")
    return each


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_kernels_agree_with_plain_c_and_touch_nothing_beyond_their_ends(
    instructions: InstructionSet, compiler: str, tmp_path: Path
) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"NOT TESTED: kernels by {compiler}, which is not installed")
    program = build(compiler, tmp_path, *instructions.flags, READ_AHEAD, "-Wall", "-Wextra", "-Werror", *SANITIZERS)
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}  # the leak checker needs ptrace
    done = subprocess.run([program, "60", "7"], capture_output=True, text=True, env=environment)
    assert done.stdout == "60 cases, 0 wrong\n", done.stdout + done.stderr


def test_every_instruction_set_gives_the_same_bits(instructions: InstructionSet, tmp_path: Path) -> None:
    theirs, ours = (Kernel(Compiler().library(tmp_path, each), each) for each in (available()[-1], instructions))
    generator = torch.Generator().manual_seed(7)
    weights = torch.randint(-127, 128, (80, 48), dtype=torch.int8, generator=generator)  # (channels, k)
    for rows in range(1, 40):
        scale, bias = torch.rand(80, generator=generator), torch.randn(80, generator=generator)
        packed = [(each, each.pack(weights).contiguous()) for each in (theirs, ours)]
        for prologue in (None, RMSNorm(torch.rand(48, generator=generator), 1e-6), GELU(), SwiGLU()):
            x = torch.randn(rows, 48 * (prologue.width if prologue else 1), generator=generator)
            products = [(each, Product(panels, scale, bias, 8191.0, prologue)) for each, panels in packed]
            assert torch.equal(*[each.multiply(x, product) for each, product in products]), rows
        keys = torch.randn(2, 2, rows, 32, generator=generator).half()  # keys and values (kv_heads, capacity, dim)
        queries = torch.randn(3, 6, 32, generator=generator)
        seen = torch.tensor([[keys.data_ptr(), rows, rows]] * 3)
        assert torch.equal(*[each.attend(queries, seen, rows, 0, 2) for each in (theirs, ours)]), rows
        q, k, v = torch.randn(3, rows, 2, 32, generator=generator)
        assert torch.equal(*[FullAttention(k, v, each)(q) for each in (theirs, ours)]), rows


@pytest.mark.skipif(platform.machine() != "x86_64", reason="no other processors have AMX")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_amx_is_what_each_compiler_makes_of_its_flags(compiler: str) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"NOT TESTED: {compiler}, which is not installed")
    command = [compiler, *AMX.flags, "-E", str(NATIVE / "linear.c")]
    assert "depth_of" in subprocess.run(command, capture_output=True, text=True, check=True).stdout  # amx.h is in it


def test_a_product_stays_within_the_room_it_is_given(
    instructions: InstructionSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms: list[torch.Tensor] = []  # each with 4 KB behind it that must stay as they are

    def room(kernel: Kernel, size: int) -> torch.Tensor:
        rooms.append(torch.full((size + 1024,), 12345.0))
        return rooms[-1][:size]

    monkeypatch.setattr(Kernel, "_room", room)
    kernel = Kernel(Compiler().library(tmp_path, instructions), instructions)
    weights = kernel.pack(torch.ones(32, 48, dtype=torch.int8)).contiguous()
    product = Product(weights, torch.ones(32), None, 8191.0, RMSNorm(torch.ones(48), 1e-6))
    for rows in range(1, 160):  # 133 are the first whose twelve blocks of twelve lack eleven
        assert torch.allclose(kernel.multiply(torch.ones(rows, 48), product), torch.full((rows, 32), 48.0)), rows
        assert (rooms[-1][-1024:] == 12345.0).all(), rows


def test_the_switch_of_torch_turns_avx512_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    for features, capability, expected in (
        (AMX.needs, "AVX512", [AMX, AVX512, AVX2]),
        (AMX.needs, "AVX2", [AVX2]),
        (AVX512.needs, "AVX512", [AVX512, AVX2]),
    ):
        monkeypatch.setattr(instruction_set, "_features", lambda found=features: found)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda found=capability: found)
        assert available() == expected


# What /proc/cpuinfo says of a Cortex-A72 (Raspberry Pi 4), a Neoverse N1 (the free ARM boxes) and a Neoverse V1.
@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("fp asimd evtstrm crc32 cpuid", [NEON]),
        ("fp asimd evtstrm aes crc32 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp ssbs", [DOTPROD, NEON]),
        ("fp asimd atomics fphp asimdhp sha512 sve asimdfhm dit i8mm bf16 asimddp rng", [I8MM, DOTPROD, NEON]),
    ],
)
def test_each_arm_gets_what_it_has(
    monkeypatch: pytest.MonkeyPatch, features: str, expected: list[InstructionSet]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(instruction_set, "_features", lambda: frozenset(features.split()))
    assert available() == expected


def test_the_openmp_of_another_library_is_found_where_only_that_one_sees_it(tmp_path: Path) -> None:
    """As torch for ARM has it: its runtime is loaded, and hidden from the kernel."""
    names = {"theirs": "-fopenmp", "ours": "-O1"}
    for name, flag in names.items():
        source = "void GOMP_parallel(void (*)(void *), void *, unsigned, unsigned);"
        source += f"void call_{name}(void) {{ GOMP_parallel(0, 0, 0, 0); }}"
        command = ["gcc", "-xc", "-", flag, "-fPIC", "-shared", "-o", str(tmp_path / f"{name}.so")]
        subprocess.run(command, input=source, text=True, check=True)
    program = """
import ctypes, os, sys
from core.model import openmp
ctypes.CDLL("./theirs.so", os.RTLD_NOW)
try:
    ctypes.CDLL("./ours.so", os.RTLD_NOW)
except OSError as error:
    print(error)
openmp.share()
ctypes.CDLL("./ours.so", os.RTLD_NOW)
assert "torch" not in sys.modules
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "undefined symbol: GOMP_parallel" in done.stdout
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize(
    ("flag", "reason"), [("-Dsqrtf=fabsf", "compute different results"), ("-mno-such-thing", "cannot compile")]
)
def test_an_instruction_set_that_does_not_work_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, flag: str, reason: str
) -> None:
    *_, last = available()
    wrong = InstructionSet("WRONG", last.needs, (*last.flags, flag))
    monkeypatch.setitem(INSTRUCTION_SETS, platform.machine(), (wrong, last))
    assert load(tmp_path).instructions is last
    assert "WRONG is not used" in caplog.text and reason in caplog.text


# The kernel gives AMX to no process whose stack for signals cannot hold its registers.
SMALL_STACK = """
import ctypes, logging, sys
from pathlib import Path
from core.model.kernel import load

class Stack(ctypes.Structure):
    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))

room = ctypes.create_string_buffer(8192)
assert ctypes.CDLL(None).sigaltstack(ctypes.byref(Stack(ctypes.addressof(room), 0, len(room))), None) == 0
logging.basicConfig()
print(load(Path(sys.argv[1])).instructions.name)
"""


def test_where_the_system_refuses_amx_the_next_is_used_and_that_is_said(tmp_path: Path) -> None:
    if platform.machine() != "x86_64" or AMX not in available():
        pytest.skip("NOT TESTED: a system that refuses AMX, because this machine has none")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", SMALL_STACK, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == "AVX512\n", done.stderr
    assert len(list(tmp_path.glob("*.so"))) == 2  # both stay, and no later start compiles them again
    assert "AMX is not used" in done.stderr and "the system does not let programs use AMX" in done.stderr


def test_shapes_that_do_not_fit_are_refused_before_anything_is_touched(tmp_path: Path) -> None:
    ours, scale = load(tmp_path), torch.ones(16)
    with pytest.raises(ValueError, match=r"cannot multiply \(1, 24\)"):
        ours.multiply(torch.ones(1, 24), Product(torch.zeros(1, 12, 16, 2, dtype=torch.int8), scale, None, 100.0))
    product = Product(torch.zeros(1, 8, 16, 2, dtype=torch.int8), scale, None, 100.0, SwiGLU())
    for width, residual in ((16, None), (32, torch.ones(2, 16)), (32, torch.ones(1, 32)[:, ::2])):
        with pytest.raises(ValueError, match="cannot multiply"):
            ours.multiply(torch.ones(1, width), product, residual)
    seen = torch.tensor([[torch.zeros(4096).data_ptr(), 8, 5]])
    for heads, dim, kv_heads in ((4, 12, 2), (4, 20, 2), (4, 16, 3)):
        with pytest.raises(ValueError, match="cannot attend"):
            ours.attend(torch.ones(1, heads, dim), seen, 5, 0, kv_heads)


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("attention.c", "1 / sqrtf(dim)", "2 / sqrtf(dim)"),
        ("linear.c", "row_scale[row] = top", "row_scale[row] = 1.000001f * top"),  # products agree bit for bit
        ("prologue.h", "0.044715f", "0.054715f"),
        ("rotary.c", "f8_load(sin + half + i)", "f8_load(sin + i)"),
        ("rotary.c", "job->seen[row][2] - 1)", "job->seen[row][2])"),
    ],
)
def test_a_kernel_that_computes_something_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, right: str, wrong: str
) -> None:
    copy = tmp_path / "native"
    shutil.copytree(NATIVE, copy)
    source = copy / file
    source.write_text(source.read_text("utf-8").replace(right, wrong), "utf-8")
    monkeypatch.setattr(compiler, "SOURCES", sorted(copy.glob("*.[ch]")))
    with pytest.raises(Unavailable, match="compute different results"):
        load(tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.so"))


@pytest.mark.usefixtures("unloaded")
def test_a_built_library_is_used_where_it_is_there_and_needs_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruction_set, "NATIVE", tmp_path)
    last = available()[-1]
    shutil.copy(Compiler().library(tmp_path / "cache", last), last.built)
    monkeypatch.setenv("PATH", "")
    assert load(tmp_path / "nothing").instructions is last
    assert not (tmp_path / "nothing").exists()


def test_without_library_and_compiler_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="apt-get install gcc"):
        load(tmp_path)


def test_on_another_system_the_sentence_says_where_int8_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unavailable, match="need Linux on x86-64 or 64-bit ARM, and this is darwin"):
        load(tmp_path)


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize("spoil", ["written by others", "a link", "somebody else's"])
def test_a_compiled_kernel_that_others_could_have_written_is_not_loaded(tmp_path: Path, spoil: str) -> None:
    cache = tmp_path / "cache"
    load(cache)
    [compiled] = cache.glob("*.so")
    theirs, ours = compiled.stat().st_ino, os.geteuid()
    assert compiled.stat().st_mode & 0o777 == 0o600
    kernel._loaded.clear()
    if spoil == "written by others":
        compiled.chmod(0o666)
    elif spoil == "a link":
        compiled.symlink_to(compiled.rename(tmp_path / compiled.name))
    elif ours == 0:
        os.chown(compiled, 65534, 65534)
    else:
        pytest.skip("only root can give a file away")
    load(cache)
    [found] = cache.glob("*.so")
    assert found.lstat().st_ino != theirs
    assert (found.lstat().st_uid, stat.S_IMODE(found.lstat().st_mode)) == (ours, 0o600)


@pytest.mark.usefixtures("unloaded")
def test_nobody_else_may_put_a_kernel_into_the_folder(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        tmp_path.joinpath("open").mkdir(mode=0o777)
        load(tmp_path / "open")
        kernel._loaded.clear()
        load(tmp_path / "new")
    finally:
        os.umask(before)
    assert tmp_path.joinpath("open").stat().st_mode & 0o022 == 0
    assert tmp_path.joinpath("new").stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("unloaded")
def test_a_folder_of_somebody_else_who_lets_others_write_holds_no_kernel_of_ours(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    tmp_path.joinpath("theirs").mkdir()
    tmp_path.joinpath("theirs").chmod(0o777)
    os.chown(tmp_path / "theirs", 65534, 65534)
    with pytest.raises(Unavailable, match="others may write into"):
        load(tmp_path / "theirs")

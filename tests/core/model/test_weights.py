"""int8 weights on disk: whole ones are mapped, anything else in their place is made anew, with a line in the log."""

import json
import mmap
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.model import kernel as kernels
from core.model.kernel import Kernel, load
from core.model.precision import Precision
from core.model.quantize import LinearFactory
from core.model.tensor_file import TensorFile, read_now

NAME = "layer"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the kernel lies."""
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "_loaded", {})  # so that it is compiled into this folder
        yield load(folder)


def weights() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(96, 64, generator=random), torch.randn(96, generator=random)


def flip(position: int) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[position] ^= 0x10
        path.write_bytes(content)

    return harm


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_text("foreign")


def become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_link(target: str) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return harm


def become_earlier_version(path: Path) -> None:
    """Whole, and without a seal: as weights were kept before there was one."""
    file = TensorFile(path)
    save_file({name: file.map(name).clone() for name in file.names}, path)


def become_anothers(path: Path) -> None:
    save_file({"panels": torch.zeros(3), "scale": torch.zeros(1)}, path, {"seal": "00000000"})


def write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


HARMS: dict[str, Callable[[Path], object]] = {
    "a flipped bit at the end": flip(-1),
    "a flipped bit in the middle": flip(-3000),
    "a flipped bit in the header": flip(30),
    "a flipped bit in the header's length": flip(2),
    "cut off": lambda path: os.truncate(path, 1000),
    "cut off in the header": lambda path: os.truncate(path, 20),
    "empty": lambda path: os.truncate(path, 0),
    "too long": lambda path: os.truncate(path, 100_000),
    "text": write(b"not a tensor file, but long enough to be taken for one" * 10),
    "deep": write((8000).to_bytes(8, "little") + b"[" * 8000),
    "a list": write((2).to_bytes(8, "little") + b"[]"),
    "a folder": become_folder,
    "a pipe": become_pipe,
    "a link to nothing": become_link("/nowhere/at/all"),
    "a link to itself": become_link(f"{NAME}.safetensors"),
    "a link to an endless device": become_link("/dev/zero"),
    "a link to a folder": become_link("/"),
    "an earlier version": become_earlier_version,
    "another's": become_anothers,
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_damaged_weights_are_made_anew_with_a_line_in_the_log(
    kernel: Kernel, tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], object]
) -> None:
    x = torch.randn(3, 64)
    expected = LinearFactory(Precision.INT8, kernel, tmp_path).linear(NAME, weights)(x)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    harm(path)
    assert not caplog.records
    assert torch.equal(LinearFactory(Precision.INT8, kernel, tmp_path).linear(NAME, weights)(x), expected)
    assert f"making int8 weights again: {NAME}.safetensors" in caplog.text
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.is_file() and not path.is_symlink()
    assert path.read_bytes() == whole

    def forbidden() -> tuple[torch.Tensor, torch.Tensor | None]:
        raise AssertionError("made once more")

    assert torch.equal(LinearFactory(Precision.INT8, kernel, tmp_path).linear(NAME, forbidden)(x), expected)


def test_weights_that_nothing_can_be_written_in_place_of_are_made_in_memory(
    kernel: Kernel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    x = torch.randn(3, 64)
    expected = LinearFactory(Precision.INT8, kernel, None).linear(NAME, weights)(x)
    folder = tmp_path / "gone"  # somebody removed the folder after the start
    factory = LinearFactory(Precision.INT8, kernel, folder)
    assert torch.equal(factory.linear(NAME, weights)(x), expected)
    assert torch.equal(factory.linear("other", weights)(x), expected)
    assert caplog.text.count("int8 weights cannot be kept") == 1


def test_the_checksum_is_xxh64(kernel: Kernel) -> None:
    assert kernel.checksum(b"") == 0xEF46DB3751D8E999
    assert kernel.checksum(b"a") == 0xD24EC4F1A98C6E5B
    text = b"Nobody inspects the spammish repetition"
    assert kernel.checksum(text) == 0xFBCEA83C8A378BF1
    assert kernel.checksum(torch.tensor(list(text), dtype=torch.uint8)) == 0xFBCEA83C8A378BF1
    assert kernel.checksum(text, 1) != kernel.checksum(text)


def test_what_a_killed_process_left_unfinished_goes(kernel: Kernel, tmp_path: Path) -> None:
    for name, age in (("old.tmp", 7200), ("new.tmp", 60)):
        (tmp_path / name).write_bytes(bytes(1000))
        os.utime(tmp_path / name, times=(time.time() - age,) * 2)
    LinearFactory(Precision.INT8, kernel, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new.tmp"]


KERNEL_HARMS: dict[str, Callable[[Path], object]] = {
    "a flipped bit": flip(-3000),
    "cut off": lambda path: os.truncate(path, 5000),
    "a folder": become_folder,
    "a pipe": become_pipe,
    "a link": become_link("/dev/zero"),
}


@pytest.mark.parametrize("harm", KERNEL_HARMS.values(), ids=KERNEL_HARMS)
def test_a_damaged_kernel_is_compiled_anew(
    kernel: Kernel, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], object]
) -> None:
    (library,) = folder.iterdir()
    path = Path(shutil.copy(library, tmp_path))  # code that runs is mapped: no harm to that
    monkeypatch.setattr(kernels, "_loaded", {})
    harm(path)
    assert load(tmp_path).checksum(b"a") == 0xD24EC4F1A98C6E5B
    (again,) = tmp_path.iterdir()
    assert again.is_file() and not again.is_symlink()
    assert again.read_bytes()[:4] == b"\x7fELF"


def test_a_whole_kernel_is_not_compiled_again(kernel: Kernel, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [path.stat().st_mtime_ns for path in folder.iterdir()]
    monkeypatch.setattr(kernels, "_loaded", {})
    load(folder)
    assert [path.stat().st_mtime_ns for path in folder.iterdir()] == before


def test_a_tensor_file_maps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {
        "b": torch.randn(3, 5, 7).bfloat16(),
        "a": torch.randn(2000, 3),
        "c": torch.randint(-9, 9, (5,), dtype=torch.int8),
        "one": torch.tensor(5),
        "none": torch.zeros(0, 4),
    }
    save_file(tensors, path, {"who": "me"})
    file = TensorFile(path)
    assert file.metadata == {"who": "me"}
    assert sorted(file.names) == sorted(tensors)
    for name, tensor in tensors.items():
        for fetch in (False, True):
            assert torch.equal(file.map(name, fetch), tensor)
            assert file.map(name, fetch).dtype == tensor.dtype


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F4", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-4, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0]},
        {"dtype": "F32", "shape": ["a"], "data_offsets": [0, 4]},
        {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]},
        {"shape": [1], "data_offsets": [0, 4]},
        7,
    ],
)
def test_a_header_that_lies_is_no_tensor_file(tmp_path: Path, entry: object) -> None:
    header = json.dumps({"x": entry}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(ValueError, match="."):
        TensorFile(path)


def test_other_threads_go_on_while_pages_are_read(tmp_path: Path) -> None:
    path, turns, over = tmp_path / "a", [0], threading.Event()
    path.write_bytes(bytes(1 << 24))

    def go_on() -> None:
        while not over.is_set():
            turns[0] += 1
            time.sleep(0)

    def gives_way() -> bool:
        before = turns[0]
        read_now(pages)
        return turns[0] > before

    other, interval = threading.Thread(target=go_on), sys.getswitchinterval()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        other.start()
        sys.setswitchinterval(1000)  # now Python's lock only changes hands where it is given up
        try:
            assert any(gives_way() for _ in range(10_000))
        finally:
            sys.setswitchinterval(interval)
            over.set()
            other.join()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise")
def test_what_the_disk_cannot_read_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    """A file that was cut off behind our back: its pages cannot be read, as those of a bad sector cannot."""
    path = tmp_path / "a"
    path.write_bytes(bytes(1 << 20))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        read_now(pages)
        os.truncate(path, 1 << 19)
        with pytest.raises(OSError, match="."):
            read_now(pages)


PREPARE = textwrap.dedent("""
    import sys
    from pathlib import Path
    from core.hardware import trim_heap
    from core.benchmark.memory import peak_memory
    from core.model.tensor_file import TensorFile
    from core.model.kernel import load
    from core.model.precision import Precision
    from core.model.quantize import LinearFactory
    import psutil, torch

    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    factory = LinearFactory(Precision.INT8, load(folder), folder)
    file = TensorFile(folder / "checkpoint")
    before = psutil.Process().memory_info().rss
    layers = [factory.linear(name, lambda: (file.map(name), None)) for name in file.names]
    peak = peak_memory()
    trim_heap()
    print(peak - before, psutil.Process().memory_info().rss - before)
""")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_preparing_takes_little_more_memory_than_what_is_prepared_and_leaves_no_heap(tmp_path: Path) -> None:
    """Layers of the size that a 2B's vision encoder has; when they were made in the heap, they left 2 GB of holes."""
    sizes = [(4096, 1024), (1024, 4096), (3072, 1024), (1024, 1024)] * 12
    save_file(
        {f"{n}": torch.full(size, 0.5, dtype=torch.bfloat16) for n, size in enumerate(sizes)}, tmp_path / "checkpoint"
    )
    weights = sum(out * inner for out, inner in sizes)  # bytes in int8
    taken = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", PREPARE, str(tmp_path)], capture_output=True, text=True, check=True, cwd=Path.cwd()
        )
        taken.append([int(word) for word in run.stdout.split()])
    (peak, left), (_, second) = taken
    assert peak < weights + 56_000_000
    assert abs(left - second) < 30_000_000  # the first start and the second are alike

"""The smallest limit counts, wherever it stands: fake trees of /proc and /sys, and real limits of real processes."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from core import hardware

GB = 10**9
NONE_V1 = "9223372036854771712"  # what cgroup v1 writes where there is no limit
V1 = Path("/sys/fs/cgroup/memory")


MANY_THREADS = """
import threading
from core import hardware
from tests.heaps import heaps
{first}
together = threading.Barrier(16)
def work():
    kept = [bytes(2000) for _ in range(500)]
    together.wait()
    return kept
threads = [threading.Thread(target=work) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(heaps())
"""


def tree(root: Path, own: str, files: dict[str, str]) -> Path:
    """A machine whose /proc/self/cgroup says `own`, with `files` below /sys/fs/cgroup."""
    for name, content in {"proc/self/cgroup": own, **{f"sys/fs/cgroup/{k}": v for k, v in files.items()}}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


V2_CONTAINER = ("0::/", {"memory.max": str(GB), "cpu.max": "100000 100000"})
SYSTEMD_SERVICE = (
    "0::/system.slice/bots.service",
    {
        "system.slice/memory.max": "max",
        "system.slice/bots.service/memory.max": str(GB),
        "system.slice/bots.service/cpu.max": "150000 100000",
    },
)
V2_PARENT = (
    "0::/pods/pod-1/box",
    {
        "pods/pod-1/memory.max": str(GB),
        "pods/pod-1/cpu.max": "100000 100000",
        "pods/pod-1/box/memory.max": str(2 * GB),
        "pods/pod-1/box/cpu.max": "max 100000",
    },
)
V2_HIGH = ("0::/a", {"a/memory.max": "max", "a/memory.high": str(GB), "a/cpu.max": "max 100000", "cpu.max": "1 1"})
V1_OWN = (
    "12:cpu,cpuacct:/docker/7\n4:memory:/docker/7\n1:name=systemd:/docker/7\n0::/system.slice",
    {
        "memory/docker/7/memory.limit_in_bytes": str(GB),
        "memory/memory.limit_in_bytes": NONE_V1,
        "cpu/docker/7/cpu.cfs_quota_us": "100000",
        "cpu/docker/7/cpu.cfs_period_us": "100000",
    },
)
V1_PARENT = (
    "3:cpu:/user/1\n4:memory:/user/1",
    {
        "memory/user/memory.limit_in_bytes": str(GB),
        "memory/user/1/memory.limit_in_bytes": NONE_V1,
        "cpu/user/cpu.cfs_quota_us": "50000",
        "cpu/user/cpu.cfs_period_us": "100000",
        "cpu/user/1/cpu.cfs_quota_us": "-1",
        "cpu/user/1/cpu.cfs_period_us": "100000",
    },
)
V1_PATH_OF_THE_HOST = (  # a container that sees its own group at the top, under a path that only the host has
    "3:cpu:/docker/7\n4:memory:/docker/7",
    {
        "memory/memory.limit_in_bytes": str(GB),
        "cpu/cpu.cfs_quota_us": "100000",
        "cpu/cpu.cfs_period_us": "100000",
    },
)
V1_HIDDEN_PARENT = (
    "4:memory:/\n3:cpu:/",
    {
        "memory/memory.limit_in_bytes": NONE_V1,
        "memory/memory.stat": f"cache 5\nhierarchical_memory_limit {GB}\ntotal_cache 5",
        "cpu/cpu.cfs_quota_us": "100000",
        "cpu/cpu.cfs_period_us": "100000",
    },
)
HYBRID = ("4:cpu:/\n0::/a", {"unified/a/memory.max": str(GB), "unified/a/cpu.max": "100000 100000"})


@pytest.mark.parametrize(
    "case",
    [
        V2_CONTAINER,
        SYSTEMD_SERVICE,
        V2_PARENT,
        V2_HIGH,
        V1_OWN,
        V1_PARENT,
        V1_PATH_OF_THE_HOST,
        V1_HIDDEN_PARENT,
        HYBRID,
    ],
    ids="v2 systemd v2-parent v2-high v1 v1-parent v1-host-path v1-hidden-parent hybrid".split(),
)
def test_a_group_has_no_more_than_it_and_its_parents_were_given(
    tmp_path: Path, case: tuple[str, dict[str, str]]
) -> None:
    root = tree(tmp_path, *case)
    limit = hardware.memory(root)
    assert limit.bytes == GB
    assert limit.source.startswith(str(tmp_path / "sys"))
    assert hardware.cores(root) == 1


@pytest.mark.parametrize(
    "case",
    [
        ("", {}),
        ("0::/a", {"a/memory.max": "max", "a/cpu.max": "max 100000"}),
        ("0::/a", {"a/memory.max": str(2**63), "a/memory.high": "max"}),
        ("0::/a", {"other/memory.max": "1", "other/cpu.max": "1 1"}),
        ("0::/../../elsewhere", {"memory.max": "max"}),
        ("4:memory:/a\n3:cpu:/a", {"memory/a/memory.limit_in_bytes": NONE_V1, "cpu/a/cpu.cfs_quota_us": "-1"}),
    ],
    ids="nothing max beyond-the-machine begun_by_another outside v1".split(),
)
def test_without_limits_it_is_the_machines(tmp_path: Path, case: tuple[str, dict[str, str]]) -> None:
    root = tree(tmp_path / "limited", *case)
    assert hardware.memory(root) == hardware.Limit(psutil.virtual_memory().total, "this machine's memory")
    assert hardware.cores(root) == hardware.cores(tmp_path / "empty") >= 1


def test_files_that_cannot_be_read_are_no_limit(tmp_path: Path) -> None:
    root = tree(tmp_path, "0::/a", {"a/memory.max": "many"})
    (root / "sys/fs/cgroup/a/memory.high").mkdir()
    (root / "sys/fs/cgroup/a/cpu.max").write_bytes(b"\xff\xfe")
    assert hardware.memory(root).bytes == psutil.virtual_memory().total
    assert hardware.cores(root) >= 1


SAY = "from core import hardware; print(hardware.process_memory())"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not hold them")
@pytest.mark.parametrize("flag", ["-v", "-d"])
def test_ulimit_leaves_what_the_process_does_not_have_yet(flag: str) -> None:
    said = [
        subprocess.run(
            ["sh", "-c", f'ulimit {flag} {limit}; exec "$0" -c "{SAY}"', sys.executable],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for limit in ("unlimited", "1000000", "2000000")
    ]
    assert said[0] == "None\n"
    assert all(f"`ulimit {flag}`" in each for each in said[1:])
    one, two = (int(each.partition("bytes=")[2].partition(",")[0]) for each in said[1:])
    assert abs(one - 1_024_000_000) < 200_000_000  # mappings that are no memory count, and so does memory that is none
    assert abs(two - one - 1_024_000_000) < 50_000_000


@pytest.mark.skipif(not os.access(V1, os.W_OK), reason="needs root and cgroup v1")
def test_a_real_group_of_version_1_is_seen() -> None:
    group = V1 / f"test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no group can be made here")
    try:
        (group / "memory.limit_in_bytes").write_text(str(400 << 20))
        say = "from core import hardware; print(hardware.memory().bytes)"
        enter = f'echo $$ > {group}/tasks && exec "$0" -c "{say}"'
        run = subprocess.run(["sh", "-c", enter, sys.executable], capture_output=True, text=True, check=True)
        assert int(run.stdout) == 400 << 20
    finally:
        with suppress(OSError):
            group.rmdir()


def test_the_first_processor_is_told_as_linux_tells_it(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    one, two = ("processor\t: {}\nmodel name\t: AMD {}\nflags\t\t: fpu avx2\n".format(*each) for each in ("0A", "1B"))
    (tmp_path / "proc/cpuinfo").write_text(f"{one}\n{two}\n")
    assert hardware.processor(tmp_path) == {"processor": "0", "model name": "AMD A", "flags": "fpu avx2"}
    assert hardware.processor(tmp_path / "elsewhere") == {}


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heaps")
def test_many_threads_share_few_heaps() -> None:
    def after(first: str) -> int:
        command = [sys.executable, "-c", MANY_THREADS.format(first=first)]
        return int(subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, check=True).stdout)

    assert after("hardware.limit_heaps()") <= hardware.MALLOC_HEAPS < after("")

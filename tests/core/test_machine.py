from pathlib import Path

import psutil
import pytest

from core import machine


def limits(folder: Path, memory: str, cpu: str) -> Path:
    (folder / "memory.max").write_text(memory + "\n")
    (folder / "cpu.max").write_text(cpu + "\n")
    return folder


def test_a_container_has_no_more_than_it_was_given(tmp_path: Path) -> None:
    cgroup = limits(tmp_path, "100000000", "100000 100000")
    assert machine.memory(cgroup) == 100_000_000
    assert machine.cores(cgroup) == 1


@pytest.mark.parametrize("memory", ["max", str(2**63)])
def test_without_limits_it_is_the_machines(tmp_path: Path, memory: str) -> None:
    for cgroup in (tmp_path / "none", limits(tmp_path, memory, "max 100000")):
        assert machine.memory(cgroup) == psutil.virtual_memory().total
        assert machine.cores(cgroup) == machine.cores(tmp_path / "none") >= 1


def test_half_a_core_is_one_thread(tmp_path: Path) -> None:
    assert machine.cores(limits(tmp_path, "max", "50000 100000")) == 1

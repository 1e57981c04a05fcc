"""The cache and the database on one small disk: the cache leaves room, and gives way."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.disk_space import free, reserve
from core.engine import cache_space
from core.engine.disk_cache import DiskCache

MB = 1_000_000
MUCH = 1 << 40


@pytest.fixture
def disk_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the folder a file system of so many bytes."""

    def make(size: int) -> None:
        def statvfs(_: Path) -> SimpleNamespace:
            used = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
            return SimpleNamespace(f_blocks=size, f_frsize=1, f_bavail=max(0, size - used))

        monkeypatch.setattr(os, "statvfs", statvfs)

    return make


def keep(disk: DiskCache, number: int, size: int = MB) -> None:
    disk.write(f"picture-{number}", {"features": np.zeros(size, np.uint8)})
    disk._writer.submit(int).result()  # it is written by now
    if (path := disk._path(f"picture-{number}")).exists():
        os.utime(path, (number, number))  # in this order


def kept(folder: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("picture-")) for path in folder.rglob("picture-*"))


def test_the_cache_leaves_a_part_of_a_small_disk_free_and_the_oldest_go(
    tmp_path: Path, disk_of: Callable[[int], None]
) -> None:
    disk_of(20 * MB)
    disk = DiskCache(tmp_path / "computed", "model", MUCH)
    for number in range(40):
        keep(disk, number)
    assert free(tmp_path) >= reserve(tmp_path) == 4 * MB
    assert kept(tmp_path) == list(range(25, 40))
    disk.close()


def test_the_cache_makes_room_when_others_fill_the_disk_and_takes_none_itself(
    tmp_path: Path, disk_of: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    disk_of(20 * MB)
    disk = DiskCache(tmp_path / "computed", "model", MUCH)
    for number in range(10):
        keep(disk, number)
    (tmp_path / "answers.db").write_bytes(bytes(95 * MB // 10))
    keep(disk, 10)
    assert kept(tmp_path) == [5, 6, 7, 8, 9, 10]
    (tmp_path / "answers.db").write_bytes(bytes(165 * MB // 10))
    keep(disk, 11)
    assert kept(tmp_path) == []
    assert not caplog.text
    disk.close()


def test_of_a_large_disk_no_more_than_a_gigabyte_is_left_free(tmp_path: Path, disk_of: Callable[[int], None]) -> None:
    disk_of(1000 * 1000 * MB)
    assert reserve(tmp_path) == 1000 * MB


def test_what_is_larger_than_the_limit_drives_nothing_else_out(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path / "computed", "model", 3 * MB)
    keep(disk, 1)
    keep(disk, 2, 5 * MB)
    assert kept(tmp_path) == [1]
    disk.close()


def test_a_cache_that_gives_way_frees_the_reserve_and_then_more_each_time(
    tmp_path: Path, disk_of: Callable[[int], None]
) -> None:
    disk_of(1000 * MB)
    computed = tmp_path / "computed"
    disk = DiskCache(computed, "model", MUCH)
    for number in range(20):
        keep(disk, number)
    disk_of(21 * MB)
    assert cache_space.give_way(computed, tmp_path)
    assert kept(tmp_path) == list(range(4, 20))
    assert cache_space.give_way(computed, tmp_path)
    assert kept(tmp_path) == list(range(9, 20))
    while cache_space.give_way(computed, tmp_path):
        pass
    assert kept(tmp_path) == []
    disk.close()


def test_a_cache_on_another_disk_need_not_give_way(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path / "computed", "model", MUCH)
    keep(disk, 1)
    assert not cache_space.give_way(tmp_path / "computed", Path("/proc"))
    assert not cache_space.give_way(tmp_path / "nothing", tmp_path)
    assert kept(tmp_path) == [1]
    disk.close()


def test_what_gave_way_is_computed_again(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path / "computed", "model", MUCH)
    keep(disk, 1)
    assert disk.read("picture-1") is not None
    assert cache_space.give_way(tmp_path / "computed", tmp_path)
    assert disk.read("picture-1") is None
    assert not disk.has("picture-1")
    disk.close()

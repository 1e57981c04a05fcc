"""Small disks that are full: the cache gives way to the database, and questions go on being answered."""

import io
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image as PilImage

from tests.system.conftest import Host, Service
from tests.system.small_disk import small_disk

MB = 1 << 20
DISK_MB = 20
SPARE_MB = 0.25

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Host]:
    """A service whose cache and database are on a disk of 20 MB."""
    with small_disk(tmp_path / "small", DISK_MB) as folder:
        yield Host(folder)


def picture(number: int) -> bytes:
    """A small one of its own, that does not compress well."""
    dice, data = random.Random(number), io.BytesIO()
    PilImage.frombytes("RGB", (200, 200), dice.randbytes(120_000)).save(data, "PNG")
    return data.getvalue()


def ask(service: Service, number: int) -> int:
    files = {"image": ("picture.png", picture(number), "image/png")}
    headers = {"Idempotency-Key": f"a-key-that-nobody-guesses-{number}"}
    data = {"query": "What is this?"}
    return service.client.post("/api/v1/analyze", data=data, files=files, headers=headers).status_code


def free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def fill(folder: Path, spare: int) -> None:
    """With what an earlier version left in the cache, one file for each megabyte."""
    old = folder / "cache" / "computed" / "demo-of-long-ago"
    old.mkdir(parents=True)
    for number in range(2 * DISK_MB):
        size = min(MB, free(folder) - spare)
        if size <= 0:
            return
        (old / f"picture-{number}.safetensors").write_bytes(os.urandom(size))


def test_the_cache_never_starves_the_database(small: Host) -> None:
    with small.start() as service:
        for number in range(12):
            assert ask(service, number) == 200
            assert free(small.folder) > MB
        assert len(service.conversations()) == 12


def test_a_service_whose_disk_the_cache_has_filled_starts_and_answers(small: Host) -> None:
    fill(small.folder, int(SPARE_MB * MB))
    assert free(small.folder) <= SPARE_MB * MB
    with small.start() as service:
        assert ask(service, 1) == 200
        assert free(small.folder) > MB


def test_the_cache_gives_way_when_others_fill_the_disk_meanwhile(small: Host) -> None:
    with small.start() as service:
        for number in range(4):
            assert ask(service, number) == 200
        kept = sum(path.stat().st_size for path in (small.folder / "cache").rglob("*.safetensors"))
        filler = small.folder / "a-log-of-somebody-else"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        assert ask(service, 10) == 200
        left = sum(path.stat().st_size for path in (small.folder / "cache").rglob("*.safetensors"))
        assert left < kept

import asyncio

import pytest

from core.pictures import workers
from core.pictures.images import make_image
from core.pictures.jpeg import USUAL_SCANS, takes_long
from tests.core.files import RED, busy, encoded, endless_jpeg, plain


def with_metadata(data: bytes, metadata: bytes) -> bytes:
    return data[:2] + b"\xff\xe1" + (len(metadata) + 2).to_bytes(2, "big") + metadata + data[2:]


def test_a_jpeg_that_says_the_same_scan_over_and_over_takes_long() -> None:
    assert takes_long(endless_jpeg(USUAL_SCANS))
    assert takes_long(with_metadata(endless_jpeg(3000), b"\xff\xd9" * 9))


def test_one_that_is_nothing_but_empty_segments_is_not_read_to_its_end() -> None:
    assert takes_long(b"\xff\xd8" + b"\xff\xc4\x00\x00" * 2_000_000)


@pytest.mark.parametrize("progressive", [True, False])
@pytest.mark.parametrize("quality", [5, 75, 100])
def test_no_usual_file_does(progressive: bool, quality: int) -> None:
    photo = encoded(busy((900, 700)), "JPEG", progressive=progressive, quality=quality)
    assert not takes_long(photo)
    assert not takes_long(with_metadata(photo, b"\xff\xda" * 100))  # as a thumbnail or notes of a camera may have
    assert not takes_long(photo + b"\xff\xda" * 100)  # a film behind it
    assert not takes_long(photo[: len(photo) // 2])


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xda" * 100, encoded(plain(RED), "PNG")])
def test_what_is_no_whole_jpeg_does_not(data: bytes) -> None:
    assert not takes_long(data)


async def test_it_leaves_the_quick_workers_to_others() -> None:
    heavy = [asyncio.create_task(make_image(endless_jpeg() + bytes([number]))) for number in range(4)]
    try:
        async with asyncio.timeout(60):
            while not workers._pool._jobs.running:
                await asyncio.sleep(0.01)
        for _ in range(3):
            await make_image(encoded(plain(RED), "PNG"))
        line = workers._pool._jobs
        assert len(line.running) == 1
        assert len(line.waiting) == 3
    finally:
        for task in heavy:
            task.cancel()
        await asyncio.gather(*heavy, return_exceptions=True)

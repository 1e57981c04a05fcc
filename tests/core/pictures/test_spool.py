import asyncio
import resource
from collections.abc import Iterator

import pytest

from core.pictures import workers
from core.pictures.documents import open_document
from core.pictures.spool import IN_MEMORY_BYTES, contents, size, spool
from tests.core.files import endless_jpeg


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file of this process can grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("count", [0, IN_MEMORY_BYTES, IN_MEMORY_BYTES + 1, 3_000_000])
def test_what_is_spooled_comes_back(count: int) -> None:
    data = bytes(range(256)) * (count // 256 + 1)
    with spool(data[:count]) as file:
        assert (size(file), contents(file), contents(file)) == (count, data[:count], data[:count])


@pytest.mark.usefixtures("full_disk")
def test_where_the_disk_is_full_it_is_kept_in_memory() -> None:
    data = bytes(10 * IN_MEMORY_BYTES)
    with spool(data) as file:
        assert contents(file) == data


async def test_a_large_file_that_waits_for_a_decoder_is_not_in_memory() -> None:
    dropped = asyncio.Event()

    class Sent(bytes):
        def __del__(self) -> None:
            dropped.set()

    file = endless_jpeg()
    busy = asyncio.create_task(open_document(file))
    waiting = asyncio.create_task(open_document(Sent(file + b"2")))
    try:
        async with asyncio.timeout(60):
            await dropped.wait()
            while not workers._pool._jobs.running:
                await asyncio.sleep(0.01)
        assert not waiting.done()
    finally:
        for task in (busy, waiting):
            task.cancel()
        await asyncio.gather(busy, waiting, return_exceptions=True)

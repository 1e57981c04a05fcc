import asyncio

import pytest

from storage.write_queue import Priority, WriteQueue


async def test_who_keeps_a_platform_waiting_goes_before_all_others() -> None:
    queue, served = WriteQueue(), list[str]()

    async def write(name: str, priority: Priority) -> None:
        async with queue.slot(priority):
            await asyncio.sleep(0)
            served.append(name)

    names = [("a", Priority.ORDINARY), ("b", Priority.ORDINARY), ("c", Priority.URGENT), ("d", Priority.ORDINARY)]
    await asyncio.gather(*(write(*name) for name in [*names, ("e", Priority.URGENT)]))
    assert served == ["a", "c", "e", "b", "d"]


async def test_who_gives_up_holds_nobody_up() -> None:
    queue = WriteQueue()

    async def hold() -> None:
        async with queue.slot(Priority.ORDINARY):
            await asyncio.Event().wait()

    holding, waiting = asyncio.create_task(hold()), asyncio.create_task(hold())
    await asyncio.sleep(0)
    holding.cancel()
    await asyncio.sleep(0)
    waiting.cancel()  # in the very moment of its turn
    await asyncio.gather(holding, waiting, return_exceptions=True)
    async with asyncio.timeout(30), queue.slot(Priority.URGENT):
        pass
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), queue.slot(Priority.ORDINARY), queue.slot(Priority.ORDINARY):
            pass

import asyncio

import pytest

from storage.write_queue import Haste, Line


async def test_who_keeps_a_platform_waiting_goes_before_all_others() -> None:
    line, served = Line(), list[str]()

    async def write(name: str, haste: Haste) -> None:
        async with line.turn(haste):
            await asyncio.sleep(0)
            served.append(name)

    names = [("a", Haste.ORDINARY), ("b", Haste.ORDINARY), ("c", Haste.URGENT), ("d", Haste.ORDINARY)]
    await asyncio.gather(*(write(*name) for name in [*names, ("e", Haste.URGENT)]))
    assert served == ["a", "c", "e", "b", "d"]


async def test_who_gives_up_holds_nobody_up() -> None:
    line = Line()

    async def hold() -> None:
        async with line.turn(Haste.ORDINARY):
            await asyncio.Event().wait()

    holding, waiting = asyncio.create_task(hold()), asyncio.create_task(hold())
    await asyncio.sleep(0)
    holding.cancel()
    await asyncio.sleep(0)
    waiting.cancel()  # in the very moment of its turn
    await asyncio.gather(holding, waiting, return_exceptions=True)
    async with asyncio.timeout(1), line.turn(Haste.URGENT):
        pass
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), line.turn(Haste.ORDINARY), line.turn(Haste.ORDINARY):
            pass

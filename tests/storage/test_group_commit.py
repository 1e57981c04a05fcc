import asyncio
from typing import Any

import pytest

from storage.group_commit import GroupCommit, PendingWrite


class Disk:
    """Counts transactions, each of which takes a while; fails when `broken`."""

    def __init__(self) -> None:
        self.transactions = 0
        self.broken = False

    async def write(self, work: PendingWrite) -> list[Any]:
        await asyncio.sleep(0.01)  # in line
        if self.broken:
            raise OSError("disk full")
        results: list[Any] = await work(None)  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        self.transactions += 1
        return results


def says(value: int) -> PendingWrite:
    async def work(_: Any) -> int:
        return value

    return work


async def test_what_comes_together_shares_a_transaction_and_each_gets_its_own_result() -> None:
    disk = Disk()
    notes = GroupCommit(disk.write)
    assert await asyncio.gather(*(notes.add(says(number)) for number in range(50))) == list(range(50))
    assert disk.transactions == 1
    assert await notes.add(says(7)) == 7
    assert disk.transactions == 2


async def test_what_comes_during_a_transaction_is_in_the_next_one() -> None:
    disk = Disk()
    notes = GroupCommit(disk.write)
    first = asyncio.create_task(notes.add(says(1)))
    await asyncio.sleep(0.015)
    others = [asyncio.create_task(notes.add(says(number))) for number in (2, 3)]
    assert await first == 1
    assert await asyncio.gather(*others) == [2, 3]
    assert disk.transactions == 2


async def test_a_failure_is_told_to_all_and_the_next_ones_work() -> None:
    disk = Disk()
    notes = GroupCommit(disk.write)
    disk.broken = True
    told = await asyncio.gather(*(notes.add(says(number)) for number in range(3)), return_exceptions=True)
    assert [str(error) for error in told] == ["disk full"] * 3
    disk.broken = False
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await notes.add(says(1))  # who gives up holds nobody up
    assert await notes.add(says(2)) == 2

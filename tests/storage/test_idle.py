"""What a replica without work asks of PostgreSQL all the time, as PostgreSQL itself counts it."""

import asyncpg

from bots.telegram.polling import TURN_SECONDS
from core.replica import BEATS_PER_LEASE, LEASE_SECONDS, LOOK_SECONDS, PRESENCE
from storage.store import Store, StoreConfig
from tests.storage.postgres import execute

ROUNDS = 20
MOST_PER_SECOND = 5.0


async def counted(server: str) -> int:
    """The statements of all clients since the last reset, BEGIN and COMMIT among them, but not this one."""
    connection = await asyncpg.connect(server.replace("+asyncpg", ""))
    try:
        return int(await connection.fetchval("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements"))
    finally:
        await connection.close()


async def test_a_replica_without_work_sends_at_most_five_statements_a_second(server: str) -> None:
    await execute(server, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    store = await Store.open(StoreConfig(url=server))
    try:
        lives = f"{PRESENCE}a"
        await store.claim_lease(lives, "a", LEASE_SECONDS)
        await store.claim_lease("telegram:1", "b", LEASE_SECONDS)
        costs = []
        for work in (
            lambda: store.open_messages("a"),
            lambda: store.beat_leases("a", LEASE_SECONDS, [lives]),
            lambda: store.claim_lease("telegram:1", "a", LEASE_SECONDS),
        ):
            await execute(server, "SELECT pg_stat_statements_reset()")
            before = await counted(server)
            for _ in range(ROUNDS):
                await work()
            costs.append((await counted(server) - before - 1) / ROUNDS)  # the first count is counted by the second
    finally:
        await store.close()
    per_second = (1 / LOOK_SECONDS, BEATS_PER_LEASE / LEASE_SECONDS, 1 / TURN_SECONDS)
    load = sum(cost * times for cost, times in zip(costs, per_second, strict=True))
    print(f"{costs} statements each, {load:.2f} a second")
    assert 0 < load <= MOST_PER_SECOND

"""Each of several services names itself and shows all of them, to probes, to Prometheus and to the operator."""

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path

from core.replica import Replica
from storage.store import Store
from tests.bots.web.conftest import Web, service

SECONDS = 1.2  # of a lease here


async def shown(web: Web, route: str, *there: str, gone: str = "") -> str:
    """The text of a route as soon as these names, and not that one, are there."""
    async with asyncio.timeout(30):
        while True:
            text = (await web.client.get(route)).text
            if all(name in text for name in there) and (not gone or gone not in text):
                return text
            await asyncio.sleep(0.05)


async def test_each_replica_shows_all_that_live(tmp_path: Path) -> None:
    replicas: list[Replica] = []

    def replica(store: Store) -> Replica:
        replicas.append(Replica(store, SECONDS))
        return replicas[-1]

    async with service(tmp_path, leases_of=replica) as one:
        async with service(tmp_path, leases_of=replica) as other:
            await other.ask("What?", "red")
            names = [each.name for each in replicas]
            for web, name in zip((one, other), names, strict=True):
                ready = await shown(web, "/readyz", *names)
                assert ready.startswith("ok\n") and f"replica {name}, which says this: holds" in ready
                assert f"replica {names[1]}" in ready and ready.count("which says this") == 1
                await shown(web, "/metrics", *(f'picture_answers_replica_leases{{replica="{each}"}}' for each in names))
                assert f'replica="{name}"' in (await web.client.get("/metrics")).text.partition("_info{")[2]
                await shown(web, "/admin", f"{name} (this one)", *names)
        for route in ("/readyz", "/metrics", "/admin"):
            await shown(one, route, names[0], gone=names[1])


class Watched(Store):
    """A store that counts a replica's beats, and remembers what it gave back."""

    beats = 0
    given_back: tuple[str, ...] = ()

    async def beat_leases(self, owner: str, seconds: float, names: Collection[str]) -> dict[str, int]:
        self.beats += 1
        return await super().beat_leases(owner, seconds, names)

    async def give_back_leases(self, owner: str, fences: Mapping[str, int]) -> None:
        self.given_back += tuple(fences)
        await super().give_back_leases(owner, fences)


async def test_a_replica_without_work_does_not_give_back_that_it_lives(tmp_path: Path) -> None:
    def replica(store: Store) -> Replica:
        return Replica(store, SECONDS, sticky_seconds=0)

    async with service(tmp_path, leases_of=replica, kind=Watched) as web:
        assert isinstance(web.store, Watched)
        while web.store.beats < 3:
            await asyncio.sleep(0.05)
        assert web.store.given_back == ()

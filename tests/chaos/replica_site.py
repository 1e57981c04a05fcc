"""Several services on one PostgreSQL between the fake platforms, behind a balancer as Caddy would be."""

import asyncio
import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from tests.chaos.fate import set_clock
from tests.chaos.kinds import ASKED_AT_ONCE, QUOTA
from tests.chaos.nursery import Life
from tests.chaos.on_the_web import OnTheWeb
from tests.chaos.people import Book, Person
from tests.chaos.platforms import WRITES
from tests.chaos.site import START_S, Site
from tests.chaos.tcp_gate import SocksGate, TcpGate
from tests.ports import free_port
from tests.running_time import within
from tests.storage.postgres import Cluster

AT_ONCE = 2 * ASKED_AT_ONCE  # questions of a person: after a kill some may count a while longer
LOOK_S = 0.5  # between two looks of the balancer at a replica
PATIENCE_S = 2.0  # that it waits for an answer then, while the machine runs
OWN_NAME = re.compile(r"replica (\S+), which says this")
WRITE = re.compile(rf"POST /(?:bot[^/]+|api)/((?:{'|'.join(map(re.escape, WRITES))})\w*)".encode())
LEASED = "SELECT name, owner FROM leases WHERE until > extract(epoch FROM clock_timestamp())"
ASKING = "SELECT DISTINCT conversation_id FROM messages WHERE finished IS NULL"
SENT = "SELECT conversation_id, sent FROM deliveries JOIN messages ON message_id = messages.id"


@dataclass
class Member:
    """One of the replicas: where it lives, and its ways to the database, the platforms and the engines elsewhere.

    Slack's is a proxy, since its files are taken from the very address of its API only.
    """

    number: int
    folder: Path
    database: TcpGate
    telegram: TcpGate
    slack: SocksGate
    engines: list[TcpGate]
    port: int = field(default_factory=free_port)
    life: Life | None = None
    name: str = ""  # as it calls itself
    up: bool = False  # as the balancer sees it

    @property
    def clock(self) -> Path:
        return self.folder / "clock"

    @property
    def gates(self) -> list[TcpGate]:
        return [self.database, self.telegram, self.slack, *self.engines]

    @property
    def diary(self) -> Path:
        return self.folder / "diary"

    def kill(self, number: int) -> None:
        if self.life is not None:
            self.life.kill(number)


class ReplicaSite(Site):
    """`life` never ends: as a whole the service lives. `on_write` is told which member is about to write what, and
    `on_statement` what is about to reach the database. Engines elsewhere, if there are any, listen at `engine_ports`.
    """

    def __init__(self, folder: Path, platforms: Sequence[str], dice: random.Random, count: int) -> None:
        super().__init__(folder, platforms, dice, at_once=AT_ONCE, a_day=QUOTA)
        self.engine_ports: Sequence[int] = ()
        self._count = count
        self.log: Path = folder / "log"
        self.members: list[Member] = []
        self.on_write: Callable[[Member, str], None] = lambda member, method: None
        self.on_sent: Callable[[Member, bytes], None] = lambda member, data: None
        self.on_statement: Callable[[bytes], None] = lambda data: None
        self.misdirected: Counter[str] = Counter()  # orders that people gave to a replica that does not answer them
        self._balancer = TcpGate(self._ports)
        self.url = f"http://127.0.0.1:{self._balancer.port}"

    async def open(self, cluster: Cluster) -> None:
        """Open the gates, and begin to look who is up."""
        self._cluster = cluster
        self.life = Life(0, asyncio.get_running_loop().create_future())
        self.platforms.slack.addresses = lambda: [f"http://127.0.0.1:{port}" for port in self._ports()]
        self.transports = self.platforms.draw(self._dice)
        for number in range(self._count):
            self.members.append(self._member(number))
        for gate in self._gates():
            await gate.open()
        self._looking = [asyncio.create_task(self._look_at(member)) for member in self.members]

    async def shut(self) -> None:
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        for gate in self._gates():
            await gate.close()

    async def start_member(self, member: Member, fate: dict[str, Any]) -> None:
        """Begin a life of a member. It may end before it is ready."""
        database = self._cluster.url.replace(str(self._cluster.port), str(member.database.port))
        text = self.settings(member.folder, member.port, database)
        text = text.replace(self.platforms.telegram.url, f"http://127.0.0.1:{member.telegram.port}")
        text = text.replace("[bots.slack]", f'[bots.slack]\nproxy = "socks5://127.0.0.1:{member.slack.port}"')
        for port, gate in zip(self.engine_ports, member.engines, strict=True):
            text = text.replace(f"127.0.0.1:{port}/", f"127.0.0.1:{gate.port}/")
        config = member.folder / "config.toml"
        config.write_text(text, "utf-8")
        member.name = ""
        fate = {"clock": str(member.clock), "diary": str(member.diary), **fate}
        member.life = await self.nursery.bear("run", "--config", str(config), fate=fate, out=self.log)

    async def until_up(self, count: int) -> None:
        async with asyncio.timeout(START_S):
            while sum(member.up for member in self.members) < count:
                await asyncio.sleep(0.05)

    async def end(self) -> int:
        """Kill all, and copy the database to where readers of a single service's look for it."""
        for member in self.members:
            member.kill(9)
            if member.life is not None:
                await member.life.ended
        target = f"sqlite+aiosqlite:///{self.folder / 'answers.db'}"
        copy = await self.nursery.bear("copy-database", self._cluster.url, target)
        return await copy.ended

    async def insist(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database as soon as it is there."""
        async with asyncio.timeout(START_S):
            while True:
                with suppress(OSError, asyncpg.PostgresError):
                    return await self.rows(query)
                await asyncio.sleep(LOOK_S)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database, past all gates. It may be down: then OSError or PostgresError."""
        try:
            connection = await asyncpg.connect(self._cluster.url.replace("+asyncpg", ""), timeout=10)
            try:
                return [tuple(row) for row in await connection.fetch(query)]
            finally:
                await connection.close()
        except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:  # it ended in the middle of something
            raise OSError(str(error)) from error

    async def asking_held_by(self, name: str) -> set[str]:
        """Return the conversations with an open question that a replica holds."""
        held = {lease for lease, owner in await self.insist(LEASED) if owner == name}
        return held & {conversation for (conversation,) in await self.insist(ASKING)}

    async def marks_taken_from(self, name: str, held: set[str]) -> set[bytes]:
        """Return what stands in writes to those of the conversations that another replica holds now."""
        others = held & {lease for lease, owner in await self.insist(LEASED) if owner != name}
        marks = {conversation.split(":")[1 if "telegram:" in conversation else -1] for conversation in others}
        marks |= {sent for conversation, sent in await self.insist(SENT) if conversation in others and ":" not in sent}
        return {mark.encode() for mark in marks}

    async def elsewhere(self, what: str, conversation: str) -> str:
        """Return the address of a replica that does not hold a conversation, for an order that people give there."""
        holders: set[str] = set()
        with suppress(OSError, asyncpg.PostgresError):
            holders = {owner for lease, owner in await self.rows(LEASED) if lease == conversation}
        others = [member for member in self.members if member.up and member.name and member.name not in holders]
        if not (holders and others):
            return self.url
        self.misdirected[what] += 1
        return f"http://127.0.0.1:{self._dice.choice(others).port}"

    def person(self, platform: str, number: int, kind: str, book: Book, dice: random.Random, copies: int = 1) -> Person:
        person = super().person(platform, number, kind, book, dice, copies)
        if isinstance(person, OnTheWeb):
            person.elsewhere = self.elsewhere
        return person

    def tell_tasks(self) -> None:
        """Let every replica write down what it waits for."""
        for member in self.members:
            member.kill(signal.SIGUSR1)

    def spilled(self) -> list[str]:
        """Return the lines of the replicas' log in which something secret stands."""
        return [line for line in self.log.read_text("utf-8", "replace").splitlines() if self.nursery.is_secret(line)]

    async def owes_nothing(self) -> bool:
        if any(self.platforms.unheard.values()):
            return False
        with suppress(OSError, asyncpg.PostgresError):
            return not await self.rows(ASKING)
        return False

    def _member(self, number: int) -> Member:
        folder = self.folder / f"replica {number}"
        folder.mkdir()
        telegram, slack = self.platforms.telegram, self.platforms.slack

        def watch(data: bytes) -> None:
            self.on_sent(member, data)
            for found in WRITE.findall(data):
                self.on_write(member, found.decode())

        member = Member(
            number,
            folder,
            TcpGate(lambda: [self._cluster.port], lambda data: self.on_statement(data)),
            TcpGate(lambda: [telegram.port], watch),
            SocksGate(lambda: [slack.port], watch),
            [TcpGate(lambda port=port: [port]) for port in self.engine_ports],  # type: ignore[misc]
        )
        set_clock(member.clock, 0)
        return member

    def _gates(self) -> list[TcpGate]:
        return [self._balancer, *(gate for member in self.members for gate in member.gates)]

    def _ports(self) -> list[int]:
        ports = [member.port for member in self.members if member.up]
        self._dice.shuffle(ports)
        return ports

    async def _look_at(self, member: Member) -> None:
        """See whether it is ready, as a balancer does, and learn its name."""
        url = f"http://127.0.0.1:{member.port}/readyz"
        async with httpx.AsyncClient(timeout=None, trust_env=False) as client:
            while True:
                up = False
                with suppress(httpx.TransportError, TimeoutError):
                    answer = await within(PATIENCE_S, client.get(url))
                    up = answer.status_code == 200
                    if name := OWN_NAME.search(answer.text):
                        member.name = name[1]
                member.up = up
                await asyncio.sleep(LOOK_S)

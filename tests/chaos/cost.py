"""What sharing the work costs: CPU time, SQL statements and seconds for each question, with a stub of an engine."""

import asyncio
import os
import random
import struct
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import AsyncExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from uuid import uuid4

import asyncpg
import httpx
import psutil

from tests.bots.telegram.conftest import is_finished
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import TOKEN, BotApi
from tests.chaos.people import ROOT, talks
from tests.core.remote.fake_engine import MODEL, FakeEngine, says
from tests.ports import free_port
from tests.storage.postgres import restartable_cluster

COUNTED = Path(__file__).with_name("counted.py")
START_S = 180.0  # the machine may be busy
ANSWER_S = 120.0
IDLE_S = 10.0  # in which the costs without any question are seen
LOOK_S = 0.02
AT_ONCE = 3  # conversations of each platform
FIRST_CHAT = 500
MOST = 1000  # questions of a person; they are counted, and none is refused
CONFIG = """
[core.engine]
model = "{model}"
urls = ["{engine}"]
[core.quota]
questions_per_minute = {most}
questions_per_day = {most}
[storage]
url = "{database}"
[bots.log]
level = "WARNING"
[bots.web]
port = {port}
[bots.telegram]
token = "{token}"
api_url = "{telegram}"
allow = "*"
receipt = false
"""


@dataclass
class Cost:
    """Of so many questions. What a service does without questions in that time is taken off."""

    questions: int = 0
    cpu_s: float = 0.0
    statements: float = 0.0
    idle_statements: float = 0.0  # a second, of all services together
    web_s: list[float] = field(default_factory=list)  # until each answer on the web was there
    followed: int = 0  # questions in a conversation that a replica held
    stayed: int = 0  # those that it answered, too

    def add(self, other: "Cost") -> None:
        self.questions += other.questions
        self.cpu_s += other.cpu_s
        self.statements += other.statements
        self.idle_statements = other.idle_statements
        self.web_s += other.web_s
        self.followed += other.followed
        self.stayed += other.stayed

    def row(self, name: str, one: "Cost") -> str:
        """Return a row of the table, with how much more it is than with `one` service."""
        stayed = f"{self.stayed} of {self.followed}" if self.followed else ""
        cpu, statements = self.cpu_s / self.questions, self.statements / self.questions
        values = (
            f"{1000 * cpu:.0f} ms{_more(cpu, one.cpu_s / one.questions)}",
            f"{statements:.1f}{_more(statements, one.statements / one.questions)}",
            f"{1000 * median(self.web_s):.0f} ms",
            f"{self.idle_statements:.1f}",
            stayed,
        )
        return f"| {name} | {self.questions} | {' | '.join(values)} |"


HEAD = (
    "| services | questions | CPU time each | statements each | until answered on the web, median | statements a "
    "second without questions, of all | follow-ups that stayed |\n|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Case:
    """So many services of a checkout on one PostgreSQL, or one that does not share its database. A browser that `keeps`
    its replica is led to the same one each time, as by the cookie of deploy/Caddyfile."""

    replicas: int = 1
    shares: bool = True
    keeps: bool = True
    tree: Path = ROOT


class Services:
    """The services of a case, on one database."""

    def __init__(self, folder: Path, case: Case, database: str, engine: str, telegram: str) -> None:
        self.ports = [free_port() for _ in range(case.replicas)]
        self._folder, self._tree, self._database = folder, case.tree, database
        self._values = {"model": MODEL, "engine": engine, "database": database, "token": TOKEN, "telegram": telegram}
        self._values["most"] = str(MOST)
        self._counters = [folder / f"statements {number}" for number in range(case.replicas)]
        self._processes: list[Process] = []

    async def __aenter__(self) -> "Services":
        for port, counter in zip(self.ports, self._counters, strict=True):
            counter.write_bytes(bytes(8))
            config = self._folder / f"config {port}.toml"
            config.write_text(CONFIG.format(port=port, **self._values), "utf-8")
            command = (sys.executable, "-P", str(COUNTED), str(counter), "run", "--config", str(config))
            environment = {**os.environ, "PYTHONPATH": str(self._tree), "OMP_NUM_THREADS": "1"}
            self._processes.append(await asyncio.create_subprocess_exec(*command, cwd=self._tree, env=environment))
        async with asyncio.timeout(START_S), httpx.AsyncClient(trust_env=False, timeout=START_S) as client:
            for port in self.ports:
                while not await _is_ready(client, port):
                    await asyncio.sleep(0.1)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        await asyncio.gather(*(process.wait() for process in self._processes))

    def spent(self) -> tuple[float, int]:
        """Return the seconds of CPU time so far, and the statements."""
        cpu = sum(_cpu_s(process.pid) for process in self._processes)
        return cpu, sum(struct.unpack("q", counter.read_bytes())[0] for counter in self._counters)

    async def holder(self, conversation: str) -> str | None:
        if not self._database.startswith("postgresql"):
            return None
        connection = await asyncpg.connect(self._database.replace("+asyncpg", ""))
        try:
            with suppress(asyncpg.UndefinedTableError):
                found: str | None = await connection.fetchval("SELECT owner FROM leases WHERE name = $1", conversation)
                return found
            return None
        finally:
            await connection.close()


async def measure(
    folder: Path, case: Case, database: str, conversations: int, questions: int, idle_s: float = IDLE_S
) -> Cost:
    """So many conversations on the web and in Telegram each, with a picture and so many questions."""
    engine, dice, cost = (
        FakeEngine(usual=says("It is a picture with some words and a few numbers on it.")),
        random.Random(1),
        Cost(),
    )
    async with AsyncExitStack() as stack:
        await engine.start()
        stack.push_async_callback(engine.stop)
        telegram = await stack.enter_async_context(BotApi())
        services = await stack.enter_async_context(Services(folder, case, database, engine.url, telegram.url))
        for number, port in enumerate(services.ports, conversations):  # what begins with the first question
            await _ask_on_the_web(Cost(), services, 2, [port], number)
        await _ask_in_telegram(Cost(), services, telegram, 1, FIRST_CHAT)
        before, began = services.spent(), time.monotonic()
        await asyncio.sleep(idle_s)
        idle_cpu, idle_statements = _rates(before, services.spent(), time.monotonic() - began)
        before, began = services.spent(), time.monotonic()
        turns = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)

        async def on_the_web(number: int) -> None:
            async with turns[0]:
                ports = [dice.choice(services.ports) for _ in range(1 if case.keeps else questions)]
                await _ask_on_the_web(cost, services, questions, ports, number)

        async def in_telegram(number: int) -> None:
            async with turns[1]:
                await _ask_in_telegram(cost, services, telegram, questions, FIRST_CHAT + 1 + number)

        async with asyncio.TaskGroup() as group:
            for number in range(conversations):
                group.create_task(on_the_web(number))
                group.create_task(in_telegram(number))
        seconds = time.monotonic() - began
        cpu, statements = (after - earlier for earlier, after in zip(before, services.spent(), strict=True))
    cost.cpu_s, cost.statements = cpu - idle_cpu * seconds, statements - idle_statements * seconds
    cost.idle_statements = idle_statements
    return cost


async def _ask_on_the_web(cost: Cost, services: Services, questions: int, ports: Sequence[int], number: int) -> None:
    """Each question at the next of the ports, to which a balancer leads it. A person is known by their address."""
    conversation, holder = "", None
    picture = talks()[0].pictures[0]
    transport = httpx.AsyncHTTPTransport(local_address=f"127.1.{number // 200}.{1 + number % 200}")
    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_S, transport=transport) as client:
        for asked in range(questions):
            url = f"http://127.0.0.1:{ports[asked % len(ports)]}/api/v1/analyze"
            form = {"query": f"What is it? {asked}"} | ({"conversation": conversation} if conversation else {})
            files = None if conversation else {"image": ("a.png", picture, "image/png")}
            began = time.perf_counter()
            answer = await client.post(url, data=form, files=files, headers={"Idempotency-Key": uuid4().hex})
            cost.web_s.append(time.perf_counter() - began)
            conversation = answer.raise_for_status().json()["conversation"]
            holder = await _count(cost, services, conversation, holder)


async def _ask_in_telegram(cost: Cost, services: Services, telegram: BotApi, questions: int, number: int) -> None:
    chat, holder = telegram.world.chat(number), None
    person = Person(telegram, chat, number)
    for asked in range(questions):
        text = f"What is it? {asked}"
        message = person.says(text) if asked else person.shows(talks()[0].pictures[0], text)
        async with asyncio.timeout(ANSWER_S):
            while not any(map(is_finished, chat.answers_to(message["message_id"]))):
                await asyncio.sleep(LOOK_S)
        holder = await _count(cost, services, f"telegram:{number}:0", holder)


async def _count(cost: Cost, services: Services, conversation: str, before: str | None) -> str | None:
    """Count an answered question. Return who holds its conversation now."""
    holder = await services.holder(conversation)
    cost.questions += 1
    cost.followed += before is not None
    cost.stayed += before is not None and holder == before
    return holder


def _more(value: float, of_one: float) -> str:
    return f" ({100 * (value / of_one - 1):+.0f} %)" if value != of_one else ""


def _rates(before: tuple[float, int], after: tuple[float, int], seconds: float) -> tuple[float, float]:
    return (after[0] - before[0]) / seconds, (after[1] - before[1]) / seconds


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its children, also of those that have ended."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            total += child.cpu_times().user + child.cpu_times().system
    return float(total)


async def _is_ready(client: httpx.AsyncClient, port: int) -> bool:
    with suppress(httpx.TransportError):
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    return False


async def compare(
    folder: Path, replicas: int, conversations: int, questions: int, rounds: int, tree: Path | None
) -> str:
    """Measure one service and several in turn, and one of another checkout."""
    cases = {
        "1, PostgreSQL": Case(),
        f"{replicas}, a browser keeps its replica": Case(replicas),
        f"{replicas}, each question at any replica": Case(replicas, keeps=False),
        "1, SQLite": Case(shares=False),
    }
    if tree is not None:
        cases |= {
            "other checkout: 1, PostgreSQL": Case(tree=tree),
            "other checkout: 1, SQLite": Case(shares=False, tree=tree),
        }
    costs = {name: Cost() for name in cases}
    one = next(iter(costs.values()))
    for _ in range(rounds):
        for name, case in cases.items():
            place = Path(tempfile.mkdtemp(dir=folder))
            with restartable_cluster() if case.shares else nullcontext() as cluster:
                database = cluster.url if cluster else f"sqlite+aiosqlite:///{place}/answers.db"
                costs[name].add(await measure(place, case, database, conversations, questions))
            print(costs[name].row(name, one), file=sys.stderr, flush=True)
    return "\n".join([HEAD, *(cost.row(name, one) for name, cost in costs.items())])

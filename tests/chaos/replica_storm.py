"""A storm over several services on one PostgreSQL: any of them dies, sleeps or is cut off while people ask."""

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from itertools import cycle
from pathlib import Path

import asyncpg

from core.replica import LEASE_SECONDS
from tests.chaos.crowd import Crowd, Stuck
from tests.chaos.engines import AWAY_S, Engines
from tests.chaos.fate import MOMENTS, set_clock
from tests.chaos.kinds import ASKED_AT_ONCE, Story, asks_twice, forgets, spends_the_quota, stops
from tests.chaos.people import Book
from tests.chaos.plan import Plan
from tests.chaos.points import Points
from tests.chaos.records import read_again
from tests.chaos.replica_site import WRITE, Member, ReplicaSite
from tests.chaos.report import Report
from tests.chaos.tcp_gate import TcpGate
from tests.storage.postgres import restartable_cluster

CLOCK_S = 300.0  # the clock of a replica is moved by at most so much, to either side
CUT_S = (1.0, LEASE_SECONDS + 5)  # how long a replica is cut off
SLEEP_S = (LEASE_SECONDS + 1, LEASE_SECONDS + 5)
APART_S = (0.5, 4.0)  # between two events
AGAIN_S = 0.5  # before a replica that ended is started again
AWAKE_S = 3.0  # in which a replica that slept might still write
WRITE_S = 20.0  # in which somebody writes to a platform
ANSWERING_LOOKS = 15  # for a replica that is answering
TOLD_S = 2.0  # to write down what a service waits for
LASTING = ("stopped beyond the lease", "cut off from the database", "cut off from Telegram", "cut off from Slack")
TAKEN_OVER_S = 90.0  # after that nobody takes over any more
COMMITS = 10  # of which one is the last that the database gets
BROUGHT_S = 30.0  # in which somebody does what they came for
FATED = 0.3  # of the lives that die beside a commit
EXCUSED_STATUSES = (-signal.SIGKILL, -signal.SIGTERM, 0)
CANNOT_WORK = 2  # exit status of a service that cannot reach its database


class Missed(Exception):
    """What was to happen did not."""


class ReplicaStorm:
    """`plan.kills` events happen to `plan.replicas` services. One that ends is started again, as Compose does."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder, self._plan = folder, plan
        self._ends_early = False
        self._dice = random.Random(plan.seed)
        self._report = Report(plan.seed)
        self._points = Points()
        self._recorded: set[str] = set()  # the platforms' ids that the store knew when a replica ended
        self._measuring: list[asyncio.Task[None]] = []
        self._drawn: Counter[str] = Counter()  # events, also those that did not come about
        self._database_away = 0.0  # when anybody was cut off from the database last
        self._kinds: dict[str, Callable[[Member], Awaitable[None]]] = {
            "at random": self._kill,
            "stopped beyond the lease": self._stop,
            "cut off from the database": self._cut_database,
            "database restarted": self._restart_database,
            "database restarted in a commit": self._restart_database_in_a_commit,
            "clock moved": self._move_clock,
            "asked to end, one after the other": self._end_all_in_turn,
        }
        self._askers = cycle(plan.platforms)
        self._kinds["quota spent at several at once"] = lambda _: self._bring(next(self._askers), spends_the_quota)
        if "web" in plan.platforms:
            self._kinds |= {
                "stopped at another replica": lambda _: self._misdirect("stop", stops),
                "forgotten at another replica": lambda _: self._misdirect("forget", forgets),
            }
        if "telegram" in plan.platforms:
            self._kinds |= {
                "before a write to Telegram": lambda _: self._kill_at_a_write(_is_telegrams, 0),
                "after a write to Telegram": lambda _: self._kill_at_a_write(_is_telegrams, self._soon()),
                "cut off from Telegram": lambda member: self._cut(member.telegram),
            }
        if "slack" in plan.platforms:
            self._kinds |= {
                "before a write to Slack": lambda _: self._kill_at_a_write(_is_slacks, 0),
                "after a write to Slack": lambda _: self._kill_at_a_write(_is_slacks, self._soon()),
                "cut off from Slack": lambda member: self._cut(member.slack),
                "the same event of Slack at several": lambda _: self._repeat_event(),
            }
        if plan.remote is not None:
            self._kinds |= {
                "cut off from the engines": lambda member: self._cut(*member.engines),
                "engines killed": lambda _: self._engines.restart(self._dice.uniform(*AWAY_S)),
            }

    def end_early(self) -> None:
        """Let nobody else ask and nothing else happen; those who asked are waited for, and the report is made."""
        self._ends_early = True

    async def blow(self) -> Report:
        plan, report = self._plan, self._report
        with restartable_cluster() as self._cluster:
            site = self._site = ReplicaSite(self._folder, plan.platforms, self._dice, plan.replicas)
            async with site, AsyncExitStack() as stack:
                if plan.remote is not None:
                    self._engines = Engines(self._folder / "engines", None, self._dice)
                    stack.push_async_callback(self._engines.close)
                    await self._engines.start()
                    site.engine, report.engines = self._engines.lines, self._engines.events
                    site.engine_ports = [gate.port for gate in self._engines.gates]
                await site.open(self._cluster)
                if site.transports.get("telegram") == "webhook":
                    self._kinds["updates of Telegram out of order"] = lambda _: self._disorder()
                if plan.events is not None:
                    self._kinds = {kind: self._kinds[kind] for kind in plan.events}
                self._crowd = Crowd(site, plan, self._dice, Book())
                self._keeping = [asyncio.create_task(self._keep(member)) for member in site.members]
                try:
                    await self._blow()
                finally:
                    for task in (*self._keeping, *self._measuring):
                        task.cancel()
                    await asyncio.gather(*self._keeping, *self._measuring, return_exceptions=True)
                    await site.shut()
                    await self._crowd.close()
        return report

    async def _blow(self) -> None:
        plan, report, platforms = self._plan, self._report, self._site.platforms
        await self._site.until_up(plan.replicas)
        try:
            for misread in await self._crowd.calm_day():
                report.complain("calm day", misread)
        except TimeoutError:
            await self._tell_tasks()
            raise
        began = time.monotonic()
        self._lasting = asyncio.create_task(asyncio.sleep(0))
        platforms.faults, platforms.slack.apart_s = plan.faults, plan.apart_s
        if plan.remote is not None:
            self._engines.faults = plan.remote
        try:
            while (events := self._events) < plan.kills and not self._ends_early:
                await self._crowd.ask((events + 1) * plan.conversations // plan.kills)
                await self._come()
                self._tell(began)
            await self._lasting
            await self._site.until_up(plan.replicas)
            if self._ends_early:
                report.complain("given up", f"it was asked to end after {events} of {plan.kills} events")
            else:
                await self._crowd.ask(plan.conversations)
        except (Stuck, RuntimeError, TimeoutError) as error:
            report.complain("given up", f"{error!r}")
        await self._crowd.settle()
        if self._crowd.waiting():
            await self._tell_tasks()
        platforms.faults = 0
        if plan.remote is not None:
            self._engines.faults = 0
        await asyncio.gather(*self._measuring)
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        report.read_again, complaints = await read_again(self._site, self._crowd, plan.browser)
        for complaint in complaints:
            report.complain(*complaint)
        report.seconds = time.monotonic() - began
        self._count()

    # The replicas

    async def _keep(self, member: Member) -> None:
        """Start it again and again; now and then, if any event may come, so that it dies beside one of its commits."""
        fate: dict[str, object] = {}
        while True:
            await self._site.start_member(member, fate)
            assert member.life is not None
            status = await asyncio.shield(member.life.ended)
            self._site.platforms.excuse()
            self._note_end(member, status)
            await asyncio.sleep(AGAIN_S)
            fated = self._plan.events is None and self._events < self._plan.kills and self._dice.random() < FATED
            fate = self._fate() if fated else {}

    def _fate(self) -> dict[str, object]:
        moment = self._dice.choice(MOMENTS)
        step = self._points.aim(moment.split()[0], self._points.commits, self._dice)
        return {"moment": moment, "step": step, "writes": self._dice.randint(1, 4 if step else 25)}

    def _note_end(self, member: Member, status: int) -> None:
        before = self._points.killed.copy()
        self._points.learn(member.diary)
        for point in (self._points.killed - before).elements():
            self._report.kills[f"{point.split()[0]} a commit"] += 1
        cut_off = time.monotonic() - self._database_away < CUT_S[1] + 10
        if status not in EXCUSED_STATUSES and not (status == CANNOT_WORK and cut_off):
            self._report.complain("strange end", f"replica {member.number} ended with {status}")

    # What happens

    @property
    def _events(self) -> int:
        return self._report.kills.total() + self._report.weather.total()

    async def _come(self) -> None:
        """One event, to a replica that is up while another one is, too. What lasts goes on beside the next ones."""
        await self._site.until_up(min(2, self._plan.replicas))
        happened = self._report.kills + self._report.weather
        kind = min(self._kinds, key=lambda kind: (self._drawn[kind] + happened[kind], self._dice.random()))
        self._drawn[kind] += 1
        if kind in LASTING:
            await self._lasting
            await self._site.until_up(min(2, self._plan.replicas))
        member = self._dice.choice([member for member in self._site.members if member.up])
        if kind in LASTING:
            self._lasting = asyncio.create_task(self._happen(kind, member))
        else:
            await self._happen(kind, member)
        await asyncio.sleep(self._dice.uniform(*APART_S))

    async def _happen(self, kind: str, member: Member) -> None:
        with suppress(Missed):
            await self._kinds[kind](member)
            (self._report.kills if "write" in kind or kind == "at random" else self._report.weather)[kind] += 1

    async def _answering(self, member: Member) -> Member:
        """Return a replica that is answering somebody, if there is one soon, else that one."""
        for _ in range(ANSWERING_LOOKS):
            for each in self._dice.sample(self._site.members, len(self._site.members)):
                if each.up and each.name and await self._site.asking_held_by(each.name):
                    return each
            await asyncio.sleep(0.2)
        return member

    async def _kill(self, member: Member) -> None:
        member = await self._answering(member)
        await self._remember()
        await self._measure(member)
        member.kill(signal.SIGKILL)

    def _soon(self) -> float:
        return self._dice.uniform(0.005, 0.05)

    async def _kill_at_a_write(self, is_meant: Callable[[str], bool], pause: float) -> None:
        """Whoever writes next, before the platform has got all of it or soon after."""
        written: asyncio.Future[Member] = asyncio.get_running_loop().create_future()
        left = self._dice.randint(1, 6)

        def on_write(member: Member, method: str) -> None:
            nonlocal left
            left -= is_meant(method)
            if left == 0 and not written.done():
                self._points.killed[f"{'after' if pause else 'before'} {method}"] += 1
                if not pause:
                    member.kill(signal.SIGKILL)
                written.set_result(member)

        self._site.on_write = on_write
        try:
            async with asyncio.timeout(WRITE_S):
                member = await written
        except TimeoutError:
            raise Missed from None
        finally:
            self._site.on_write = lambda member, method: None
        await asyncio.sleep(pause)
        member.kill(signal.SIGKILL)
        await self._remember()
        await self._measure(member)

    async def _stop(self, member: Member) -> None:
        member = await self._answering(member)
        held = await self._site.asking_held_by(member.name)
        await self._measure(member)
        member.kill(signal.SIGSTOP)
        self._site.platforms.excuse()
        await asyncio.sleep(self._dice.uniform(*SLEEP_S))
        self._site.platforms.excuse()
        marks = await self._site.marks_taken_from(member.name, held)
        self._report.slept += len(held)
        writing, life = "", member.life

        def on_sent(writer: Member, data: bytes) -> None:
            nonlocal writing
            if writer is member and member.life is life and data.startswith(b"POST "):
                writing = (WRITE.findall(data) or [b""])[0].decode()
            if writer is member and writing and any(mark in data for mark in marks):
                self._report.zombie_writes[writing] += 1

        self._site.on_sent = on_sent
        member.kill(signal.SIGCONT)
        await asyncio.sleep(AWAKE_S)
        self._site.on_sent = lambda writer, data: None

    async def _cut_database(self, member: Member) -> None:
        member = await self._answering(member)
        await self._measure(member)
        await self._cut(member.database)

    async def _cut(self, *gates: TcpGate) -> None:
        for gate in gates:
            await gate.cut()
        await self._wait_cut_off(self._dice.uniform(*CUT_S))
        for gate in gates:
            await gate.open()

    async def _restart_database(self, _: Member) -> None:
        """As in a crash, or as its operator does."""
        await asyncio.to_thread(self._cluster.stop, self._dice.choice((signal.SIGINT, signal.SIGQUIT)))
        await self._wait_cut_off(self._dice.uniform(0, 3))
        await asyncio.to_thread(self._cluster.start)

    async def _restart_database_in_a_commit(self, _: Member) -> None:
        left, struck = self._dice.randint(1, COMMITS), asyncio.Event()

        def on_statement(data: bytes) -> None:
            nonlocal left
            left -= b"COMMIT" in data
            if left <= 0 and not struck.is_set():
                self._cluster.kill(signal.SIGQUIT)  # the statement is passed on, and may come too late
                struck.set()

        self._site.on_statement = on_statement
        try:
            async with asyncio.timeout(WRITE_S):
                await struck.wait()
        except TimeoutError:
            raise Missed from None
        finally:
            self._site.on_statement = lambda data: None
        await self._restart_database(_)

    async def _move_clock(self, member: Member) -> None:
        set_clock(member.clock, self._dice.uniform(-CLOCK_S, CLOCK_S))

    async def _end_all_in_turn(self, _: Member) -> None:
        for member in self._site.members:
            await self._measure(member)
            life = member.life
            member.kill(signal.SIGTERM)
            if life is not None:
                await life.ended
            await self._site.until_up(self._plan.replicas)

    async def _bring(self, platform: str, story: Story, copies: int = 1) -> None:
        self._crowd.bring(platform, story, copies)

    async def _misdirect(self, what: str, story: Story) -> None:
        """Somebody gives an order to a replica that does not answer them."""
        before = self._site.misdirected[what]
        self._crowd.bring("web", story)
        await self._until(lambda: self._site.misdirected[what] > before)

    async def _repeat_event(self) -> None:
        slack = self._site.platforms.slack
        before = slack.told_to_several
        self._crowd.bring("slack", asks_twice, 2)
        await self._until(lambda: slack.told_to_several > before)

    async def _disorder(self) -> None:
        """Some people write to Telegram at the same time."""
        telegram = self._site.platforms.telegram
        before = telegram.disordered
        for _ in range(ASKED_AT_ONCE):
            self._crowd.bring("telegram", asks_twice)
        await self._until(lambda: telegram.disordered > before)

    async def _until(self, has_happened: Callable[[], bool]) -> None:
        end = time.monotonic() + BROUGHT_S
        while not has_happened():
            if time.monotonic() > end:
                raise Missed
            await asyncio.sleep(0.1)

    async def _wait_cut_off(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._site.platforms.excuse()
            self._database_away = time.monotonic()
            await asyncio.sleep(min(1.0, max(0.0, end - time.monotonic())))

    # What is counted

    async def _remember(self) -> None:
        with_ids = await self._site.insist("SELECT sent FROM deliveries")
        self._recorded |= {sent for (sent,) in with_ids}

    async def _measure(self, member: Member) -> None:
        """Measure from now on until others work on what a replica works on now."""
        if member.name:
            held = await self._site.asking_held_by(member.name)
            self._measuring += [
                asyncio.create_task(self._until_taken_over(name, member.name, time.monotonic())) for name in held
            ]

    async def _until_taken_over(self, conversation: str, by: str, since: float) -> None:
        """A database that is away, and a question that was answered before all that, are no take-over."""
        query = (
            f"SELECT owner FROM leases WHERE name = '{conversation}' AND until > extract(epoch FROM clock_timestamp())"
        )
        asking = f"SELECT 1 FROM messages WHERE conversation_id = '{conversation}' AND finished IS NULL"
        while time.monotonic() - since < TAKEN_OVER_S:
            try:
                if (owners := await self._site.rows(query)) and owners[0][0] != by:
                    self._report.take_overs_s.append(time.monotonic() - since)
                    return
                if not await self._site.rows(asking):
                    return
            except (OSError, asyncpg.PostgresError):
                since += 0.2
            await asyncio.sleep(0.2)
        self._report.complain("not taken over", f"{conversation} after {TAKEN_OVER_S:g} s")

    def _count(self) -> None:
        self._report.count(self._crowd, self._site.platforms, self._points, self._recorded, self._site.spilled())
        self._report.misdirected = self._site.misdirected
        self._report.repeated = self._site.platforms.slack.told_to_several
        self._report.disordered = self._site.platforms.telegram.disordered
        self._report.transports.update(f"{platform} by {way}" for platform, way in self._site.transports.items())

    async def _tell_tasks(self) -> None:
        self._site.tell_tasks()
        await asyncio.sleep(TOLD_S)

    def _tell(self, began: float) -> None:
        waiting, asked = len(self._crowd.waiting()), len(self._crowd.people)
        text = f"{time.monotonic() - began:.0f} s, {self._events} events; {asked - waiting} of {asked} answered"
        print(text, file=sys.stderr, flush=True)


def _is_slacks(method: str) -> bool:
    return method.startswith(("chat.", "files."))


def _is_telegrams(method: str) -> bool:
    return not _is_slacks(method)

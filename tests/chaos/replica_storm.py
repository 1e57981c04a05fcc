"""A storm over several services on one PostgreSQL: any of them dies, sleeps or is cut off while people ask."""

import asyncio
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg

from core.replica import LEASE_SECONDS
from tests.chaos.crowd import Crowd, Stuck
from tests.chaos.fate import MOMENTS, set_clock
from tests.chaos.people import Book
from tests.chaos.plan import Plan
from tests.chaos.points import Points
from tests.chaos.records import read_again
from tests.chaos.replica_site import Member, ReplicaSite
from tests.chaos.report import Report
from tests.storage.postgres import restartable_cluster

CLOCK_S = 300.0  # the clock of a replica is moved by at most so much, to either side
CUT_S = (1.0, LEASE_SECONDS + 5)  # how long a replica is cut off
SLEEP_S = (LEASE_SECONDS + 1, LEASE_SECONDS + 5)
APART_S = (0.5, 4.0)  # between two events
AGAIN_S = 0.5  # before a replica that ended is started again
TAKEN_OVER_S = 90.0  # after that nobody takes over any more
FATED = 0.3  # of the lives that die beside a commit
EXCUSED_STATUSES = (-signal.SIGKILL, -signal.SIGTERM, 0)
CANNOT_WORK = 2  # exit status of a service that cannot reach its database


class ReplicaStorm:
    """`plan.kills` events happen to `plan.replicas` services. One that ends is started again, as Compose does."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder, self._plan = folder, plan
        self._dice = random.Random(plan.seed)
        self._report = Report(plan.seed)
        self._points = Points()
        self._recorded: set[str] = set()  # the platforms' ids that the store knew when a replica ended
        self._measuring: list[asyncio.Task[None]] = []
        self._database_away = 0.0  # when anybody was cut off from the database last
        self._kinds: dict[str, Callable[[Member], Awaitable[None]]] = {
            "at random": self._kill,
            "before a write to Telegram": self._kill_before_a_write,
            "after a write to Telegram": self._kill_after_a_write,
            "stopped beyond the lease": self._stop,
            "cut off from the database": self._cut_database,
            "cut off from Telegram": self._cut_telegram,
            "database restarted": self._restart_database,
            "clock moved": self._move_clock,
            "asked to end, one after the other": self._end_all_in_turn,
        }

    async def blow(self) -> Report:
        plan, report = self._plan, self._report
        with restartable_cluster() as self._cluster:
            site = self._site = ReplicaSite(
                self._folder, plan.platforms, self._dice, plan.replicas, plan.questions_at_once
            )
            async with site:
                await site.open(self._cluster)
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
        for misread in await self._crowd.calm_day():
            report.complain("calm day", misread)
        began = time.monotonic()
        platforms.faults, platforms.slack.apart_s = plan.faults, plan.apart_s
        try:
            while (events := self._events) < plan.kills:
                await self._crowd.ask((events + 1) * plan.conversations // plan.kills)
                await self._come()
                self._tell(began)
            await self._site.until_up(plan.replicas)
            await self._crowd.ask(plan.conversations)
        except (Stuck, RuntimeError, TimeoutError) as error:
            report.complain("given up", f"{error!r}")
        await self._crowd.settle()
        platforms.faults = 0
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
        """Start it again and again; now and then so that it dies beside one of its commits."""
        fate: dict[str, object] = {}
        while True:
            await self._site.start_member(member, fate)
            assert member.life is not None
            status = await asyncio.shield(member.life.ended)
            self._site.platforms.excuse()
            self._note_end(member, status)
            await asyncio.sleep(AGAIN_S)
            fate = self._fate() if self._dice.random() < FATED and self._events < self._plan.kills else {}

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
        """One event, to a replica that is up while another one is, too."""
        await self._site.until_up(min(2, self._plan.replicas))
        kind = min(self._kinds, key=lambda kind: (self._seen(kind), self._dice.random()))
        await self._kinds[kind](self._dice.choice([member for member in self._site.members if member.up]))
        (self._report.kills if "write" in kind or kind == "at random" else self._report.weather)[kind] += 1
        await asyncio.sleep(self._dice.uniform(*APART_S))

    def _seen(self, kind: str) -> int:
        return self._report.kills[kind] + self._report.weather[kind]

    async def _kill(self, member: Member) -> None:
        await self._remember()
        await self._measure(member)
        member.kill(signal.SIGKILL)

    async def _kill_before_a_write(self, member: Member) -> None:
        await self._kill_at_a_write(member, 0)

    async def _kill_after_a_write(self, member: Member) -> None:
        await self._kill_at_a_write(member, self._dice.uniform(0.005, 0.05))

    async def _kill_at_a_write(self, _: Member, pause: float) -> None:
        """Whoever writes next, before the platform has got all of it or soon after."""
        written: asyncio.Future[Member] = asyncio.get_running_loop().create_future()
        left = self._dice.randint(1, 6)

        def on_write(member: Member, method: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._points.killed[f"{'after' if pause else 'before'} {method}"] += 1
                if not pause:
                    member.kill(signal.SIGKILL)
                written.set_result(member)

        self._site.on_write = on_write
        try:
            async with asyncio.timeout(20):
                member = await written
        except TimeoutError:
            return
        finally:
            self._site.on_write = lambda member, method: None
        await asyncio.sleep(pause)
        member.kill(signal.SIGKILL)
        await self._remember()
        await self._measure(member)

    async def _stop(self, member: Member) -> None:
        await self._measure(member)
        member.kill(signal.SIGSTOP)
        self._site.platforms.excuse()
        await asyncio.sleep(self._dice.uniform(*SLEEP_S))
        self._site.platforms.excuse()
        member.kill(signal.SIGCONT)

    async def _cut_database(self, member: Member) -> None:
        await self._measure(member)
        await member.database.cut()
        await self._wait_cut_off(self._dice.uniform(*CUT_S))
        await member.database.open()

    async def _cut_telegram(self, member: Member) -> None:
        await member.telegram.cut()
        await self._wait_cut_off(self._dice.uniform(*CUT_S))
        await member.telegram.open()

    async def _restart_database(self, _: Member) -> None:
        """As in a crash, or as its operator does."""
        await asyncio.to_thread(self._cluster.stop, self._dice.choice((signal.SIGINT, signal.SIGQUIT)))
        await self._wait_cut_off(self._dice.uniform(0, 3))
        await asyncio.to_thread(self._cluster.start)

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

    async def _wait_cut_off(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._site.platforms.excuse()
            self._database_away = time.monotonic()
            await asyncio.sleep(min(1.0, max(0.0, end - time.monotonic())))

    # What is counted

    async def _remember(self) -> None:
        with_ids = await self._site.rows("SELECT sent FROM deliveries")
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
        self._report.transports.update(f"{platform} by {way}" for platform, way in self._site.transports.items())

    def _tell(self, began: float) -> None:
        waiting, asked = len(self._crowd.waiting()), len(self._crowd.people)
        text = f"{time.monotonic() - began:.0f} s, {self._events} events; {asked - waiting} of {asked} answered"
        print(text, file=sys.stderr, flush=True)

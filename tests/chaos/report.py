"""What people saw through the storm, counted platform by platform, and what the storm did and did not touch."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.disk_space import free, reserve
from tests.chaos.crowd import Crowd
from tests.chaos.people import Person
from tests.chaos.platforms import Platforms
from tests.chaos.points import Points

COLUMNS = ("questions", "answered once, whole", "lost", "doubled", "out of order", "other words", "invented")
LEAVES_MARK = ("UPDATE messages", "setMessageReaction", "reactions.remove")  # the steps that finish a question
UNREACHED = ("cut", "slow")  # in the name of weather in which a platform is not reached in time
LEFT = 0.6  # of what the cache is to leave free: the database may have grown since it wrote


@dataclass
class Report:
    """`counts` by platform and column. `troubles` are the stories behind all that should not be; `checks` counts them
    by what saw them."""

    seed: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, Counter[str]] = field(default_factory=dict)  # by platform: how many people did what
    kinds_there_are: dict[str, list[str]] = field(default_factory=dict)
    late: Counter[tuple[str, str]] = field(default_factory=Counter)  # by platform and kind: what came too late to count
    kills: Counter[str] = field(default_factory=Counter)  # by the moment that was chosen
    points: Counter[str] = field(default_factory=Counter)  # kills by the commit or write that they stood beside
    points_there_are: set[str] = field(default_factory=set)  # before and after each commit and write that was seen
    transports: Counter[str] = field(default_factory=Counter)  # lives with each
    noise: Counter[str] = field(default_factory=Counter)  # malformed events, by platform
    weather: Counter[str] = field(default_factory=Counter)
    engines: Counter[str] = field(default_factory=Counter)  # what engines elsewhere did wrong
    calls: Counter[str] = field(default_factory=Counter)  # by platform
    faults: Counter[str] = field(default_factory=Counter)  # by platform
    read_again: Counter[str] = field(default_factory=Counter)  # turns, by the way they were read
    leftovers: Counter[str] = field(default_factory=Counter)  # by platform
    marks: Counter[str] = field(default_factory=Counter)  # of the bot at questions, by platform
    take_overs_s: list[float] = field(default_factory=list)  # of questions of a replica that died, slept or was cut off
    slept: int = 0  # conversations with an open question of replicas that were stopped beyond their lease
    zombie_writes: Counter[str] = field(default_factory=Counter)  # by method, to what another replica had taken over
    misdirected: Counter[str] = field(default_factory=Counter)  # orders at a replica that does not answer there
    repeated: int = 0  # events of Slack that several replicas got
    disordered: int = 0  # updates of Telegram that came after a later one
    slowest_ack_s: float = 0.0  # of Slack's events while the service lived
    small_disk: bool = False  # whether database and cache shared a small one
    seconds: float = 0.0

    def count(
        self, crowd: Crowd, platforms: Platforms, points: Points, recorded: Collection[str], spilled: Sequence[str]
    ) -> None:
        """Count what people saw and what is left. `recorded` are ids that the store knew, `spilled` log lines."""
        for person in crowd.people:
            self.judge(person)
            self.marks[person.platform] += len(person.marks())
            left = person.leftovers()
            self.leftovers[person.platform] += len(left)
            for id, posted in left.items():
                if id in recorded:
                    self.blame(person, "placeholders", f"{id} stayed, though it was written down")
                elif not platforms.is_excused(posted):
                    self.blame(person, "placeholders", f"{id} stayed, and nothing had gone wrong when it came")
        for platform, count in platforms.unheard.items():
            if count:
                self.complain("unheard", f"{platform}: {count} events were never acknowledged")
        for line in spilled[:20]:
            self.complain("words in the log", line)
        self.kinds_there_are = crowd.kinds
        self.points, self.points_there_are = points.killed, points.all(platforms.steps)
        self.judge_marks(platforms.failed_marks)
        self.calls, self.faults, self.noise = platforms.calls, platforms.failed, platforms.noise
        self.slowest_ack_s = max(platforms.slack.acks, default=0.0)

    def judge(self, person: Person) -> None:
        counts = self.counts.setdefault(person.platform, Counter())
        self.kinds.setdefault(person.platform, Counter())[person.kind] += 1
        self.late[person.platform, person.kind] += not person.counted
        for asked in person.asked():
            counts["questions"] += 1
            counts[asked.verdict] += 1
            if asked.verdict != COLUMNS[1]:
                self.blame(person, asked.verdict, f"{list(asked.found)}")
        if not person.done:
            counts["questions"] += 1
            counts["lost"] += 1
            self.blame(person, "lost", "could not go on")
        elif not (person.apart or person.in_order()):
            counts["out of order"] += 1
            self.blame(person, "out of order", f"{[asked.found for asked in person.asked()]}")
        more = Counter(person.everything()) - Counter(text for asked in person.asked() for text in asked.found)
        if more:
            counts["doubled"] += more.total()
            self.blame(person, "doubled", f"{sorted(more.elements())} was said besides")
        for trouble in person.troubles:
            self.blame(person, "quota", trouble)

    def judge_marks(self, failed: int) -> None:
        """A mark may only stay where a kill came between its question's end and the next attempt to take it back.

        That is beside the steps of the end; or at any moment, after one of the `failed` calls about marks.
        """
        beside = sum(self.points[point] for point in self.points if point.partition(" ")[2] in LEAVES_MARK)
        unreached = sum(count for kind, count in self.weather.items() if any(word in kind for word in UNREACHED))
        excuses = min(self.kills.total(), beside + failed + unreached)
        if self.marks.total() > excuses:
            self.complain("marks", f"{_listed(self.marks)} stayed, and {excuses} had an excuse")

    def judge_disk(self, folder: Path) -> None:
        """The cache leaves room to what people say and send."""
        cached = sum(path.stat().st_size for path in (folder / "cache").rglob("*.safetensors"))
        if self.small_disk and cached and free(folder) < LEFT * reserve(folder):
            self.complain("disk", f"{free(folder)} bytes are free, and the cache has {cached}")

    def blame(self, person: Person, check: str, what: str) -> None:
        self.complain(check, f"{person.platform}, {person.kind}, {person.conversation}: {what}")

    def complain(self, check: str, what: str) -> None:
        self.checks[check] += 1
        self.troubles.append(f"{check}: {what}")

    @property
    def good(self) -> bool:
        return not self.troubles

    def __str__(self) -> str:
        together = sum(self.counts.values(), Counter())
        rows = [*sorted(self.counts.items()), ("together", together)]
        lines = [f"| platform | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
        lines += [
            f"| {platform} | {' | '.join(str(counts[column]) for column in COLUMNS)} |" for platform, counts in rows
        ]
        return "\n".join([*lines, "", *self._remarks(), "", *self._points_table()])

    def _points_table(self) -> list[str]:
        """How often the service was killed before and after each commit and each write to a platform; 0 is a gap."""
        steps = sorted({point.partition(" ")[2] for point in self.points_there_are | self.points.keys()})
        rows = [f"| {step} | {self.points[f'before {step}']} | {self.points[f'after {step}']} |" for step in steps]
        return ["| step | killed before | killed after |", "|---|---|---|", *rows] if rows else []

    def _remarks(self) -> list[str]:
        kills = self.kills.total()
        faults = ", ".join(
            f"{self.faults[platform]} of {calls} on {platform}" for platform, calls in sorted(self.calls.items())
        )
        left = ", ".join(f"{count} on {platform}" for platform, count in sorted(self.leftovers.items()) if count)
        late = Counter({f"{kind} on {platform}": count for (platform, kind), count in self.late.items()})
        untouched = sorted(self.points_there_are - self.points.keys())
        unplayed = [
            f"{kind} ({platform})"
            for platform, kinds in sorted(self.kinds_there_are.items())
            for kind in kinds
            if not self.kinds.get(platform, Counter())[kind]
        ]
        return [
            f"- Seed {self.seed}: {kills} kills in {self.seconds / 60:.1f} minutes ({_listed(self.kills)}).",
            *[f"- People on {platform}: {_listed(kinds)}." for platform, kinds in sorted(self.kinds.items())],
            f"- Came too late to count: {_listed(late) or 'nothing'}.",
            f"- Lives: {_listed(self.transports)}. Malformed events: {_listed(self.noise) or 'none'}.",
            f"- Weather: {_listed(self.weather) or 'fair'}. Calls that failed: {faults or 'none'}.",
            *([f"- Engines elsewhere: {_listed(self.engines)}."] if self.engines else []),
            *([f"- Taken over: {_percentiles(self.take_overs_s)}."] if self.take_overs_s else []),
            *([self._shared()] if self.slept or self.misdirected or self.repeated else []),
            f"- Turns read again at the end: {_listed(self.read_again) or 'none'}.",
            f"- Slack's slowest acknowledgement: {self.slowest_ack_s:.2f} s. Placeholders left: {left or 'none'}. "
            f"Reactions left: {_listed(self.marks) or 'none'}.",
            f"- Not touched: {len(untouched)} of the {len(self.points_there_are)} points at steps that were seen"
            f"{': ' if untouched else ''}{', '.join(untouched)}; of what people do {', '.join(unplayed) or 'nothing'}; "
            f"a real full disk {'was' if self.small_disk else 'was not'} there.",
        ]

    def _shared(self) -> str:
        """What only several replicas meet."""
        writes = (
            f"{self.zombie_writes.total()} writes ({_listed(self.zombie_writes)})" if self.zombie_writes else "none"
        )
        return (
            f"- Orders at a replica that answers elsewhere: {_listed(self.misdirected) or 'none'}. Slack events that "
            f"several replicas got: {self.repeated}. Updates that Telegram posted after later ones: {self.disordered}. "
            f"Writes after a sleep to what another replica had taken over: "
            f"{writes}, of {self.slept} conversations with an open question."
        )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()) if count)


def _percentiles(seconds: list[float]) -> str:
    found = sorted(seconds)
    median, late = found[len(found) // 2], found[int(0.95 * (len(found) - 1))]
    return f"{len(found)} questions, median {median:.1f} s, p95 {late:.1f} s, longest {found[-1]:.1f} s"

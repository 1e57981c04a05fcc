"""What people saw through the storm, counted door by door."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.people import Person

COLUMNS = ("questions", "answered once, whole", "lost", "doubled", "out of order", "other words")


@dataclass
class Report:
    """`counts` by door and column. `troubles` are the stories behind all that should not be."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)  # by the moment that was chosen
    weather: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)  # by door
    faults: Counter[str] = field(default_factory=Counter)  # by door
    leftovers: Counter[str] = field(default_factory=Counter)  # by door
    slowest_ack_s: float = 0.0  # of Slack's events while the service lived
    seconds: float = 0.0

    def judge(self, person: Person, expected: Sequence[str]) -> None:
        found, counts = person.answers(), self.counts.setdefault(person.door, Counter())
        counts["questions"] += len(expected)
        self.leftovers[person.door] += person.leftovers()
        missing, more = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
        counts["answered once, whole"] += len(expected) - missing.total()
        if len(found) < len(expected):
            verdict = "lost"
        elif len(found) > len(expected):
            verdict = "doubled"
        elif missing:
            verdict = "other words"
        elif list(found) != list(expected) or not person.in_order():
            verdict = "out of order"
        else:
            return
        counts[verdict] += max(1, abs(len(found) - len(expected)))
        self.troubles.append(f"{person.door}, {verdict}: {sorted(missing)} missing, {sorted(more)} more, of {found}")

    @property
    def good(self) -> bool:
        return not self.troubles

    def __str__(self) -> str:
        together = sum(self.counts.values(), Counter())
        rows = [*sorted(self.counts.items()), ("together", together)]
        lines = [f"| door | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
        lines += [f"| {door} | {' | '.join(str(counts[column]) for column in COLUMNS)} |" for door, counts in rows]
        return "\n".join([*lines, "", *self._remarks()])

    def _remarks(self) -> list[str]:
        kills = self.kills.total()
        faults = ", ".join(f"{self.faults[door]} of {calls} on {door}" for door, calls in sorted(self.calls.items()))
        left = ", ".join(f"{count} on {door}" for door, count in sorted(self.leftovers.items()) if count)
        return [
            f"- {kills} kills in {self.seconds / 60:.1f} minutes ({_listed(self.kills)}).",
            f"- Weather: {_listed(self.weather) or 'fair'}. Calls that failed: {faults or 'none'}.",
            f"- Slack's slowest acknowledgement: {self.slowest_ack_s:.2f} s. Placeholders left: {left or 'none'}.",
        ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))

"""What happened in bad weather, and what should not have."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Conversation:
    """On the web: what was asked there and answered."""

    id: str
    turns: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Ledger:
    """`asked` and `answered` are by platform, `looks` at /readyz by weather and by whether they were told the truth."""

    seed: int
    storms: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    conversations: list[Conversation] = field(default_factory=list)
    deleted: int = 0
    looks: Counter[tuple[str, bool]] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return self.asked.total() - self.answered.total()

    @property
    def good(self) -> bool:
        return not (self.lost or self.deleted or self.troubles or any(not true for _, true in self.looks))

    def __str__(self) -> str:
        lines = [f"Seed {self.seed}.", "", "| platform | questions | answered | lost |", "|---|---|---|---|"]
        for platform, count in sorted(self.asked.items()):
            lines.append(f"| {platform} | {count} | {self.answered[platform]} | {count - self.answered[platform]} |")
        lines += ["", "| weather | times | looks at /readyz | of these true |", "|---|---|---|---|"]
        for kind in sorted({*self.storms, *(kind for kind, _ in self.looks)}):
            true = self.looks[kind, True]
            lines.append(f"| {kind} | {self.storms[kind] or ''} | {true + self.looks[kind, False]} | {true} |")
        kept = sum(len(conversation.turns) for conversation in self.conversations)
        return "\n".join(
            [*lines, "", f"Turns of the web read again at the end: {kept}; deleted unasked: {self.deleted}."]
        )

"""The steps beside which the service can be killed, and how often it was: so that none is left out by chance."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

MOMENTS = ("before", "after")


@dataclass
class Points:
    """A step is a commit, named by its first write, or a call of a platform; `killed` is by moment and step."""

    commits: set[str] = field(default_factory=set)
    killed: Counter[str] = field(default_factory=Counter)
    aimed: Counter[str] = field(default_factory=Counter)

    def aim(self, moment: str, steps: Iterable[str], dice: random.Random) -> str | None:
        """The step that was met, or at least aimed at, least so far; now and then None, which is whichever comes."""
        known = {f"{moment} {step}": step for step in steps}
        if not known or dice.random() < 0.3:
            return None
        name = min(sorted(known), key=lambda name: (self.killed[name] + self.aimed[name], dice.random()))
        self.aimed[name] += 1
        return known[name]

    def learn(self, diary: Path) -> None:
        """What lives wrote down: the commits that they saw, and at last the one that they died beside."""
        lines = diary.read_text("utf-8").splitlines() if diary.exists() else []
        diary.unlink(missing_ok=True)
        for line in lines:
            kind, _, what = line.partition(" ")
            if kind == "died":
                self.killed[what] += 1
            elif kind == "saw":
                self.commits.add(what)

    def all(self, steps: Iterable[str]) -> set[str]:
        return {f"{moment} {step}" for moment in MOMENTS for step in {*self.commits, *steps}}

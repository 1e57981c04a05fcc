"""Shows that the storm sees deliberate faults: each mutant meets people and kills that bring its fault out."""

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.chaos.mutants import MUTANTS
from tests.chaos.people import Book
from tests.chaos.plan import Plan
from tests.chaos.site import attentive_nursery
from tests.chaos.weather import Storm

SEEDS = (1, 2, 3)
NO_FAULT = "no fault"
EVERYBODY = Plan(
    kills=0, faults=0, storms=0, apart_s=0, noise=0, copies=1, talks=2, browser=False
)  # of whom the others are a part
ASKING = replace(EVERYBODY, conversations=6, kinds=("asks twice",))
IN_CHATS = replace(ASKING, conversations=4, platforms=("telegram", "slack"))
TWICE = replace(IN_CHATS, fewest_copies=2, copies=2)
AIM = replace(ASKING, conversations=3, kills=2)
READING = replace(AIM, platforms=("web",), kinds=("posts once",), held=True, aims=("after question taken by the web",))
ON_SLACK = replace(
    AIM, platforms=("slack",), kinds=("goes on in private",), held=True, aims=("after acknowledgement to Slack",)
)
ON_TELEGRAM = replace(  # with single pictures, since a kill may tear an album
    AIM, platforms=("telegram",), talks=1, held=True, aims=("before editMessageText",)
)
PLANS = {
    "web questions are never written down": READING,
    "acknowledged before it is written down": ON_SLACK,
    "finished before it is answered": ON_TELEGRAM,
    "a start skips the oldest message": replace(ON_TELEGRAM, patience_s=60),  # it owes an answer for good
    "a start does not look for what was begun": ON_TELEGRAM,
    "platform ids are not recorded": IN_CHATS,
    "answered twice": IN_CHATS,
    "deduplication is off": TWICE,
    "a second delivery gets a new key": TWICE,
    "the order is lost": IN_CHATS,
    "every turn is saved twice": ASKING,
    "answers are cut short where they are shown": ASKING,
    "answers are cut short where they are saved": ASKING,
    "pictures are saved in another order": ASKING,
    "questions stand in the log": ASKING,
    "a new answer is put below the old one": replace(ASKING, conversations=3, kinds=("retries",)),
    "the model answers thanks": replace(ASKING, conversations=3, kinds=("says thanks",)),
    "edits are not heeded": replace(  # who edited waits for good
        IN_CHATS, platforms=("telegram",), kinds=("edits",), patience_s=60
    ),
    "thumbs are not kept": replace(ASKING, conversations=2, platforms=("web",), kinds=("rates",)),
    "settings are not kept": replace(ASKING, conversations=3, kinds=("changes settings",)),
    "what is not to be kept is kept": replace(ASKING, conversations=3, kinds=("keeps nothing",)),
    "the reaction to a question stays": IN_CHATS,
    "other pages of a document are not opened": replace(ASKING, conversations=3, kinds=("sends a document",)),
    "stop ends everybody's answers": replace(IN_CHATS, kinds=("stops one of two",), held=True),
    "forgetting leaves the pictures": replace(ASKING, kinds=("forgets", "forgets a picture")),
    "forgetting keeps the conversation": replace(ASKING, kinds=("forgets", "forgets a picture")),
    "the cache starves the disk": replace(  # what is left is less than the largest file, whatever comes last
        ASKING, conversations=12, platforms=("web",), kinds=("asks often",), disk_bytes=128 << 20
    ),
    "the quota is never given back": replace(ASKING, conversations=3, kinds=("asks often",)),
    "a stopped answer is saved as a whole one": replace(IN_CHATS, conversations=2, kinds=("stops midway",), held=True),
    "deletions are not heeded": replace(
        ASKING, conversations=2, platforms=("slack",), kinds=("deletes an answered question",)
    ),
    "an album is closed one picture too early": replace(ASKING, conversations=2, platforms=("telegram",)),
    "a start forgets what was said before": replace(AIM, kills=1, aims=("after INSERT turns",)),
    "an export leaves out the last turn": replace(ASKING, conversations=3, kinds=("takes along",)),
    "the cache keeps what is forgotten": replace(ASKING, kinds=("forgets",)),
}


@dataclass
class Trial:
    """What one mutant, or none, came to with one seed."""

    mutant: str
    seed: int
    kills: int
    checks: Counter[str]
    troubles: list[str] = field(repr=False)

    @property
    def good(self) -> bool:
        """One of the checks that have to see it did, after all kills that bring it out; without a fault nothing did."""
        if self.mutant == NO_FAULT:
            return not self.checks
        return bool(self.seen_by) and self.kills == PLANS[self.mutant].kills

    @property
    def seen_by(self) -> dict[str, int]:
        wanted = MUTANTS[self.mutant].seen_by if self.mutant in MUTANTS else ()
        return {check: self.checks[check] for check in wanted if self.checks[check]}


async def try_out(names: Sequence[str], seeds: Sequence[int] = SEEDS, control: bool = True) -> list[Trial]:
    """Each mutant with each seed. As a `control`, each plan comes with each seed and without any fault before."""
    tried: list[Trial] = []
    book: Book | None = None
    plans = list(dict.fromkeys(PLANS[name] for name in names))
    platforms = tuple(dict.fromkeys(platform for plan in plans for platform in plan.platforms))
    async with attentive_nursery() as nursery:

        async def run(mutant: str, plan: Plan, seed: int) -> None:
            nonlocal book
            with tempfile.TemporaryDirectory() as folder:
                fault = None if mutant == NO_FAULT else mutant
                storm = Storm(Path(folder), replace(plan, seed=seed), fault, book, nursery)
                report = await storm.blow()
            book = storm.book
            if plan.disk_bytes and not report.small_disk:
                print(f"{mutant}: only root may make the file system for it", file=sys.stderr, flush=True)
                return
            tried.append(Trial(mutant, seed, report.kills.total(), report.checks, report.troubles))
            print(f"{mutant}, seed {seed}: {dict(report.checks) or 'nothing was seen'}", file=sys.stderr, flush=True)

        calm_day = replace(EVERYBODY, conversations=0, platforms=platforms)  # which tells what the answers are
        for plan in [calm_day, *plans] if control else [calm_day]:
            for seed in seeds if plan is not calm_day else seeds[:1]:
                await run(NO_FAULT, plan, seed)
        for name in names:
            for seed in seeds:
                await run(name, PLANS[name], seed)
    return tried


def table(tried: Sequence[Trial]) -> str:
    lines = ["| fault | what is replaced | kills | seen by | caught |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(trial.mutant for trial in tried if trial.mutant != NO_FAULT):
        trials = [trial for trial in tried if trial.mutant == name]
        kills = " + ".join(str(trial.kills) for trial in trials)
        seen = ", ".join(sorted({check for trial in trials for check in trial.seen_by})) or "nothing"
        caught = f"{sum(trial.good for trial in trials)} of {len(trials)}"
        targets = ", ".join(f"`{target.partition(':')[2]}`" for target in MUTANTS[name].targets)
        lines.append(f"| {name} | {targets} | {kills} | {seen} | {caught} |")
    controls = [trial for trial in tried if trial.mutant == NO_FAULT]
    clean = sum(trial.good for trial in controls)
    return "\n".join([*lines, "", f"- Without a fault: {clean} of {len(controls)} such storms saw nothing."])

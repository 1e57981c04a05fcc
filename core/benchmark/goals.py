"""Compare the engine's figures with its goals against another server, as a Markdown table."""

from collections.abc import Iterator
from dataclasses import dataclass

from core.benchmark.bench import Figures


@dataclass(frozen=True, slots=True)
class Goal:
    """`ratio` compares ours with the other's; `limit` is absolute. More is better for speeds ("per_s")."""

    figure: str
    title: str
    ratio: float | None = None
    limit: float | None = None

    @property
    def unit(self) -> str:
        return "GB" if self.figure.endswith("bytes") else "tokens/s" if self.figure.endswith("per_s") else "s"

    def reached(self, ours: float, other: float | None) -> bool | None:
        if self.limit is not None:
            return ours <= self.limit
        if self.ratio is None or not other:
            return None
        return ours >= self.ratio * other if self.unit == "tokens/s" else ours <= self.ratio * other


GOALS = (
    Goal("first_token_s", "first token, cold", 0.6),
    Goal("decode_tokens_per_s", "decode, one conversation", 1.0),
    Goal("batch_tokens_per_s", "decode, {conversations} conversations about pictures", 2.0),
    Goal("followup_first_token_s", "first token of a follow-up", 0.5),
    Goal("restart_followup_first_token_s", "first token of a follow-up after a restart", 0.1),
    Goal("longest_pause_s", "longest pause while another's picture is looked at", limit=1.5),
    Goal("peak_memory_bytes", "peak memory, {conversations} conversations", 1.0),
    Goal("peak_memory_alone_bytes", "peak memory, one conversation"),
    Goal("load_s", "second start until ready, from the process's beginning", 0.5),
    Goal("last_of_all_first_token_s", "first token of the last of {conversations} new pictures at once"),
)


def write_table(results: dict[str, Figures], conversations: int) -> Iterator[str]:
    """Return the table as lines of Markdown. `results` are ours first, then maybe another server's."""
    ours, other = [*results.values(), {}][:2]
    names = ["", "goal", *results, *(["ratio"] if other else []), ""]
    yield "| " + " | ".join(names) + " |"
    yield "|---" * len(names) + "|"
    for goal in GOALS:
        wanted = f"{goal.limit} {goal.unit}" if goal.limit else f"{goal.ratio}" if goal.ratio else ""
        mine, theirs = ours.get(goal.figure), other.get(goal.figure)
        cells = [goal.title.format(conversations=conversations), wanted, _cell(mine, goal.unit)]
        if other:
            cells += [_cell(theirs, goal.unit), f"{mine / theirs:.2f}" if mine and theirs else ""]
        reached = None if mine is None else goal.reached(mine, theirs)
        yield "| " + " | ".join([*cells, {None: "", True: "reached", False: "missed"}[reached]]) + " |"


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value / 1e9 if unit == 'GB' else value:.2f} {unit}"

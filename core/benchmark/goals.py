"""Compare the engine's figures with its goals against another server, as a Markdown table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from core.benchmark.bench import Figures


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be: `wanted` on processors with AVX-512 VNNI, `wanted_elsewhere` on the others.

    It is a ratio to the other server's figure, or with `absolute` in the figure's own unit. More is better for speeds
    ("per_s"). `than` names the other's figure where that is another one.
    """

    figure: str
    title: str
    wanted: float | None = None
    wanted_elsewhere: float | None = None
    absolute: bool = False
    than: str | None = None

    @property
    def unit(self) -> str:
        return "GB" if self.figure.endswith("bytes") else "tokens/s" if self.figure.endswith("per_s") else "s"

    def sentence(self, wanted: float | None) -> str:
        sign = "≥" if self.unit == "tokens/s" else "≤"
        return "" if wanted is None else f"{sign} {wanted} {self.unit if self.absolute else ''}".rstrip()

    def reached(self, ours: list[float], others: list[float], wanted: float | None) -> bool | None:
        """Compare medians. Returns None where something is missing for it."""
        if wanted is None or not ours or not (self.absolute or others):
            return None
        limit = wanted if self.absolute else wanted * median(others)
        return median(ours) >= limit if self.unit == "tokens/s" else median(ours) <= limit


GOALS = (
    Goal("first_token_s", "first token, cold", 0.4, 0.6),
    Goal("decode_tokens_per_s", "decode, one conversation", 1.3, 1.0),
    Goal("batch_tokens_per_s", "decode, {conversations} conversations about pictures", 3.5, 2.0),
    Goal("last_of_all_first_token_s", "first token of the last of {conversations} new pictures at once", 0.45),
    Goal("followup_first_token_s", "first token of a follow-up", 0.3, 0.5),
    Goal("restart_followup_first_token_s", "first token of a follow-up after a restart", 0.05, 0.1),
    Goal("longest_pause_s", "longest pause while another's picture is looked at", 0.5, 1.5, absolute=True),
    Goal("load_s", "second start until ready, from the process's beginning", 1.2, 0.5),
    Goal("peak_memory_bytes", "peak memory, {conversations} conversations", 0.7, 1.0),
    Goal(
        "first_start_peak_memory_bytes", "the same on the first start, which makes int8 weights", 0.7, 1.0,
        than="peak_memory_bytes",
    ),
    Goal("peak_memory_alone_bytes", "peak memory, one conversation"),
)  # fmt: skip


def write_tables(rounds: Mapping[str, list[Figures]], conversations: int, vnni: bool) -> Iterator[str]:
    """Return a table of Markdown for each other server, as lines. `rounds` are ours first, then maybe others'.

    A cell is a median, with the least and the most where rounds differ. `vnni` says whether this processor has it.
    """
    (name, ours), *others = rounds.items()
    for other, theirs in others or [("", [])]:
        names = ["", "goal", name, *([other, "ratio"] if other else []), ""]
        yield "| " + " | ".join(names) + " |"
        yield "|---" * len(names) + "|"
        for goal in GOALS:
            wanted = goal.wanted if vnni else goal.wanted_elsewhere
            mine, its = _known(ours, goal.figure), _known(theirs, goal.than or goal.figure)
            cells = [goal.title.format(conversations=conversations), goal.sentence(wanted), _cell(mine, goal.unit)]
            if other:
                cells += [_cell(its, goal.unit), f"{median(mine) / median(its):.2f}" if mine and its else ""]
            reached = goal.reached(mine, its, wanted)
            yield "| " + " | ".join([*cells, {None: "", True: "reached", False: "missed"}[reached]]) + " |"
        yield ""


def _known(rounds: Sequence[Figures], figure: str) -> list[float]:
    return [value for each in rounds if (value := each.get(figure)) is not None]


def _cell(values: list[float], unit: str) -> str:
    if not values:
        return ""
    middle, least, most = (
        f"{value / 1e9 if unit == 'GB' else value:.2f}" for value in (median(values), min(values), max(values))
    )
    return f"{middle} {unit}" if least == most else f"{middle} {unit} ({least} to {most})"

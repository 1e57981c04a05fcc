"""Write the self-test's report: Markdown that a person can attach to an issue. It names no person, host or folder."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import hardware
from core.answer import Ending
from core.engine.stats import EngineStats
from core.sampling import Sampling
from core.selftest.results import Result, Verdict
from core.selftest.summary import SelftestSummary

if TYPE_CHECKING:
    from core.benchmark.against_reference import Fidelity

ANSWER_CHARACTERS = 300  # of an answer that are shown


@dataclass(frozen=True, slots=True)
class SelftestReport:
    """What the report says. `version` is the product's, `identity` the checkpoint's content."""

    version: str
    identity: str
    engine: EngineStats
    sampling: Sampling
    summary: SelftestSummary
    fidelity: Sequence["Fidelity"] = ()

    def markdown(self) -> str:
        parts = [self._head(), *self._answers()]
        if self.fidelity:
            parts += ["## Compared with transformers in float32", fidelity_table(self.fidelity)]
        return "\n\n".join(parts) + "\n"

    def _head(self) -> str:
        memory = hardware.memory().bytes / 1e9
        lines = [
            "# Self-test",
            "",
            f"- picture-answers {self.version}, Python {platform.python_version()}, {platform.system()}",
            f"- model {public_name(self.engine.model)}, content {self.identity[:16]}",
            f"- {self.engine.precision or 'precision as loaded'}, {self.engine.kernel or 'transformers'}, "
            f"{platform.machine()}, {os.cpu_count()} cores, {memory:.1f} GB",
            f"- sampling {self.sampling.model_dump_json(exclude_none=True)}, the rest as the model's makers say",
            *(f"- {line}" for line in self.summary.lines()),
        ]
        return "\n".join(lines)

    def _answers(self) -> list[str]:
        parts = ["## Answers"]
        for result in self.summary.results:
            pictures = " and ".join(f"{name}.png" for name in result.task.pictures) or "the same picture"
            lines = [f"### {verdict(self.summary, result)}: {result.task.question} ({result.task.kind}, {pictures})"]
            lines.append(_fenced(shortened(result.text)))
            if result.verdict is not Verdict.RIGHT:
                lines += ["A right answer:", _fenced(result.task.example)]
            parts.append("\n\n".join(lines))
        return parts


def verdict(summary: SelftestSummary, result: Result) -> str:
    """Return right, wrong or broken, and why it may be wrong."""
    notes = [str(result.ending)] if result.verdict is Verdict.WRONG and result.ending is not Ending.DONE else []
    if result.verdict is Verdict.WRONG and not summary.expects(result):
        notes.append("not expected of the demo model")
    return f"{result.verdict} ({', '.join(notes)})" if notes else str(result.verdict)


def fidelity_table(found: Sequence["Fidelity"]) -> str:
    """Return a Markdown table of the precisions."""
    rows = [
        "| precision | computed in | same prompt | same greedy answer | same next token | KL divergence "
        "| largest difference of a logit |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found:
        rows.append(
            f"| {each.precision} | {each.used} | {each.same_prompts} of {each.questions} | {each.same_answers} of "
            f"{each.questions} | {each.same_top:.1%} | {each.kl:.2g} | {each.largest:.2g} |"
        )
    return "\n".join(rows)


def public_name(model: str) -> str:
    """Return a model's name without the folders above it."""
    path = Path(model).expanduser()
    return path.name if path.is_dir() else model


def shortened(text: str) -> str:
    return text if len(text) <= ANSWER_CHARACTERS else f"{text[:ANSWER_CHARACTERS]} …"


def _fenced(text: str) -> str:
    return f"~~~~\n{text}\n~~~~"

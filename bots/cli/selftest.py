"""Run the self-test in the terminal: ask about pictures whose right answers are known, and say how it went."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bots.config import Settings
from bots.service import start_engine
from core.benchmark.memory import peak_memory
from core.engine.stats import EngineStats
from core.errors import OperatorError
from core.image import Image
from core.model.description import is_demo
from core.selftest.report import SelftestReport, fidelity_table, shortened, verdict
from core.selftest.results import Result, Verdict, ask_all, load_pictures, start_conversation
from core.selftest.summary import SelftestSummary
from core.selftest.tasks import TASKS
from core.version import VERSION

if TYPE_CHECKING:
    from core.benchmark.against_reference import Fidelity

COLOURS = {Verdict.RIGHT: "green", Verdict.WRONG: "red", Verdict.BROKEN: "red"}
COMPARED_EVERY = 2  # of the questions with pictures, one in so many is compared: float32 takes its time


class SelfTest:
    """One run: `ask`, then perhaps `compare`, then `write`. Raises `OperatorError` for a report that has no place."""

    def __init__(self, settings: Settings, report: Path | None) -> None:
        self._settings = settings
        self._report = report
        self._out = Console(soft_wrap=True, highlight=False, markup=False)
        self._progress = Console(stderr=True, markup=False)
        self._pictures: dict[str, Image] = {}
        self._summary = SelftestSummary((), is_demo=is_demo(settings.engine.model))
        self._stats = EngineStats()
        self._fidelity: list[Fidelity] = []
        if report:
            _check_place(report)

    @property
    def passed(self) -> bool:
        """Whether every answer is right that this model is expected to know."""
        return not self._summary.failed

    async def ask(self) -> None:
        """Ask everything, and print each answer as it comes."""
        self._pictures = await load_pictures(TASKS, self._settings.images)
        with self._progress.status(f"Loading {self._settings.engine.model} …"):
            engine = await start_engine(self._settings)
        try:
            self._forget(engine.forget)
            results: list[Result] = []
            async for result in ask_all(engine, TASKS, self._pictures, self._settings.assistant):
                results.append(result)
                self._print(result)
            self._summary = SelftestSummary(results, self._summary.is_demo, peak_memory())
            self._stats = engine.stats() or self._stats
        finally:
            self._forget(engine.forget)
            await engine.close()
        for line in ("", *self._summary.lines()):
            self._out.print(line)

    def compare(self) -> None:
        """Compare with transformers. Not in an event loop, which would hold Ctrl-C back until it ends."""
        from core.benchmark.against_reference import compare

        asked = [task for task in TASKS if task.pictures][::COMPARED_EVERY]
        questions = [start_conversation(task, self._pictures) for task in asked]
        with self._progress.status(f"Comparing {len(questions)} answers with transformers …"):
            for each in compare(self._settings.engine, questions):
                self._fidelity.append(each)
                self._progress.print(f"{each.precision} is compared")
        self._out.print(f"\n{fidelity_table(self._fidelity)}")

    def write(self) -> None:
        """Write the report, if one is wanted."""
        if not self._report:
            return
        sampling = self._settings.assistant
        report = SelftestReport(VERSION, self._identity(), self._stats, sampling, self._summary, self._fidelity)
        try:
            self._report.write_text(report.markdown(), "utf-8")
        except OSError as error:
            raise _unwritable(self._report, error) from error
        self._out.print(f"\nThe report is in {self._report}. It names no person and no folder: attach it to an issue.")

    def _print(self, result: Result) -> None:
        self._out.print(f"{verdict(self._summary, result)}", style=COLOURS[result.verdict], end="")
        self._out.print(f"  {result.task.question}  →  {shortened(result.text)!r}")
        if result.verdict is Verdict.WRONG:
            self._out.print(f"       a right answer: {result.task.example!r}", style="dim")

    def _forget(self, forget: Callable[[str, Collection[str]], None]) -> None:
        """Drop what another run computed, so that the times are those of new pictures, and then what this one did."""
        images = [image.id for image in self._pictures.values()]
        for number, task in enumerate(TASKS):
            if task.pictures:
                forget(start_conversation(task, self._pictures, number).id, images)

    def _identity(self) -> str:
        if self._settings.engine.urls:
            return "unknown"
        from core.cache_folder import MODELS_FOLDER
        from core.model.checkpoint import Checkpoint
        from core.model.identity import identify

        config = self._settings.engine
        try:
            return identify(Checkpoint.find(config.model), config.cache / MODELS_FOLDER)
        except OperatorError:  # a model that only the reference engine reads
            return "unknown"


def check_comparison(settings: Settings) -> None:
    """Raise `OperatorError` if the comparison with transformers cannot work here, before anything slow begins."""
    from core.benchmark.against_reference import check

    check(settings.engine)


def _check_place(report: Path) -> None:
    try:
        with report.open("a"):
            pass
    except OSError as error:
        raise _unwritable(report, error) from error


def _unwritable(report: Path, error: OSError) -> OperatorError:
    return OperatorError(
        "The report cannot be written to {path}: {reason}", path=str(report), reason=error.strerror or str(error)
    )

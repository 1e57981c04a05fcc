"""Back the database up, restore it and move it, from the command line."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from bots.cli.person import stored_author
from bots.config import Settings
from core.units import GIGABYTE
from core.version import VERSION
from storage import backup, forgotten
from storage.copying import Progress

Result = TypeVar("Result")


async def back_up(settings: Settings, file: Path) -> str:
    """Write the config's database into a new file. Return a sentence. Raises `OperatorError`."""
    about = {
        backup.MADE: forgotten.now(),
        "version": VERSION,
        **_model(settings.engine.model),
    }
    counts = await work_off(lambda progress: backup.back_up(settings.storage.url, file, about, progress))
    size = os.stat(file).st_size / GIGABYTE
    kept_elsewhere = "The config and the model's files are not in it."
    return f"{file} is whole, {size:.3f} GB ({_listed(counts)}). Only you can read it. {kept_elsewhere}"


async def restore(settings: Settings, file: Path) -> str:
    """Read a backup into the config's database, which must be empty. Return a sentence. Raises `OperatorError`."""
    storage = settings.storage
    about, counts, left_out = await work_off(
        lambda progress: backup.restore(file, storage.url, progress, storage.forgotten, stored_author)
    )
    made = f"The backup was made at {about.get(backup.MADE, 'an unknown time')} by version {about.get('version', '?')}"
    if model := about.get("model"):
        made += f" with the model {model}"
    if revision := about.get("revision"):
        made += f"; if that is not here: python -m bots model fetch {model} --revision {revision}"
    if left_out:
        made += f". People who were deleted since then are left out again, with {left_out.questions:,} questions"
    return f"All of it is back, and each row was compared ({_listed(counts)}). {made}."


async def copy_database(url: str, new_url: str) -> str:
    """Copy a database into an empty one. Return a sentence. Raises `OperatorError`."""
    counts = await work_off(lambda progress: backup.move(url, new_url, progress))
    what = f"All of it is copied, and each row was compared ({_listed(counts)})"
    return f"{what}. Set url in [storage] to the new database."


class _ShownProgress:
    """Shows in a terminal how many rows are done, and elsewhere only what is done."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._console = Console(stderr=True, highlight=False, markup=False)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bars = Bars(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._bar: TaskID | None = None
        self._what = ""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far it is.

        Raises `CancelledError` here, between two statements, because elsewhere the database's driver may hang by it.
        """
        if self.is_cancelled:
            raise asyncio.CancelledError
        if what != self._what:
            self._begin(what, total)
        if self._bar is not None:
            self._bars.update(self._bar, completed=done)

    def _begin(self, what: str, total: int) -> None:
        if self._bar is not None:
            self._bars.remove_task(self._bar)
        step = what.partition(" ")[0]
        if not self._console.is_terminal and step != self._what.partition(" ")[0]:
            self._console.print(f"{step} …")
        self._bar, self._what = self._bars.add_task(what, total=total), what


async def work_off(work: Callable[[Progress], Awaitable[Result]]) -> Result:
    """Do the work, and show how far it is. Ctrl-C and SIGTERM end it, and leave nothing half done."""
    if own := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, own.cancel)
    with _ShownProgress() as progress:
        task = asyncio.ensure_future(work(progress))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            progress.is_cancelled = True
            await asyncio.wait([task])
            raise


def _listed(counts: Mapping[str, int]) -> str:
    return f"conversations: {counts['conversations']:,}, answers: {counts['turns']:,}, pictures: {counts['images']:,}"


def _model(name: str) -> dict[str, str]:
    """Return which model answered, and its revision where it came from a hub."""
    try:
        from core.model import pinned
    except ModuleNotFoundError:  # without the extra "cpu"
        return {"model": name}
    commit = pinned.commit_of(name) if name.count("/") == 1 else None
    return {"model": name} | ({"revision": commit} if commit else {})

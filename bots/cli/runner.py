"""Run a command of the command line: read its config, and end it with the right status and sentence."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from core.errors import BotError
from core.pictures import confinement

if TYPE_CHECKING:
    from bots.config import Settings

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file; see config.example.toml.", envvar="PA_CONFIG")
]


def load_settings(config: Path | None) -> "Settings":
    """Return what a config file says. Raises `OperatorError`."""
    from bots.config import load  # here, as all of a command's own imports, so that `--help` answers at once

    return load(config)


def run_command(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command whose files and memory no other user here may read: they contain people's words and pictures."""
    os.umask(0o077)
    confinement.hide()
    with exit_on_error():
        asyncio.run(work())


def run_and_print(work: Callable[[], Coroutine[Any, Any, str]]) -> None:
    """Run a command as `run_command` does, and print the sentence that it returns."""

    async def told() -> None:
        typer.echo(await work(), err=True)

    run_command(told)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn a `BotError` into one sentence on stderr and exit status 2. Ctrl-C is not an error."""
    try:
        yield
    except BotError as error:
        fail(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        leave(130)


def print_no_warnings() -> None:
    """Leave out the log's warnings where no log is set up: Python prints them, and a person is told sentences."""
    if logging.lastResort:
        logging.lastResort.setLevel(logging.ERROR)


def leave(status: int) -> NoReturn:
    """Exit, without Python's clean-up while a model is being loaded.

    The clean-up would end that thread in the middle of C++ code, which aborts the process and leaves a core dump.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(2)

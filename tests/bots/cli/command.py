"""Run a command of the command line in this process: it is the same, but for a start of a second."""

import os
from collections.abc import Mapping

from typer.testing import CliRunner, Result

from bots.__main__ import cli


def told(*words: str, environment: Mapping[str, str] = {}) -> Result:
    """Return what a command says, and leave this process as it was."""
    mask = os.umask(0o077)
    try:
        return CliRunner().invoke(cli, words, env=environment)
    finally:
        os.umask(mask)

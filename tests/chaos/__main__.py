"""The long form of test_chaos.py: `python -m tests.chaos --kills 1000`. Exit status 1 when anything went wrong."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.chaos.weather import Weather


def main(
    kills: Annotated[int, typer.Option(help="How often the service is killed.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the dice.")] = 1,
) -> None:
    """Kill the real service over Telegram, Slack and the web together, and count."""
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(Weather(Path(folder), seed).blow(kills))
    print(report)
    for line in [*report.lost, *report.doubled, *report.different]:
        print(line)
    if report.lost or report.doubled or report.different:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)

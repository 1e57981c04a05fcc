"""The long forms of the tests here: `python -m tests.chaos storm` and others. Exit status 1 when anything went wrong."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.chaos.hostile import DOORS, MORE, send_hostile_files
from tests.chaos.weather import Plan, Storm

cli = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@cli.command()
def storm(
    kills: Annotated[int, typer.Option(help="How often the service is killed.")] = 1000,
    conversations: Annotated[int, typer.Option(help="Of two questions each; 0: as many questions as kills.")] = 0,
    doors: Annotated[str, typer.Option(help="Which doors people ask at.")] = "telegram,slack,web",
    faults: Annotated[float, typer.Option(help="Share of the platforms' calls that fail.")] = 0.2,
    storms: Annotated[float, typer.Option(help="Share of the lives with bad weather.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Of the dice.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="An empty folder for the database and the log.")] = None,
) -> None:
    """Kill the real service again and again while people ask, and count what they saw."""
    plan = Plan(kills, conversations or kills // 2, doors.split(","), faults=faults, storms=storms, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(Storm(keep or Path(folder), plan).blow())
    print(report)
    for line in report.troubles:
        print(line)
    if not report.good:
        raise typer.Exit(1)


@cli.command()
def hostile(
    files: Annotated[int, typer.Option(help="At each door.")] = 500,
    doors: Annotated[str, typer.Option(help="Which doors they are sent to.")] = ",".join(DOORS),
) -> None:
    """Send damaged and hostile files through every door of the real service."""
    with tempfile.TemporaryDirectory() as folder:
        findings = asyncio.run(send_hostile_files(Path(folder), files, doors.split(",")))
    print(findings)
    for line in findings.bad:
        print(line)
    if findings.bad or findings.grown > MORE:
        raise typer.Exit(1)


if __name__ == "__main__":
    cli()

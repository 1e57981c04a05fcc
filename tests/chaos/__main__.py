"""The long forms of the tests here: `python -m tests.chaos storm` and others. Exit status 1 when something is wrong."""

import asyncio
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.chaos.attackers import Attack
from tests.chaos.bad_weather import BadWeather
from tests.chaos.cost import compare
from tests.chaos.hostile import PLATFORMS, send_hostile_files
from tests.chaos.mutation import PLANS, SEEDS, table, try_out
from tests.chaos.nursery import NurseryEnded
from tests.chaos.outage import measure
from tests.chaos.plan import Plan
from tests.chaos.replica_storm import ReplicaStorm
from tests.chaos.report import Report
from tests.chaos.soak import LAG_S
from tests.chaos.soak import MORE as MORE_MEMORY
from tests.chaos.soak import soak as long_soak
from tests.chaos.weather import Storm

ENGINE_FAULTS = 0.4  # of the questions to engines elsewhere

cli = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@cli.command()
def storm(
    kills: Annotated[int, typer.Option(help="How often the service is killed.")] = 1000,
    conversations: Annotated[int, typer.Option(help="0: half as many as kills.")] = 0,
    platforms: Annotated[str, typer.Option(help="Which platforms people ask on.")] = "telegram,slack,web",
    faults: Annotated[float, typer.Option(help="Share of the platforms' calls that fail.")] = 0.2,
    storms: Annotated[float, typer.Option(help="Share of the lives with bad weather.")] = 0.3,
    noise: Annotated[float, typer.Option(help="Malformed events for each conversation.")] = 1.0,
    kinds: Annotated[str, typer.Option(help="What people do, see tests/chaos/kinds.py; empty: everything.")] = "",
    talks: Annotated[int, typer.Option(help="How many different ones there are.")] = 6,
    disk: Annotated[int, typer.Option(help="Megabytes of a file system of its own, if root may; 0: none.")] = 64,
    patience: Annotated[float, typer.Option(help="Seconds without any progress until it is given up.")] = 240.0,
    remote: Annotated[bool, typer.Option("--remote", help="The model is at engines elsewhere that fail.")] = False,
    replicas: Annotated[int, typer.Option(help="Services on one PostgreSQL; kills are events to any of them.")] = 1,
    events: Annotated[str, typer.Option(help="What happens to several services; empty: everything.")] = "",
    seed: Annotated[int, typer.Option(help="Of the dice.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="An empty folder for the database and the log.")] = None,
) -> None:
    """Kill the real service again and again while people ask, and count what they saw.

    Ctrl-C or SIGTERM ends it early, with a report about what happened until then; a second one ends it at once.
    """
    plan = Plan(
        kills,
        conversations or kills // 2,
        platforms.split(","),
        faults=faults,
        storms=storms,
        noise=noise,
        kinds=kinds.split(",") if kinds else None,
        talks=talks,
        seed=seed,
        patience_s=patience,
        remote=ENGINE_FAULTS if remote else None,
        disk_bytes=disk << 20,
        replicas=replicas,
        events=events.split(",") if events else None,
    )
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = keep or Path(folder)
        if replicas > 1:
            report = asyncio.run(blow(ReplicaStorm(place, plan)))
        else:
            # Opened before a small disk hides the folder, so that it is written to the disk below.
            with (place / "log").open("w", encoding="utf-8") as log:
                report = asyncio.run(blow(Storm(place, plan, log=log)))
    print(report)
    for line in report.troubles:
        print(line)
    if not report.good:
        raise typer.Exit(1)


async def blow(storm: Storm | ReplicaStorm) -> Report:
    """Let a storm blow until it is over, or until a signal ends it early."""
    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def end_early() -> None:
        for each in signals:
            loop.remove_signal_handler(each)  # the next one ends it at once
        print("nothing more happens; waiting for those who asked", file=sys.stderr, flush=True)
        storm.end_early()

    for each in signals:
        loop.add_signal_handler(each, end_early)
    try:
        return await storm.blow()
    finally:
        for each in signals:
            loop.remove_signal_handler(each)


@cli.command()
def mutants(
    names: Annotated[str, typer.Option(help="Parts of their names, with commas; all by default.")] = "",
    seeds: Annotated[str, typer.Option(help="Each comes with each of these.")] = ",".join(map(str, SEEDS)),
    control: Annotated[bool, typer.Option(help="The same storms without a fault, too.")] = True,
) -> None:
    """Put deliberate faults into the service, and show that the storm sees each."""
    chosen = [name for name in PLANS if any(part.strip() in name for part in names.split(","))]
    tried = asyncio.run(try_out(chosen, [int(seed) for seed in seeds.split(",")], control))
    print(table(tried))
    bad = [trial for trial in tried if not trial.good]
    for trial in bad:
        print(
            f"{trial.mutant}, seed {trial.seed}: {dict(trial.checks) or 'nothing was seen'}", *trial.troubles, sep="\n"
        )
    if bad:
        raise typer.Exit(1)


@cli.command()
def hostile(
    files: Annotated[int, typer.Option(help="On each platform.")] = 500,
    platforms: Annotated[str, typer.Option(help="Which platforms they are sent to.")] = ",".join(PLATFORMS),
    memory: Annotated[
        float | None, typer.Option(help="Gigabytes of the service, so that its cache is full soon.", show_default=False)
    ] = None,
) -> None:
    """Send damaged and hostile files through every platform of the real service."""
    with tempfile.TemporaryDirectory() as folder:
        findings = asyncio.run(send_hostile_files(Path(folder), files, platforms.split(","), limit_gb=memory))
    print(findings)
    for line in findings.bad:
        print(line)
    if not findings.good:
        raise typer.Exit(1)


@cli.command()
def soak(
    conversations: Annotated[int, typer.Option(help="At the same time, on all platforms together.")] = 60,
    minutes: Annotated[float, typer.Option(help="How long, after the warm-up.")] = 10.0,
    warm_up: Annotated[float, typer.Option(help="Minutes until caches and workers are there.")] = 1.0,
    weather: Annotated[
        bool, typer.Option("--weather", help="Wrong clocks, full disks, kills and more instead.")
    ] = False,
    kinds: Annotated[str, typer.Option(help="Of the weather, with commas; all by default.")] = "",
    seed: Annotated[int, typer.Option(help="Of the dice of the weather.")] = 1,
) -> None:
    """Let people ask for a while, and watch answers, memory and the event loop."""
    if weather:
        with tempfile.TemporaryDirectory() as folder:
            chosen = [kind.strip() for kind in kinds.split(",") if kind.strip()]
            storm = BadWeather(Path(folder), conversations, 60 * minutes, seed, kinds=chosen)
            ledger = asyncio.run(storm.blow())
        print("\n".join([str(ledger), *ledger.troubles]))
        raise typer.Exit(0 if ledger.good else 1)
    with tempfile.TemporaryDirectory() as folder:
        diary = asyncio.run(long_soak(Path(folder), conversations, 60 * minutes, 60 * warm_up))
    print(diary)
    for line in diary.errors:
        print(line)
    first, last = diary.thirds
    if diary.errors or last > MORE_MEMORY * first or diary.lag_s(0.99) > LAG_S:
        raise typer.Exit(1)


@cli.command()
def attacks(
    sockets: Annotated[int, typer.Option(help="Refused, one more byte, then silent.")] = 1100,
    exports: Annotated[int, typer.Option(help="Asked for and never read.")] = 50,
    files: Annotated[int, typer.Option(help="That take minutes to open.")] = 60,
    rounds: Annotated[int, typer.Option(help="Of quiet and attacked times in turn.")] = 5,
    questions: Annotated[int, typer.Option(help="Of somebody else, in each.")] = 12,
) -> None:
    """Attack the real service in three ways at once while somebody asks."""
    with tempfile.TemporaryDirectory() as folder:
        outage = asyncio.run(measure(Path(folder), Attack(sockets, exports, files), rounds, questions))
    print(outage)
    for line in outage.quiet.errors + outage.attacked.errors:
        print(line)
    if not outage.good:
        raise typer.Exit(1)


@cli.command()
def cost(
    replicas: Annotated[int, typer.Option(help="Services on one PostgreSQL, compared with one.")] = 3,
    conversations: Annotated[int, typer.Option(help="On the web, and as many in Telegram.")] = 12,
    questions: Annotated[int, typer.Option(help="In each.")] = 5,
    rounds: Annotated[int, typer.Option(help="Of all cases in turn: the machine may be busy.")] = 2,
    tree: Annotated[
        Path | None, typer.Option(help="Another checkout of the project, compared with one service.")
    ] = None,
) -> None:
    """Measure CPU time, statements and seconds for each question with a stub of an engine."""
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(compare(Path(folder), replicas, conversations, questions, rounds, tree)))


if __name__ == "__main__":
    try:
        cli()
    except NurseryEnded as error:
        sys.exit(str(error))

"""Measure the engine, alone or against another server; compare precisions on your own pictures."""

import asyncio
import json
import shlex
import signal
import sys
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core import hardware
from core.engine.config import EngineConfig
from core.errors import BotError
from core.model.precision import Precision

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
Model = Annotated[str, typer.Argument(help='A folder, a Hugging Face name that was fetched, or "demo".')]
Memory = Annotated[float | None, typer.Option(help="Gigabytes for model and conversations.")]
CACHE = Path("data/bench")
PROCESSOR_NAMES = ("model name", "cpu family", "model", "CPU implementer", "CPU part")  # as /proc/cpuinfo has them


@app.command()
def bench(
    model: Model,
    precision: Precision = Precision.AUTO,
    conversations: Annotated[int, typer.Option(help="That decode together.")] = 8,
    tokens: Annotated[int, typer.Option(help="Of each answer.")] = 48,
    rounds: Annotated[int, typer.Option(help="Medians of so many, in turn with the other servers.")] = 1,
    picture: Annotated[Path | None, typer.Option(help="By default made-up ones of 640x480, new in each round.")] = None,
    memory: Memory = None,
    threads: int | None = None,
    cache: Path = CACHE,
    against: Annotated[list[str] | None, typer.Option(help="Servers that speak the OpenAI protocol, by URL.")] = None,
    command: Annotated[list[str] | None, typer.Option(help="For each of them: starts it, to measure that too.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Measure time to first token, decoding alone and together, follow-ups, restart, pauses and memory, as Markdown.

    With an empty cache folder, the first round shows the memory of a first start. Ctrl+C or SIGTERM ends it early, with
    what was measured.
    """
    from core.benchmark.bench import Figures, measure
    from core.benchmark.goals import write_tables
    from core.benchmark.server import Server
    from core.benchmark.target import Ours, Target
    from core.model.instruction_set import has_vnni

    against, command = against or [], command or []
    if command and len(command) != len(against):
        raise typer.BadParameter("Give each --against a --command, or none.")
    config = EngineConfig(model=model, precision=precision, threads=threads, memory_limit_gb=memory, cache=cache)
    targets: dict[str, Target] = {"here": Ours(config)}
    targets |= {url: Server(url, start) for url, start in zip_longest(against, command)}
    given = picture.read_bytes() if picture else None
    tell = partial(typer.echo, err=True)  # it takes minutes, so every figure is shown at once
    found: dict[str, list[Figures]] = {name: [] for name in targets}
    try:
        asyncio.run(measure(targets, conversations, tokens, rounds, given, found, tell))
    finally:
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            typer.echo("\n".join(write_tables(found, conversations, has_vnni())))
            told = hardware.processor()
            machine = [
                f"{hardware.cores()} cores",
                *(f"{name} {told[name]}" for name in PROCESSOR_NAMES if name in told),
            ]
            typer.echo(f"Medians of at most {len(found['here'])} rounds (least to most) in turn, {', '.join(machine)}:")
            typer.echo(f"`{shlex.join(sys.orig_argv)}`")


@app.command()
def crowd(
    model: Model,
    precision: Precision = Precision.AUTO,
    conversations: Annotated[int, typer.Option(help="That come one after the other.")] = 8,
    seconds: Annotated[float, typer.Option(help="In which they come.")] = 120.0,
    tokens: int = 64,
    memory: Memory = None,
    threads: int | None = None,
    cache: Path = CACHE,
) -> None:
    """Measure pauses, estimates and memory while conversations about pictures arrive during others' answers."""
    from core.benchmark.crowd import crowd as come

    config = EngineConfig(model=model, precision=precision, threads=threads, memory_limit_gb=memory, cache=cache)
    report = asyncio.run(come(config, conversations, seconds, tokens))
    typer.echo("| visit | told at first | first token | longest pause |\n|---|---|---|---|")
    for number, visit in enumerate(report.visits, 1):
        told = "" if visit.told is None else f"{visit.told:.1f} s"
        writing = visit.writing
        typer.echo(f"| {number} | {told} | {writing.first_token_s:.1f} s | {writing.longest_pause_s:.2f} s |")
    error = "none was told" if report.mean_error_s is None else f"wrong by {report.mean_error_s:.1f} s on average"
    typer.echo(f"\nlongest pause of any running answer: {report.longest_pause_s:.2f} s; estimates: {error}")
    typer.echo(f"peak memory {(report.memory or 0) / 1e9:.2f} GB of a budget of {report.budget / 1e9:.2f} GB")


@app.command()
def compare(
    model: Model,
    pictures: Annotated[list[Path], typer.Argument(help="Your own.")],
    precision: Precision = Precision.INT8,
    against: Precision = Precision.FLOAT32,
    question: str = "Describe this picture in detail.",
    tokens: int = 64,
    cache: Path = CACHE,
) -> None:
    """Compare two precisions: KL divergence, same most likely token, same answer."""
    from core.benchmark.compare import Difference, compare_pictures

    table = Table("picture", "KL", "same top token", "same answer")
    found: list[Difference] = compare_pictures(model, pictures, (against, precision), question, tokens, cache)
    for path, each in zip(pictures, found, strict=True):
        table.add_row(path.name, f"{each.kl:.5f}", f"{each.same_top:.1%}", "yes" if each.same_answer else "no")
    Console().print(table)


def main() -> None:
    """Run a command. SIGTERM, and Ctrl+C where a shell ignores it for what it runs in the background, end it early."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        app()
    except BotError as error:
        sys.exit(str(error))

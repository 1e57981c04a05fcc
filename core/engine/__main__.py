"""`python -m core.engine`: measure the engine, alone or beside another server; compare precisions on your pictures."""

import asyncio
import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.engine.config import Config, Precision
from core.errors import BotError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
Model = Annotated[str, typer.Argument(help='A folder, a Hugging Face name that was fetched, or "demo".')]


@app.command()
def bench(
    model: Model,
    precision: Precision = Precision.AUTO,
    conversations: Annotated[int, typer.Option(help="That decode together.")] = 8,
    tokens: Annotated[int, typer.Option(help="Of each answer.")] = 48,
    rounds: Annotated[int, typer.Option(help="Medians of so many, in turn with the other server.")] = 1,
    picture: Annotated[Path | None, typer.Option(help="By default made-up ones of 640x480, new in each round.")] = None,
    memory: Annotated[float | None, typer.Option(help="Gigabytes.")] = None,
    threads: int | None = None,
    cache: Path = Path("data/bench"),
    against: Annotated[str | None, typer.Option(help="An OpenAI-compatible server, e.g. http://127.0.0.1:8080")] = None,
    command: Annotated[
        str | None, typer.Option(help="Starts that server, to measure its start and memory too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Time to the first token, decoding alone and together, follow-ups, restart, memory."""
    from core.engine.bench import Other, Ours, measure

    config = Config(model=model, precision=precision, threads=threads, memory=memory, cache=cache)
    targets = {"ours": Ours(config)} | ({"other": Other(against, command)} if against else {})
    given = picture.read_bytes() if picture else None
    tell = partial(typer.echo, err=True)  # it takes minutes: every figure as it comes
    results = asyncio.run(measure(targets, conversations, tokens, rounds, given, tell))
    if as_json:
        typer.echo(json.dumps(results, indent=2))
        return
    table = Table("", *results, *(["ours / other"] if against else []))
    for name in results["ours"]:
        values = [each.get(name) for each in results.values()]
        ratio = f"{values[0] / values[1]:.2f}" if against and values[0] and values[1] else ""
        cells = [
            "" if value is None else f"{value / 1e9:.2f} GB" if "bytes" in name else f"{value:.2f}" for value in values
        ]
        table.add_row(name, *cells, *([ratio] if against else []))
    Console().print(table)


@app.command()
def crowd(
    model: Model,
    precision: Precision = Precision.AUTO,
    conversations: Annotated[int, typer.Option(help="That come one after the other.")] = 8,
    seconds: Annotated[float, typer.Option(help="In which they come.")] = 120.0,
    tokens: int = 64,
    memory: Annotated[float | None, typer.Option(help="Gigabytes.")] = None,
    threads: int | None = None,
    cache: Path = Path("data/bench"),
) -> None:
    """Conversations about pictures that arrive while others are answered: pauses, estimates and memory."""
    from core.engine.crowd import crowd as come

    config = Config(model=model, precision=precision, threads=threads, memory=memory, cache=cache)
    visits, peak = asyncio.run(come(config, conversations, seconds, tokens))
    table = Table("visit", "first token (s)", "told at first (s)", "longest pause (s)")
    for number, visit in enumerate(visits, 1):
        told = "" if visit.told is None else f"{visit.told:.1f}"
        table.add_row(str(number), f"{visit.pieces[0]:.1f}", told, f"{visit.longest_pause:.2f}")
    Console().print(table, f"most memory: {(peak or 0) / 1e9:.2f} GB")


@app.command()
def compare(
    model: Model,
    pictures: Annotated[list[Path], typer.Argument(help="Your own.")],
    precision: Precision = Precision.INT8,
    against: Precision = Precision.FLOAT32,
    question: str = "Describe this picture in detail.",
    tokens: int = 64,
    cache: Path = Path("data/bench"),
) -> None:
    """How far one precision is from another: KL divergence, same most likely token, same answer."""
    from core.engine.compare import Difference, compare_pictures

    table = Table("picture", "KL", "same top token", "same answer")
    found: list[Difference] = compare_pictures(model, pictures, (against, precision), question, tokens, cache)
    for path, each in zip(pictures, found, strict=True):
        table.add_row(path.name, f"{each.kl:.5f}", f"{each.same_top:.1%}", "yes" if each.same_answer else "no")
    Console().print(table)


if __name__ == "__main__":
    try:
        app()
    except BotError as error:
        sys.exit(str(error))

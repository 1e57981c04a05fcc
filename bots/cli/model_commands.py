"""The commands about the model's files, and whether they answer rightly."""

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bots.cli.runner import ConfigOption, exit_on_error, load_settings, run_command

model_cli = typer.Typer(help="The model's files.", no_args_is_help=True)
selftest_cli = typer.Typer()


class Source(StrEnum):
    HUGGINGFACE = "huggingface"
    MODELSCOPE = "modelscope"


@selftest_cli.command()
def selftest(
    model: Annotated[
        str | None, typer.Option("--model", help='Instead of the config\'s: "demo", a folder, or a fetched name.')
    ] = None,
    against_reference: Annotated[
        bool,
        typer.Option(
            "--against-reference",
            help="Also compare float32, float16 and int8 with transformers' own engine. Takes minutes, and needs "
            "memory for float32: 10 GB for a model of 2 billion parameters.",
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Write what you can attach to an issue, as Markdown.", dir_okay=False),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Ask the model about a dozen pictures that ship with the product, and say which answers are right.

    Prints each answer, tokens per second, the time to the first token, memory and loops. Exit status 1 if an answer is
    wrong that the model should know. Without a config it asks the demo model, which is not expected to know everything.
    """
    from bots.cli.selftest import SelfTest, check_comparison

    with exit_on_error():
        settings = load_settings(config)
        if model:
            settings = replace(settings, engine=settings.engine.model_copy(update={"model": model}))
        test = SelfTest(settings, report)
        if against_reference:
            check_comparison(settings)
    run_command(test.ask)
    with exit_on_error():
        if against_reference:
            test.compare()
        test.write()
    if not test.passed:
        sys.exit(1)


@model_cli.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Hub name of a Qwen3-VL model.")] = "Qwen/Qwen3-VL-2B-Instruct",
    source: Annotated[Source, typer.Option("--from", help="The hub to download from.")] = Source.HUGGINGFACE,
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit; by default the one fetched before.")
    ] = None,
    proxy: Annotated[
        str, typer.Option(help="socks5://host:port or http://host:port; by default the environment's, as HTTPS_PROXY.")
    ] = "",
) -> None:
    """Download a model and check every file. It can be interrupted and started again.

    A model stays at the revision that was fetched first, until you name another: --revision main is the newest.
    """
    from bots.cli.fetch_model import fetch as download

    with exit_on_error():  # without an event loop, which would hold the first Ctrl-C back until the download ends
        fetched = download(name, source.value, revision, proxy)
    typer.echo(f"{fetched}\nDoes it work here? python -m bots selftest --model {fetched.model}", err=True)
    if sys.stdin.isatty() and typer.confirm("Run this self-test now? It takes some minutes.", err=True):
        selftest(model=fetched.model)

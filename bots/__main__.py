"""Provide the command line, `python -m bots …`, the one place that puts bots, core and storage together.

Commands import what they need when they run, so that `--help` answers at once and never imports torch.
"""

import os
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from bots.cli.database_commands import database_cli
from bots.cli.model_commands import model_cli, selftest_cli
from bots.cli.person_commands import person_cli
from bots.cli.runner import ConfigOption, exit_on_error, fail, leave, load_settings, print_no_warnings, run_command
from core.errors import OperatorError
from core.version import VERSION

cli = typer.Typer(
    name="picture-answers",
    help="Answers questions about pictures in Telegram, Slack and on a web page.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
EXAMPLE_CONFIG = "config.example.toml"
Version = Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)]

for commands in (database_cli, selftest_cli):
    cli.add_typer(commands)
cli.add_typer(model_cli, name="model")
cli.add_typer(person_cli, name="person")


@cli.callback(invoke_without_command=True)
def main(version: Version = False) -> None:
    if sys.platform == "win32":
        fail("This runs on Linux (best), and on macOS without the int8 kernel. On Windows, use WSL 2 or a container.")
    if version:
        typer.echo(f"picture-answers {VERSION}")
        raise typer.Exit


@cli.command()
def run(config: ConfigOption = None) -> None:
    """Start everything the config enables; without a config, the web page with the demo model."""
    from bots.service import Terminated, serve

    try:
        run_command(lambda: serve(load_settings(config)))
    except Terminated:
        leave(0)


@cli.command()
def ask(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURE… [QUESTION]", help="Files, or - for stdin; then the question.")
    ],
    config: ConfigOption = None,
    chat: Annotated[bool, typer.Option("--chat", help="Go on asking for follow-ups.")] = False,
    url: Annotated[
        str, typer.Option(help="Ask the running service at this address, and load no model here.", show_default=False)
    ] = "",
    key: Annotated[
        str, typer.Option(help="For --url: env:NAME, the variable that has the service's key.", show_default=False)
    ] = "",
    instructions: Annotated[
        str, typer.Option(help="What the model is told before the first question.", show_default=False)
    ] = "",
    language: Annotated[str, typer.Option(help="Of the answers, such as German.", show_default=False)] = "",
    length: Annotated[
        str, typer.Option(help="Of the answers: short, normal or, without --url, long.", show_default=False)
    ] = "",
    sharpness: Annotated[str, typer.Option(help="Of the pictures: normal or high.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print answer, boxes and usage as JSON.")] = False,
    save_boxes: Annotated[
        Path | None, typer.Option(help="Save the picture with what the answer points at, as PNG.", dir_okay=False)
    ] = None,
    save_tables: Annotated[Path | None, typer.Option(help="Save the answer's tables, as CSV.", dir_okay=False)] = None,
) -> None:
    """Ask about pictures here in the terminal. The answer goes to stdout, everything else to stderr."""
    from rich.console import Console

    from bots.cli.answer_output import AnswerOutput
    from bots.cli.ask import Answerer, converse
    from bots.cli.ask_files import read_words
    from bots.cli.ask_local import answer_locally
    from bots.cli.ask_service import answer_by_service
    from bots.cli.ask_settings import settings_of_options
    from core.pictures.images import ImagesConfig

    print_no_warnings()

    async def work() -> None:
        console, output = Console(stderr=True, markup=False), AnswerOutput(as_json, save_boxes, save_tables)
        wanted = settings_of_options(instructions=instructions, language=language, length=length, sharpness=sharpness)
        settings = None if url else load_settings(config)
        files, query = read_words(pictures, chat, settings.images if settings else ImagesConfig())
        goes_on = chat or not query
        if settings:
            answering: AbstractAsyncContextManager[Answerer] = answer_locally(
                settings, files, query, console, goes_on, wanted
            )
        else:
            answering = answer_by_service(url, key, os.environ, files, wanted)
        async with answering as answerer:
            await converse(answerer, output, console, query, goes_on)

    run_command(work)


@cli.command()
def doctor(config: ConfigOption = None) -> None:
    """Check everything and say what to do. Exit status 1 if something does not work."""
    from rich.console import Console

    from bots.cli.doctor import examine
    from bots.conversing.check_result import Level

    console = Console(soft_wrap=True, highlight=False)
    colours = {Level.OK: "green", Level.NOTE: "yellow", Level.WRONG: "red"}
    levels = []

    async def work() -> None:
        async for finding in examine(config):
            levels.append(finding.level)
            console.print(f"{finding.level:5} {finding.what:10}", style=colours[finding.level], end="")
            console.print(finding.text, markup=False)

    run_command(work)
    if Level.WRONG in levels:
        sys.exit(1)


@cli.command()
def health(config: ConfigOption = None) -> None:
    """Ask the running service whether it is alive, at the port from the config. Exit status 1 if it is not."""
    import httpx

    with exit_on_error():
        settings = load_settings(config)
        if settings.web is None:
            raise OperatorError("The config has no table [bots.web], so there is no port to ask.")
        port = settings.web.port
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=4, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            typer.echo(f"no answer at port {port}: {error}", err=True)
            sys.exit(1)


@cli.command()
def example_config() -> None:
    """Print a config file with every setting and its default: picture-answers example-config > config.toml."""
    here = Path(__file__).parent
    found = next(path for path in (here.parent, here) if (path / EXAMPLE_CONFIG).is_file())  # checkout, wheel
    typer.echo((found / EXAMPLE_CONFIG).read_text("utf-8"), nl=False)


if __name__ == "__main__":
    cli()

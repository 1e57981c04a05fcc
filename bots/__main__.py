"""Provide the command line, `python -m bots …`, the one place that puts bots, core and storage together.

Commands import what they need when they run, so that `--help` answers at once and never imports torch.
"""

import asyncio
import importlib.metadata
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from core.errors import BotError, OperatorError
from core.pictures import confinement

cli = typer.Typer(
    name="picture-answers",
    help="Answers questions about pictures in Telegram, Slack and on a web page. Pictures never leave this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
EXAMPLE_CONFIG = "config.example.toml"
model_cli = typer.Typer(help="The model's files.", no_args_is_help=True)
cli.add_typer(model_cli, name="model")
person_cli = typer.Typer(help="What is kept about one person, across their chats and groups.", no_args_is_help=True)
cli.add_typer(person_cli, name="person")

Version = Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file; see config.example.toml.", envvar="PA_CONFIG")
]
PersonIds = Annotated[
    list[str],
    typer.Argument(metavar="ID…", help="One person's ids: telegram:12345, slack:U123ABC45, web:192.0.2.7, api:NAME."),
]


class Source(StrEnum):
    HUGGINGFACE = "huggingface"
    MODELSCOPE = "modelscope"


@cli.callback(invoke_without_command=True)
def main(version: Version = False) -> None:
    if sys.platform == "win32":
        _fail("This runs on Linux (best), and on macOS without the int8 kernel. On Windows, use WSL 2 or a container.")
    if version:
        typer.echo(f"picture-answers {importlib.metadata.version('picture-answers')}")
        raise typer.Exit


@cli.command()
def run(config: ConfigOption = None) -> None:
    """Start everything the config enables; without a config, the web page with the demo model."""
    from bots.service import Terminated, serve

    try:
        _finish(lambda: serve(_settings(config)))
    except Terminated:
        _leave(0)


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
    from bots.cli.ask_here import answer_here
    from bots.cli.ask_service import answer_by_service
    from core.pictures.images import ImagesConfig

    async def work() -> None:
        console, output = Console(stderr=True, markup=False), AnswerOutput(as_json, save_boxes, save_tables)
        settings = None if url else _settings(config)
        files, query = read_words(pictures, chat, settings.images if settings else ImagesConfig())
        if settings:
            answering: AbstractAsyncContextManager[Answerer] = answer_here(settings, files, query, console)
        else:
            answering = answer_by_service(url, key, os.environ, files, console)
        async with answering as answerer:
            await converse(answerer, output, console, query, chat)

    _finish(work)


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

    _finish(work)
    if Level.WRONG in levels:
        sys.exit(1)


@cli.command()
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

    with _ending():
        settings = _settings(config)
        if model:
            settings = replace(settings, engine=settings.engine.model_copy(update={"model": model}))
        test = SelfTest(settings, report)
        if against_reference:
            check_comparison(settings)
    _finish(test.ask)
    with _ending():
        if against_reference:
            test.compare()
        test.write()
    if not test.passed:
        sys.exit(1)


@cli.command()
def health(config: ConfigOption = None) -> None:
    """Ask the running service whether it is alive, at the port from the config. Exit status 1 if it is not."""
    import httpx

    with _ending():
        settings = _settings(config)
        if settings.web is None:
            raise OperatorError("The config has no table [bots.web], so there is no port to ask.")
        port = settings.web.port
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=4, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            typer.echo(f"no answer at port {port}: {error}", err=True)
            sys.exit(1)


@cli.command()
def export_feedback(
    folder: Annotated[Path, typer.Argument(help="Where to write to; made if it is not there.")] = Path("feedback"),
    config: ConfigOption = None,
) -> None:
    """Write rated answers with their pictures as a data set, if `ratings` is switched on."""
    from bots.service import rated_turns

    async def work() -> None:
        from bots.cli.export_ratings import write

        rated = await rated_turns(_settings(config))
        path = await asyncio.to_thread(write, rated, folder)
        typer.echo(f"{len(rated)} rated answers are in {path}", err=True)

    _finish(work)


@cli.command()
def expire(
    yes: Annotated[bool, typer.Option("--yes", help="Do it. It also says that the clock is right.")] = False,
    unanswered: Annotated[
        bool, typer.Option("--unanswered", help="Also drop questions that old which were never answered.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Say what is older than [storage] expire_days by the current clock; with --yes, remove it."""
    from bots.service import expire as expire_old

    async def work() -> None:
        typer.echo(await expire_old(_settings(config), yes, unanswered), err=True)

    _finish(work)


@cli.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file. It is never overwritten.", dir_okay=False)],
    config: ConfigOption = None,
) -> None:
    """Write the whole database into one file, also while the service runs.

    It has every conversation, picture, unanswered question and decision about people, of one moment. Not in it: the
    config, the model's files and the caches. Keep it safe: it holds people's words and pictures. `restore` reads it.
    """
    from bots.cli.backup import back_up

    _report(lambda: back_up(_settings(config), file))


@cli.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote, also on PostgreSQL or in an older version.")],
    config: ConfigOption = None,
) -> None:
    """Read a backup into the config's database. Stop the service first.

    The whole file is checked before anything is written. A database in which there is something is left as it is: put
    its file away, or name an empty one in [storage]. Questions that waited when the backup was made are answered at the
    next start.
    """
    from bots.cli.backup import restore as read

    _report(lambda: read(_settings(config), file))


@cli.command()
def copy_database(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Its address, as url in [storage].")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Another one, of an empty database.")],
) -> None:
    """Copy a database into an empty one, and compare each row: from SQLite to PostgreSQL, or back.

    Stop the service first, and set url in [storage] to TO afterwards. Nothing is changed in FROM.

    picture-answers copy-database sqlite+aiosqlite:///data/answers.db postgresql+asyncpg://bots@localhost/answers

    A password is better kept in the variable PGPASSWORD than in an address, which others on this machine can see.
    """
    from bots.cli.backup import copy_database as copy

    _report(lambda: copy(source, target))


@cli.command()
def example_config() -> None:
    """Print a config file with every setting and its default: picture-answers example-config > config.toml."""
    here = Path(__file__).parent
    found = next(path for path in (here.parent, here) if (path / EXAMPLE_CONFIG).is_file())  # checkout, wheel
    typer.echo((found / EXAMPLE_CONFIG).read_text("utf-8"), nl=False)


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

    with _ending():  # without an event loop, which would hold the first Ctrl-C back until the download ends
        fetched = download(name, source.value, revision, proxy)
    typer.echo(f"{fetched}\nDoes it work here? python -m bots selftest --model {fetched.model}", err=True)
    if sys.stdin.isatty() and typer.confirm("Run this self-test now? It takes some minutes.", err=True):
        selftest(model=fetched.model)


@person_cli.command("list")
def list_person(ids: PersonIds, config: ConfigOption = None) -> None:
    """Count what is kept of them, and say what admins decided. Also while the service runs."""
    from bots.cli.person import listed

    async def work() -> None:
        typer.echo(await listed(_settings(config), ids))

    _finish(work)


@person_cli.command("export")
def export_person(
    ids: PersonIds,
    file: Annotated[Path, typer.Option("--file", help="A new zip file.", dir_okay=False)] = Path("person.zip"),
    config: ConfigOption = None,
) -> None:
    """Write all of it into a zip file: transcripts as Markdown and JSON, and pictures. Also while the service runs."""
    from bots.cli.person_export import export

    _report(lambda: export(_settings(config), ids, file))


@person_cli.command("delete")
def delete_person(
    ids: PersonIds,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, without asking.")] = False,
    config: ConfigOption = None,
) -> None:
    """Delete all of it. Stop the service first.

    In groups the questions and answers of others stay. The person is noted in a list, as a hash, so that no backup from
    before brings anything back.
    """
    from bots.cli.person import delete

    if not yes:
        typer.confirm(f"Delete all that is kept of {', '.join(ids)}?", abort=True, err=True)
    _report(lambda: delete(_settings(config), ids))


def _settings(config: Path | None) -> Any:
    from bots.config import load

    return load(config)


def _finish(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command whose files and memory no other user here may read: they contain people's words and pictures."""
    os.umask(0o077)
    confinement.hide()
    with _ending():
        asyncio.run(work())


def _report(work: Callable[[], Coroutine[Any, Any, str]]) -> None:
    """Run a command as `_finish`, and print the sentence that it returns."""

    async def told() -> None:
        typer.echo(await work(), err=True)

    _finish(told)


@contextmanager
def _ending() -> Iterator[None]:
    """Turn a `BotError` into one sentence on stderr and exit status 2. Ctrl-C is not an error."""
    try:
        yield
    except BotError as error:
        _fail(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _leave(130)


def _leave(status: int) -> NoReturn:
    """Exit, without Python's clean-up while a model is being loaded.

    The clean-up would end that thread in the middle of C++ code, which aborts the process and leaves a core dump.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(2)


if __name__ == "__main__":
    cli()

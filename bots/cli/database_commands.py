"""The commands that look after the database."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bots.cli.runner import ConfigOption, load_settings, run_and_print, run_command

database_cli = typer.Typer()


@database_cli.command()
def export_feedback(
    folder: Annotated[Path, typer.Argument(help="Where to write to; made if it is not there.")] = Path("feedback"),
    config: ConfigOption = None,
) -> None:
    """Write rated answers with their pictures as a data set, if `ratings` is switched on."""
    from bots.service import rated_turns

    async def work() -> None:
        from bots.cli.export_ratings import write

        rated = await rated_turns(load_settings(config))
        path = await asyncio.to_thread(write, rated, folder)
        typer.echo(f"{len(rated)} rated answers are in {path}", err=True)

    run_command(work)


@database_cli.command()
def expire(
    yes: Annotated[bool, typer.Option("--yes", help="Do it. It also says that the clock is right.")] = False,
    unanswered: Annotated[
        bool, typer.Option("--unanswered", help="Also drop questions that old which were never answered.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    r"""Say what is older than expire_days in \[storage] by the current clock; with --yes, remove it."""
    from bots.service import expire as expire_old

    async def work() -> None:
        typer.echo(await expire_old(load_settings(config), yes, unanswered), err=True)

    run_command(work)


@database_cli.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file. It is never overwritten.", dir_okay=False)],
    config: ConfigOption = None,
) -> None:
    """Write the whole database into one file, also while the service runs.

    It has every conversation, picture, unanswered question and decision about people, of one moment. Not in it: the
    config, the model's files and the caches. Keep it safe: it holds people's words and pictures. `restore` reads it.
    """
    from bots.cli.backup import back_up

    run_and_print(lambda: back_up(load_settings(config), file))


@database_cli.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote, also on PostgreSQL or in an older version.")],
    config: ConfigOption = None,
) -> None:
    r"""Read a backup into the config's database. Stop the service first.

    The whole file is checked before anything is written. A database in which there is something is left as it is: put
    its file away, or name an empty one in \[storage]. Questions that waited when the backup was made are answered at
    the next start.
    """
    from bots.cli.backup import restore as read

    run_and_print(lambda: read(load_settings(config), file))


@database_cli.command()
def copy_database(
    source: Annotated[str, typer.Argument(metavar="FROM", help=r"Its address, as url in \[storage].")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Another one, of an empty database.")],
) -> None:
    r"""Copy a database into an empty one, and compare each row: from SQLite to PostgreSQL, or back.

    Stop the service first, and set url in \[storage] to TO afterwards. Nothing is changed in FROM.

    picture-answers copy-database sqlite+aiosqlite:///data/answers.db postgresql+asyncpg://bots@localhost/answers

    A password is better kept in the variable PGPASSWORD than in an address, which others on this machine can see.
    """
    from bots.cli.backup import copy_database as copy

    run_and_print(lambda: copy(source, target))

"""The commands about what is kept of one person."""

from pathlib import Path
from typing import Annotated

import typer

from bots.cli.runner import ConfigOption, load_settings, run_and_print, run_command

person_cli = typer.Typer(help="What is kept about one person, across their chats and groups.", no_args_is_help=True)

PersonIds = Annotated[
    list[str],
    typer.Argument(metavar="ID…", help="One person's ids: telegram:12345, slack:U123ABC45, web:192.0.2.7, api:NAME."),
]


@person_cli.command("list")
def list_person(ids: PersonIds, config: ConfigOption = None) -> None:
    """Count what is kept of them, and say what admins decided. Also while the service runs."""
    from bots.cli.person import listed

    async def work() -> None:
        typer.echo(await listed(load_settings(config), ids))

    run_command(work)


@person_cli.command("export")
def export_person(
    ids: PersonIds,
    file: Annotated[Path, typer.Option("--file", help="A new zip file.", dir_okay=False)] = Path("person.zip"),
    config: ConfigOption = None,
) -> None:
    """Write all of it into a zip file: transcripts as Markdown and JSON, and pictures. Also while the service runs."""
    from bots.cli.person_export import export

    run_and_print(lambda: export(load_settings(config), ids, file))


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
    run_and_print(lambda: delete(load_settings(config), ids))

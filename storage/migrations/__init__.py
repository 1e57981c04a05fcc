"""Bring a database to the newest version of the tables, an empty one included."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect

from core.errors import OperatorError
from storage.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory


def bring_up_to_date(connection: Connection) -> None:
    """Make all tables in an empty database, or upgrade it, in the connection's transaction.

    Raises `OperatorError` for a database of a newer program.
    """
    if inspect(connection).get_table_names():
        upgrade(connection)
    else:
        from alembic.runtime.migration import MigrationContext

        metadata.create_all(connection, checkfirst=False)
        MigrationContext.configure(connection).stamp(_scripts(), "head")


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to a revision. Raises `OperatorError` for a database of a newer program."""
    from alembic import command

    with _explained():
        command.upgrade(_config(connection), revision)


def check_revision(revision: str) -> None:
    """Raise `OperatorError` if the tables' version is that of a newer program."""
    with _explained():
        _scripts().get_revision(revision)


@cache
def _scripts() -> "ScriptDirectory":
    """Return the migrations. Each is a file, and they are read once."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _explained() -> Iterator[None]:
    from alembic.util import CommandError

    try:
        yield
    except (AssertionError, LookupError) as error:  # how Alembic fails for an unknown version
        raise OperatorError(
            "The database is damaged: its table alembic_version cannot be understood. Put a copy in its place that was "
            "kept, or give the service another database in [storage].",
        ) from error
    except CommandError as error:
        raise OperatorError(
            "The database was made by a newer version of this program ({reason}). Update the program, or give it "
            "another database in [storage].",
            reason=str(error).rstrip("."),
        ) from error

"""Bring a database to the newest version of the tables, an empty one included."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from core.errors import OperatorError

if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade in the connection's transaction. Raises `OperatorError` for a database of a newer program."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    with _explained():
        command.upgrade(config, revision)


def check_revision(revision: str) -> None:
    """Raise `OperatorError` if the tables' version is that of a newer program."""
    from alembic.script import ScriptDirectory

    with _explained():
        ScriptDirectory.from_config(_config()).get_revision(revision)


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
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

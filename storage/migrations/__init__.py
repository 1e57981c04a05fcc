"""Bring a database to the newest version of the tables, an empty one included."""

from pathlib import Path

from sqlalchemy import Connection

from core.errors import OperatorError


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade in the connection's transaction. Raises `OperatorError` for a database of a newer program."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
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

"""Classify a database's errors: which of them another attempt may cure, and what is said about them."""

import logging
import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import StoreDown

log = logging.getLogger(__name__)
# An unreachable server is an OSError that SQLAlchemy does not wrap; SQLite's messages may quote damaged text.
UNAVAILABLE = (DBAPIError, PoolTimeout, OSError, UnicodeDecodeError)
DEADLOCKS = {"40001", "40P01"}  # PostgreSQL's serialization_failure and deadlock_detected
FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}


def has_collided(error: BaseException) -> bool:
    """Return whether another process wrote the same row meanwhile, so that another attempt will see it."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return isinstance(error, IntegrityError) or getattr(cause, "sqlstate", "") in DEADLOCKS


def is_full(error: BaseException) -> bool:
    """Return whether the disk is full. A used-up quota, or an index that cannot grow, is an I/O error to SQLite."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlite_errorcode", 0) in FULL


def down(reason: str) -> StoreDown:
    """Log the reason, and return the error for the person who asked."""
    log.error("the database does not work: %s", reason)
    return StoreDown(
        "I cannot save anything at the moment, so I cannot answer. Please try again in a minute.", 60.0, reason
    )


def reason_of(error: BaseException) -> str:
    """Return the driver's own words. SQLAlchemy's would add the statement's values, which are people's words."""
    return str(error.orig if isinstance(error, DBAPIError) and error.orig else error).strip().rstrip(".")

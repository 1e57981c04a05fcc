"""Set up the log: plain lines or JSON, each with its question's id. Never captions, pictures or tokens."""

import json
import logging
import time
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, Field

from core import trace
from core.latest import Latest

MINUTE_SECONDS = 60.0
MOST_LINES = 1000  # that are kept in mind: libraries put addresses and names into some of theirs
OURS = ("bots", "core", "storage")


class Config(BaseModel, extra="forbid", frozen=True):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    format: Literal["plain", "json"] = Field("plain", description="plain lines, or json for a log collector.")


def set_up(config: Config) -> None:
    """Log to stderr. Libraries log only warnings and errors, at any level.

    httpx logs URLs, and Telegram's contain the token; aiosqlite logs what is written, with pictures.
    """
    output = logging.StreamHandler()
    output.addFilter(_add_question)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(question)s %(name)s: %(message)s")
    output.setFormatter(_Json() if config.format == "json" else plain)
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelName(config.level)), handlers=[output], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(config.level)


def _add_question(record: logging.LogRecord) -> bool:
    if not hasattr(record, "question"):
        record.question = trace.current.get()
    return True


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "question": getattr(record, "question", "-"),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class OnceAMinute(logging.Filter):
    """Lets repeated lines of some loggers through once a minute, so that strangers cannot fill the log.

    Lines are equal if they have the same message, or an exception from the same place. The next one tells how many were
    left out.
    """

    def __init__(self, *loggers: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._loggers = [logging.getLogger(name) for name in loggers]
        self._clock = clock
        self._said: Latest[tuple[str, str], tuple[float, int]] = Latest(MOST_LINES)  # when, and how many were left out

    def __enter__(self) -> "OnceAMinute":
        for logger in self._loggers:
            logger.addFilter(self)
        return self

    def __exit__(self, *_: object) -> None:
        for logger in self._loggers:
            logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        now, line = self._clock(), (str(record.msg).partition("\n")[0], _origin(record))
        when, left_out = self._said.get(line, (now - MINUTE_SECONDS, 0))
        if now - when < MINUTE_SECONDS:
            self._said[line] = when, left_out + 1
            return False
        self._said[line] = now, 0
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more like this before)", ()
        return True


def _origin(record: logging.LogRecord) -> str:
    """Return where the line's exception was raised, or "" without one."""
    traceback = record.exc_info[2] if record.exc_info else None
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else ""

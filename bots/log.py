"""Set up the log: plain lines or JSON, each with its question's id. Never captions, pictures or tokens."""

import ast
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Literal

from pydantic import BaseModel, Field

from core import trace
from core.bounded_dict import BoundedDict

MINUTE_SECONDS = 60.0
MOST_LINES = 1000  # that are kept in mind: libraries put addresses and names into some of theirs
PLAIN = "%(asctime)s %(levelname)-7s %(question)s %(name)s: %(message)s"
OURS = ("bots", "core", "storage")
ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
LEFT_OUT = "(what was said is left out: it may be somebody's words)"
MOST_FILES = 50  # of libraries, whose sentences are kept in mind


class LogConfig(BaseModel, extra="forbid", frozen=True):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    format: Literal["plain", "json"] = Field("plain", description="plain lines, or json for a log collector.")


def set_up(config: LogConfig) -> None:
    """Log to stderr. Libraries log only warnings and errors, at any level.

    httpx logs URLs, and Telegram's contain the token; aiosqlite logs what is written, with pictures.
    """
    output = logging.StreamHandler()
    output.addFilter(_add_question)
    output.addFilter(leave_words_out)
    output.setFormatter(_Json() if config.format == "json" else _Plain(PLAIN))
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelName(config.level)), handlers=[output], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(config.level)


def _add_question(record: logging.LogRecord) -> bool:
    if not hasattr(record, "question"):
        record.question = trace.current.get()
    return True


def leave_words_out(record: logging.LogRecord) -> bool:
    """Keep of a library's line what stands in its source: the rest may be somebody's words, or a token."""
    if record.name.partition(".")[0] in OURS or hasattr(record, "left_out"):
        return True
    template = record.msg if isinstance(record.msg, str) else ""
    if template not in _sentences_in(record.pathname):
        kept = LEFT_OUT
    else:
        kept = f"{template!r} {LEFT_OUT}" if record.args else template
    record.msg = f"{kept} [{record.module}:{record.lineno}]"
    record.args = ()
    record.left_out = True
    return True


@lru_cache(MOST_FILES)
def _sentences_in(path: str) -> frozenset[str]:
    """Return every text that stands in a Python file; none where it cannot be read."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    nodes = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return frozenset(value for value in nodes if isinstance(value, str))


class _Plain(logging.Formatter):
    """Times carry their zone; a traceback has no words of a library's exception."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def formatException(self, ei: ExceptionInfo) -> str:
        return "\n".join(_told(ei[1])) if ei[1] is not None else ""


def _told(error: BaseException, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """Return the lines of a traceback, with what caused the exception and what a group of them holds.

    A message is kept where the exception is ours or Python's own; a library's may quote what it was given.
    """
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    seen = seen | {id(error)}
    if before is not None and id(before) not in seen:
        yield from [*_told(before, seen), "", "... which led to:", ""]
    yield "Traceback (most recent call last):"
    yield from "".join(traceback.format_tb(error.__traceback__)).splitlines()
    kind = type(error)
    known = kind.__module__.partition(".")[0] in (*OURS, *sys.stdlib_module_names)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    yield f"{module}{kind.__qualname__}: {error if known else LEFT_OUT}"
    for inner in getattr(error, "exceptions", ()):
        if isinstance(inner, BaseException) and id(inner) not in seen:
            yield from (f"  | {line}" for line in _told(inner, seen))


class _Json(_Plain):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "question": getattr(record, "question", "-"),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if event := getattr(record, "event", ""):
            fields = {"event": event} | getattr(record, "fields", {})
            line |= {name: value for name, value in fields.items() if name not in line}
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
        # When, and how many were left out.
        self._said: BoundedDict[tuple[str, str], tuple[float, int]] = BoundedDict(MOST_LINES)

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

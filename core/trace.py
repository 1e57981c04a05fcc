"""Give each question one id, from the adapter to the engine, on every line that is logged for it.

The model thread works on many questions at once, and finds the id in `core.engine.request.EngineRequest`.
"""

import hashlib
import logging
import traceback
from contextvars import ContextVar

current: ContextVar[str] = ContextVar("current", default="-")


def set_current(key: str) -> None:
    """Make this task, and tasks that it starts, work on the message `key`. The id reveals nothing about the person."""
    current.set(hashlib.sha256(key.encode()).hexdigest()[:8])


def log_event(log: logging.Logger, name: str, level: int = logging.INFO, **fields: str | int) -> None:
    """Log one event with named fields: `name key=value …` as a plain line, and real fields in JSON."""
    text = " ".join([name, *(f"{key}={value}" for key, value in fields.items())])
    log.log(level, text, extra={"event": name, "fields": fields}, stacklevel=2)


def without_words(error: BaseException) -> str:
    """Return an exception's type and place for the log. Its message may quote a person's words."""
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__}\n{frames}" if frames else type(error).__name__

"""The log: plain lines or JSON, each with the id of the question it belongs to. Never captions, pictures or tokens."""

import json
import logging
from typing import Literal

from pydantic import BaseModel, Field

from core import trace

OURS = ("bots", "core", "storage")


class Config(BaseModel, extra="forbid", frozen=True):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    format: Literal["plain", "json"] = Field("plain", description="plain lines, or json for a log collector.")


def set_up(config: Config) -> None:
    """Log to stderr. Libraries are heard from WARNING on, whatever the level.

    httpx logs URLs, and Telegram's carry the token; aiosqlite logs what is written, pictures and all.
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

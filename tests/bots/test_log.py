import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import pytest
from sqlalchemy.exc import StatementError

from bots.log import MOST_LINES, OURS, LogConfig, OnceAMinute, set_up
from core import trace


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {log: log.level for log in (root, *map(logging.getLogger, OURS))}
    yield io.StringIO()
    root.handlers[:] = handlers
    for log, level in levels.items():
        log.setLevel(level)


def said(output: io.StringIO, config: LogConfig) -> logging.Logger:
    set_up(config)
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(output)
    return logging.getLogger("bots.telegram")


def test_every_line_carries_the_id_of_its_question(output: io.StringIO) -> None:
    log = said(output, LogConfig())
    trace.set_current("telegram:1:17")
    log.info("hello %s", "there")
    trace.current.set("-")
    log.info("no question")
    first, second = output.getvalue().splitlines()
    assert "hello there" in first
    assert first.split()[2] != second.split()[2] == "-"


def test_json_lines_are_json_also_with_a_traceback(output: io.StringIO) -> None:
    log = said(output, LogConfig(format="json"))
    try:
        raise ValueError("线")
    except ValueError:
        log.exception("it failed")
    line = json.loads(output.getvalue())
    assert line["message"] == "it failed"
    assert "ValueError: 线" in line["traceback"]


@pytest.mark.parametrize("form", ["plain", "json"])
def test_times_carry_their_zone(output: io.StringIO, form: Literal["plain", "json"]) -> None:
    said(output, LogConfig(format=form)).info("hello")
    line = output.getvalue()
    time = json.loads(line)["time"] if form == "json" else line.split()[0]
    assert datetime.fromisoformat(time).utcoffset() is not None


def test_an_event_has_real_fields_in_json_and_names_in_plain_lines(output: io.StringIO) -> None:
    log = said(output, LogConfig(format="json"))
    trace.log_event(log, "answered", platform="slack", answer_ms=1200, level_of="x", time="no")
    line = json.loads(output.getvalue())
    assert (line["event"], line["platform"], line["answer_ms"]) == ("answered", "slack", 1200)
    assert line["time"] != "no"  # no field hides what every line has
    output.truncate(0)
    trace.log_event(said(output, LogConfig()), "answered", platform="slack", answer_ms=1200)
    assert "bots.telegram: answered platform=slack answer_ms=1200\n" in output.getvalue()


@pytest.mark.parametrize("form", ["plain", "json"])
def test_nothing_that_a_library_was_given_reaches_the_log(output: io.StringIO, form: Literal["plain", "json"]) -> None:
    said(output, LogConfig(format=form))
    secret = " ".join(["my", "passport", "and", "bot1:SECRET"])  # which does not stand in this file
    library = logging.getLogger("somelib.client")
    library.error(f"cannot send {secret}")
    library.error("cannot send %s", secret)
    library.error("cannot send {}".format(secret), exc_info=_raised_by_a_library(secret))  # noqa: UP032
    logging.getLogger().warning(secret)  # what uses the root logger is no code of ours either
    logging.getLogger("core.somewhere").error("ours fails", exc_info=_raised_by_a_library(secret))
    said_ = output.getvalue()
    assert len(said_.splitlines()) >= 5
    assert "passport" not in said_
    assert "SECRET" not in said_
    assert "'cannot send %s'" in said_  # what stands in its source is nobody's words
    assert "test_log:" in said_  # and where it stands
    assert "sqlalchemy" in said_ and "StatementError" in said_  # what went wrong is known by its kind


def test_a_librarys_plain_sentence_is_kept(output: io.StringIO) -> None:
    said(output, LogConfig())
    logging.getLogger("somelib").error("The cable is unplugged.")
    assert "The cable is unplugged. [test_log:" in output.getvalue()


def _raised_by_a_library(words: str) -> Exception:
    """As ours that was caused by theirs: both are in the traceback."""
    try:
        try:
            raise StatementError(words, words, {"caption": words}, Exception("orig"))
        except StatementError as error:
            raise RuntimeError("it is our own") from error
    except RuntimeError as error:
        return error


def test_libraries_that_log_urls_are_quiet(output: io.StringIO) -> None:
    said(output, LogConfig(level="DEBUG"))
    logging.getLogger("httpx").info("POST https://api.telegram.org/bot1:secret/sendMessage")
    logging.getLogger("aiosqlite").debug("executing insert into messages values ('a caption')")
    assert output.getvalue() == ""
    logging.getLogger("core.engine.worker").debug("ours")
    assert "ours" in output.getvalue()


def test_the_id_says_nothing_about_the_key() -> None:
    trace.set_current("telegram:alice")
    assert "alice" not in trace.current.get()
    trace.current.set("-")


def test_a_line_that_comes_again_and_again_is_written_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now, log = [0.0], logging.getLogger("somebody.noisy")
    with OnceAMinute("somebody.noisy", clock=lambda: now[0]):
        for now[0] in (0.0, 1.0, 59.0, 60.0, 61.0):
            log.warning("Refused: %s", now[0])
            log.error("Failed.", exc_info=_raised("one place"))
            log.error("Failed.", exc_info=_raised_elsewhere())
    log.warning("Refused: %s", "afterwards")
    assert [record.getMessage() for record in caplog.records] == [
        *("Refused: 0.0", "Failed.", "Failed."),
        *("Refused: 60.0 (2 more like this before)", *["Failed. (2 more like this before)"] * 2),
        "Refused: afterwards",
    ]


def test_lines_that_are_all_different_are_not_kept_in_mind_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("somebody.noisy")
    with OnceAMinute("somebody.noisy", clock=lambda: 0.0) as once:
        for number in range(3 * MOST_LINES):
            log.warning(f"Exception in callback <Handle {number}>")
        assert len(once._said) == MOST_LINES
    assert len(caplog.records) == 3 * MOST_LINES


def _raised(words: str) -> Exception:
    try:
        raise RuntimeError(words)
    except RuntimeError as error:
        return error


def _raised_elsewhere() -> Exception:
    try:
        raise RuntimeError("elsewhere")
    except RuntimeError as error:
        return error

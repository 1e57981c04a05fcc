"""Clocks that are wrong, by libfaketime: no conversation goes, and no question that was acknowledged."""

import shutil
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.system.conftest import ROOT, Host, Service

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
KEY = "a-key-that-nobody-guesses"

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(900),
    pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed: wrong clocks were not tested"),
]


def off_by(days: int) -> dict[str, str]:
    return {"LD_PRELOAD": str(LIBRARY), "FAKETIME": f"{days:+d}d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def expiry_is_over(service: Service) -> None:
    """It begins with the start, and its end is a line about the clock."""
    service.until(lambda: "Nothing expires" in service.log)


def test_a_start_with_the_clock_ahead_removes_no_conversation(host: Host) -> None:
    with host.start() as service:
        answer = service.ask(KEY)
        conversation = answer.json()["conversation"]
    for days in (40, 400):
        with host.start(off_by(days)) as service:
            expiry_is_over(service)
            assert f"{days}.0 days later than it should be" in service.log
            assert service.conversations() == [conversation]
            assert "days later than it should be" in service.client.get("/admin").text
    with host.start() as service:
        assert service.conversations() == [conversation]
        assert service.ask(KEY).json() == answer.json()
        assert "Nothing expires" not in service.log


def test_what_was_asked_while_the_clock_was_behind_is_answered_when_it_is_right_again(host: Host) -> None:
    with host.start() as service:
        first = service.ask(KEY + "-1").json()["conversation"]
    with host.start(off_by(-400)) as service:
        expiry_is_over(service)
        second = service.ask(KEY + "-2", name="chart").json()["conversation"]
        asking = threading.Thread(target=_ask_and_be_cut_off, args=(service, KEY + "-3"))
        asking.start()
        service.until(lambda: len(service.conversations()) == 3)  # it is written down
        service.process.kill()
        asking.join()
    with host.start() as service:
        third = service.ask(KEY + "-3", name="product")
        assert third.status_code == 200
        assert third.json()["text"]
        assert set(service.conversations()) == {first, second, third.json()["conversation"]}
        assert "expired" not in service.log


def _ask_and_be_cut_off(service: Service, key: str) -> None:
    with suppress(httpx.TransportError):
        service.ask(key, name="product")


def test_the_operator_can_say_that_the_clock_is_right(host: Host) -> None:
    with host.start() as service:
        service.ask(KEY)
        service.end()
    faketime = [shutil.which("env") or "env", *(f"{name}={value}" for name, value in off_by(40).items())]
    expire = [*faketime, *host.command("expire")]
    asked = subprocess.run(expire, cwd=ROOT, capture_output=True, text=True)
    assert "1 conversations would be removed with --yes" in asked.stderr
    with host.start(off_by(40)) as service:
        expiry_is_over(service)
        assert len(service.conversations()) == 1
        subprocess.run([*expire, "--yes"], cwd=ROOT, check=True)
        assert service.conversations() == []

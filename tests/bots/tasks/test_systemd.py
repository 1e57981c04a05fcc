"""What systemd is told, at a real socket as systemd has one."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bots.conversing.health import Health
from bots.tasks.systemd import Notifier, keep_notifying
from core.errors import BotError, ModelLoading

Told = dict[str, str]


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Both kinds of sockets that systemd may name."""
    address = str(tmp_path / "notify") if request.param == "file" else f"@{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        receiver.setblocking(False)
        yield receiver, address


async def told(receiver: socket.socket) -> Told:
    data = await asyncio.get_running_loop().sock_recv(receiver, 4096)
    return dict(line.split("=", 1) for line in data.decode().split("\n"))


async def test_systemd_is_told_that_it_is_ready_then_that_it_lives_then_that_it_stops(
    systemd: tuple[socket.socket, str],
) -> None:
    receiver, address = systemd
    health = Health()
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid())})
    model: list[BotError] = [ModelLoading("The model is being loaded: 40 %.")]

    def check_model() -> None:
        for error in model:
            raise error

    notifying = asyncio.create_task(keep_notifying(health, check_model, notifier))
    assert await told(receiver) == {"READY": "1", "STATUS": "The model is being loaded: 40 %."}
    assert (await told(receiver))["WATCHDOG"] == "1"
    model.clear()
    while (await told(receiver))["STATUS"] != "All is well.":
        pass
    health.mark_down("telegram", "The token\nis wrong.")
    health.set_notice("disk", "The disk is nearly full.")
    while (said := await told(receiver))["STATUS"] == "All is well.":
        pass
    assert said == {"WATCHDOG": "1", "STATUS": "telegram is down: The token is wrong. The disk is nearly full."}
    notifying.cancel()
    await asyncio.wait([notifying])
    while "STOPPING" not in (said := await told(receiver)):
        assert said["WATCHDOG"] == "1"
    assert said == {"STOPPING": "1"}


def test_a_watchdog_for_another_process_or_of_nonsense_is_none_of_ours() -> None:
    assert Notifier({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "90000000"}).interval_seconds == 90
    for environment in (
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "90000000"},
    ):
        assert Notifier(environment).interval_seconds == 0


async def test_without_systemd_nothing_is_sent_and_a_dead_socket_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Notifier({}).send(READY="1")
    assert not caplog.records
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    for _ in range(3):
        notifier.send(WATCHDOG="1")
    assert [record.getMessage() for record in caplog.records] == [
        "systemd cannot be told anything: No such file or directory"
    ]


async def test_a_systemd_that_is_busy_is_told_again_later(
    systemd: tuple[socket.socket, str], caplog: pytest.LogCaptureFixture
) -> None:
    receiver, address = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as other:
        other.connect(receiver.getsockname())
        try:
            while True:
                other.send(b"STATUS=of another one")
        except BlockingIOError:
            pass
    notifier.send(WATCHDOG="1")
    assert not caplog.records
    try:
        while True:
            assert receiver.recv(4096) == b"STATUS=of another one"
    except BlockingIOError:
        pass
    notifier.send(WATCHDOG="1")
    assert await told(receiver) == {"WATCHDOG": "1"}

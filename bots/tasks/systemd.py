"""Tell systemd that the service works, and go on telling it, so that one that hangs is started again.

systemd's protocol is one datagram to the socket in NOTIFY_SOCKET (sd_notify(3)). Without the variable nothing is sent.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping

from bots.conversing.health import Health
from core.errors import BotError

log = logging.getLogger(__name__)
SOCKET, INTERVAL, PROCESS = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
PINGS_PER_INTERVAL = 3
STATUS_SECONDS = 30.0  # without a watchdog


class Notifier:
    """Sends to systemd. That something cannot be sent is logged once: the service works without it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get(SOCKET, "")
        self._has_failed = False
        watched = environment.get(PROCESS) in (None, str(os.getpid()))
        interval = environment.get(INTERVAL, "")
        self.interval_seconds = int(interval) / 1e6 if self._address and watched and interval.isdigit() else 0.0

    def send(self, **state: str) -> None:
        """Send READY="1" or the like."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            ) as sender:
                sender.sendto("\n".join(f"{key}={value}" for key, value in state.items()).encode(), address)
        except BlockingIOError:  # systemd has much to read; the next word says the same
            pass
        except OSError as error:
            if not self._has_failed:
                log.warning("systemd cannot be told anything: %s", error.strerror)
            self._has_failed = True


async def keep_notifying(health: Health, check_model: Callable[[], None], notifier: Notifier) -> None:
    """Say that the service is ready, then that it is alive, until cancelled; the last word is that it stops.

    `check_model` raises `BotError` while no question can be answered.

    This runs in the event loop, so an event loop that hangs says nothing, and systemd ends the process.
    """
    pause = notifier.interval_seconds / PINGS_PER_INTERVAL or STATUS_SECONDS
    notifier.send(READY="1", STATUS=_status(health, check_model))
    try:
        while True:
            await asyncio.sleep(pause)
            notifier.send(WATCHDOG="1", STATUS=_status(health, check_model))
    finally:
        notifier.send(STOPPING="1")


def _status(health: Health, check_model: Callable[[], None]) -> str:
    """Return one line for `systemctl status`."""
    down = [f"{name} is down: {state.reason}" for name, state in health.platforms.items() if not state.up]
    try:
        check_model()
    except BotError as error:
        down.insert(0, str(error))
    return " ".join(" ".join([*down, *health.notices.values()]).split()) or "All is well."

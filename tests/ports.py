"""A port for a server of the tests that comes back on the same one after a restart."""

import secrets
import socket
from contextlib import suppress


def free_port() -> int:
    """Below those that systems give to outgoing connections: between two lives somebody's could have this very port.

    By no dice with a seed: two runs beside each other would throw the same, and meet between two lives of one.
    """
    while True:
        port = secrets.choice(range(15_000, 30_000))
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port

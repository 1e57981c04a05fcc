"""Find a port for a test server that must return to the same port after a restart."""

import secrets
import socket
from contextlib import suppress


def free_port() -> int:
    """Return a free port below those that systems use for outgoing connections, which might take it meanwhile.

    It is not drawn with a seed, because two runs at the same time would draw the same port.
    """
    while True:
        port = secrets.choice(range(15_000, 30_000))
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port

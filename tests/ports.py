"""Find a port for a test server that must return to the same port after a restart."""

import os
import re
import secrets
import socket
from contextlib import suppress

_given: set[int] = set()


def free_port() -> int:
    """Return a free port below those that systems use for outgoing connections, which might take it meanwhile.

    None is given twice, nor by two of pytest's workers: nobody listens at it yet, and between two lives of a server.
    It is not drawn with a seed, because two runs at the same time would draw the same port.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "gw0")))
    while True:
        port = secrets.choice(range(15_000 + own, 30_000, workers))
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in _given:
                _given.add(port)
                return port

"""Open the socket that the page is served on."""

import errno
import socket

from bots.web.config import WebConfig
from core.errors import OperatorError

BACKLOG_CONNECTIONS = 1024  # that the system keeps until they are accepted
SEND_BUFFER_BYTES = 256 * 1024  # of an answer in the system's memory, for each reader that is slow


def listen(config: WebConfig) -> socket.socket:
    """Return a listening socket. Raises `OperatorError` if the port cannot be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(config, error.strerror or str(error)) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # inherited by its connections
        listener.bind(address)
        listener.listen(BACKLOG_CONNECTIONS)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        raise _cannot_listen(config, "another program has it" if taken else error.strerror or str(error)) from None
    listener.setblocking(False)
    return listener


def _cannot_listen(config: WebConfig, reason: str) -> OperatorError:
    return OperatorError(
        "Port {port} on {host} cannot be had: {reason}. Choose another port in [bots.web].",
        port=config.port,
        host=config.host,
        reason=reason,
    )

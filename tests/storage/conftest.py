from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.store import Store, StoreConfig
from tests.storage.machine import Machine
from tests.storage.postgres import cluster


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

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.store import Store, StoreConfig
from tests.storage.machine import Machine


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

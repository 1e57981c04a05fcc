from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.store import Config, Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "answers.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store = await Store.open(Config(url=f"sqlite+aiosqlite:///{path}", ratings=True))
    yield store
    await store.close()

"""Load the demo model once for all tests of the platforms."""

import asyncio
from collections.abc import Iterator

import pytest

from core.engine import Config as EngineConfig
from core.engine.engine import Engine


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return the demo model's engine, usable from any event loop because it has a thread of its own."""
    cache = tmp_path_factory.mktemp("engine")
    engine = asyncio.run(Engine.start(EngineConfig(model="demo", threads=1, cache=cache, cache_limit_gb=0)))
    yield engine
    asyncio.run(engine.close())

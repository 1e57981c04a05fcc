"""Load the demo model once for all tests of the platforms."""

import asyncio
from collections.abc import Iterator

import pytest

from core.engine import EngineConfig
from core.engine.config import Kind
from core.engine.engine import Engine
from tests.core.engine.any_tiny import make_other


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return the demo model's engine, usable from any event loop because it has a thread of its own."""
    cache = tmp_path_factory.mktemp("engine")
    engine = asyncio.run(Engine.start(EngineConfig(model="demo", threads=1, cache=cache, cache_limit_gb=0)))
    yield engine
    asyncio.run(engine.close())


@pytest.fixture(scope="session", params=["demo", "another architecture"])
def reference(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Start the engine that transformers itself runs."""
    folder = tmp_path_factory.mktemp("reference")
    model = "demo" if request.param == "demo" else str(make_other(folder / "other"))
    config = EngineConfig(model=model, kind=Kind.REFERENCE, threads=1, cache=folder)
    engine = asyncio.run(Engine.start(config))
    yield engine
    asyncio.run(engine.close())

"""Load the demo model once for all tests of the platforms, empty a database for several services, shorten pauses."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from bots.conversing import backoff, delivery
from core.engine import EngineConfig
from core.engine.config import Kind
from core.engine.engine import Engine
from tests.core.engine.any_tiny import make_other
from tests.storage.postgres import execute

# The same examples each time, however long one takes: what fails fails by a change, and not by chance.
settings.register_profile("tests", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def shorten_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what failed be tried again at once: servers of tests fail as often as a test says.

    What is being posted as a service ends is waited for, however long that takes on a busy machine.
    """
    monkeypatch.setattr(delivery, "POSTING_SECONDS", 120.0)
    monkeypatch.setattr(backoff, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(backoff, "LONGEST_PAUSE_SECONDS", 0.2)


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


@pytest.fixture
async def database_url(postgres: str) -> str:
    """Return the address of an empty database on PostgreSQL, for several services."""
    await execute(postgres, "DROP DATABASE IF EXISTS replicas WITH (FORCE)")
    await execute(postgres, "CREATE DATABASE replicas")
    return postgres.rpartition("/")[0] + "/replicas"

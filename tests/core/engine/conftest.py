"""Start engines with a tiny model."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.engine import EngineConfig
from core.engine.engine import Engine

Start = Callable[..., Any]


@pytest.fixture
def start(tiny: Path, tmp_path: Path) -> Start:
    """Start engines: `start(precision=…)` puts settings into [core.engine], with the test's own cache folder."""

    @asynccontextmanager
    async def started(**settings: Any) -> AsyncIterator[Engine]:
        engine = await Engine.start(
            EngineConfig(**({"model": str(tiny), "cache": tmp_path / "cache", "threads": 1} | settings))
        )
        try:
            yield engine
        finally:
            await engine.close()

    return started

"""Made-up and hostile schemas, asked of the demo model. `make schemas` asks hundreds and measures."""

from pathlib import Path

import pytest

from core.engine.engine import Engine
from tests.core.engine.made_schemas import HOSTILE, make
from tests.core.engine.try_schemas import Outcome, ask_within, started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("schemas")


async def test_what_is_finished_obeys_its_schema_and_the_rest_says_why(folder: Path) -> None:
    outcomes = []
    async with started(folder) as engine:
        for seed in range(16):
            outcomes.append(await ask_within(engine, make(seed), 60, seed))
    assert outcomes.count(Outcome.FINISHED) > 5
    assert Outcome.INVALID not in outcomes


async def test_hostile_schemas_harm_nobody(folder: Path) -> None:
    async with started(folder) as engine:
        outcomes = {name: await ask_within(engine, schema, 30, 0) for name, schema in HOSTILE.items()}
        assert_usable(engine)
    assert Outcome.INVALID not in outcomes.values()
    for name in ("too deep", "only itself", "each other", "10,000 values", "look-ahead", "multiple", "rules", "file"):
        assert outcomes[name] is Outcome.REFUSED, name


def assert_usable(engine: Engine) -> None:
    engine.check()
    assert engine.stats().running == 0

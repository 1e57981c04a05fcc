"""A model is what it says it is, or it is refused: at start and in `doctor`, by file and tensor."""

import asyncio
from pathlib import Path

import pytest

from bots.cli.doctor import examine
from bots.conversing.check_result import Level
from core.engine import EngineConfig
from core.engine.engine import Engine
from core.errors import OperatorError
from core.model.checkpoint import Checkpoint
from core.model.compatibility import read_config
from core.model.description import DEMO
from tests.core.engine.tiny import make_model
from tests.core.model.broken import BROKEN, break_copy


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("whole"))


async def doctor_says(folder: Path, model: Path) -> tuple[Level, str]:
    path = folder / "config.toml"
    path.write_text(
        f'[core.engine]\nmodel = "{model}"\ncache = "{folder}/cache"\n'
        f'[storage]\nurl = "sqlite+aiosqlite:///{folder}/db.sqlite"\n'
    )
    return next((found.level, found.text) for found in [each async for each in examine(path)] if found.what == "model")


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_foreign_or_broken_is_refused_at_start_and_by_doctor(
    whole: Path, tmp_path: Path, name: str
) -> None:
    broken = break_copy(whole, tmp_path / "broken", name)
    with pytest.raises(OperatorError) as refused:
        await Engine.start(EngineConfig(model=str(broken), cache=tmp_path / "cache", threads=1))
    for words in (*BROKEN[name].words, str(broken)):
        assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert await doctor_says(tmp_path, broken) == (Level.WRONG, str(refused.value))


@pytest.mark.parametrize("folder", ["whole", "demo"])
async def test_what_is_whole_is_taken(whole: Path, tmp_path: Path, folder: str) -> None:
    checkpoint = whole if folder == "whole" else DEMO
    await asyncio.to_thread(read_config, Checkpoint(checkpoint))
    level, _ = await doctor_says(tmp_path, checkpoint)
    assert level is Level.OK

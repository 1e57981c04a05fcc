import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bots.cli.export_ratings import write
from core.answer import Answer, Ending
from core.conversation import Picture, Turn
from core.errors import NotAllowed
from storage.store import Store, StoreConfig
from tests.fakes import image

ROOT = Path(__file__).parents[3]


def turn(text: str) -> Turn:
    return Turn(text, (Picture(1, image("red")),), Answer(f"{text}!", Ending.DONE))


async def test_rated_turns_become_lines_and_each_picture_one_file(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/db.sqlite", ratings=True))
    await store.save("web:1", turn("好吗"), "a")
    await store.save("web:2", turn("bad"), "b")
    await store.save("web:3", turn("never rated"), "c")
    assert await store.rate("a", 1)
    assert await store.rate("b", -1)
    path = write(await store.rated(), tmp_path / "out")
    await store.close()
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [(line["question"], line["answer"], line["rating"]) for line in lines] == [
        ("好吗", "好吗!", 1),
        ("bad", "bad!", -1),
    ]
    assert (tmp_path / "out" / lines[0]["pictures"][0]).read_bytes() == image("red").data
    assert len(list((tmp_path / "out" / "pictures").iterdir())) == 1


def test_nobody_else_on_the_machine_may_read_what_was_exported(tmp_path: Path) -> None:
    async def rate() -> None:
        store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/db.sqlite", ratings=True))
        await store.save("web:1", turn("q"), "a")
        await store.rate("a", 1)
        await store.close()

    asyncio.run(rate())
    config = tmp_path / "config.toml"
    config.write_text(f'[storage]\nurl = "sqlite+aiosqlite:///{tmp_path}/db.sqlite"\nratings = true\n', "utf-8")
    command = [sys.executable, "-m", "bots", "export-feedback", str(tmp_path / "out"), "--config", str(config)]
    subprocess.run(command, check=True, cwd=ROOT, umask=0)
    modes = {path.is_file(): path.stat().st_mode & 0o777 for path in (tmp_path / "out").rglob("*")}
    assert modes == {True: 0o600, False: 0o700}


async def test_nobody_can_rate_where_it_is_not_switched_on(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/db.sqlite"))
    await store.save("web:1", replace(turn("q")), "a")
    with pytest.raises(NotAllowed):
        await store.rate("a", 1)
    await store.close()

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bots.feedback import write
from core.conversation import Answer, Ending, Picture, Turn
from core.errors import NotAllowed
from storage.store import Config, Store
from tests.fakes import image


def turn(text: str) -> Turn:
    return Turn(text, (Picture(1, image("red")),), Answer(f"{text}!", Ending.DONE))


async def test_rated_turns_become_lines_and_each_picture_one_file(tmp_path: Path) -> None:
    store = await Store.open(Config(url=f"sqlite+aiosqlite:///{tmp_path}/db.sqlite", ratings=True))
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


async def test_nobody_can_rate_where_it_is_not_switched_on(tmp_path: Path) -> None:
    store = await Store.open(Config(url=f"sqlite+aiosqlite:///{tmp_path}/db.sqlite"))
    await store.save("web:1", replace(turn("q")), "a")
    with pytest.raises(NotAllowed):
        await store.rate("a", 1)
    await store.close()

"""Fill every table of a store, and read all rows of a SQLite file as they are."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from random import Random

from core.answer import Answer, Ending
from core.conversation import Picture, Question
from core.image import Image
from core.person import Standing
from core.pictures.kept_document import KeptDocument
from storage.schema import metadata
from storage.store import Store
from tests.storage.things import ask, image

CAT, DOG, BIRD = image("cat", b"as it was sent"), image("dog"), image("bird")
NOISE = Random(7)

OF_REPLICAS = ("leases", "growing_answers")  # which no backup has


def photo(name: str, size: int = 300_000) -> Image:
    return replace(image(name), data=NOISE.randbytes(size), original=NOISE.randbytes(size))


async def fill(store: Store) -> None:
    """Leave at least one row in each table, also what is unusual: a removed, a waiting and an enlarged picture."""
    await ask(store, "telegram:8:0", "What is it? 🐕 'quoted' \\ \n", CAT, key="k1", answer="一只猫")
    await ask(store, "telegram:8:0", "And now?", DOG, photo("large"), key="k2")
    asked = (await store.load("telegram:8:0")).ask(
        Question("?", alone=True, small_print=(Picture(1, photo("closer")),))
    )
    await store.save("telegram:8:0", replace(asked.turns[-1], answer=Answer("", Ending.FAILED)), "k3", None, "8")
    await store.save("telegram:8:0", replace(asked.turns[-1], answer=Answer("2", Ending.DONE)), "k4", replaces="k2")
    await store.remove_picture("telegram:8:0", 2)
    await store.restart("telegram:8:0")
    await store.add_pictures("telegram:8:0", [BIRD], "telegram:8")
    await store.keep_document("telegram:8:0", "telegram:8", KeptDocument(NOISE.randbytes(1000), (BIRD.id,)))
    await store.rate("k1", -1)
    await store.remember_file("telegram:file", "telegram:8:0", [BIRD.id])
    for key in ("waits", "done", "held"):
        message = await store.put("telegram", key, "telegram:8:0", '{"text": "é\\u0000"}', "album")
        assert message is not None
        await store.record_posted(message.id, ["100", "101"])
        if key == "held":
            await store.meet("9", message)
        if key != "waits":
            await store.finish([message.id])
    await store.put_question("web", "asked", "web:1", [CAT], lambda *numbers: str(numbers), "ann", "0" * 64)
    await store.decide("slack", "U1", Standing.BLOCKED)
    await store.end_session("a session", 4e9)
    await store.change_tally("asker:ann", 1e9, lambda counts, now: counts.update(questions={"k": now}))
    await store.expiry.expire()  # which stores the time


def rows(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of each table, as SQLite has them."""
    database = sqlite3.connect(file)
    try:
        names = [*(name for name in metadata.tables if name not in OF_REPLICAS), "alembic_version"]
        found = {name: database.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2').fetchall() for name in metadata.tables}
        found["alembic_version"] = database.execute("SELECT version_num FROM alembic_version").fetchall()
        assert [name for name in names if not found[name]] == []
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        database.close()
    return found

import ast
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    create_engine,
    delete,
    insert,
    inspect,
    select,
    update,
)

from core.answer import Answer, Ending, Figures
from core.conversation import Picture, Turn
from core.errors import OperatorError
from core.pictures.kept_document import KeptDocument
from storage import migrations
from storage.address import parse
from storage.migrations import bring_up_to_date, upgrade
from storage.schema import metadata
from storage.sql_engine import make_engine
from storage.store import Store, StoreConfig
from tests.storage.things import ask, image

CAT, DOG = image("cat", b"as it was sent"), image("dog")


def migrated(path: Path, revision: str = "head") -> None:
    path.parent.mkdir(exist_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade(connection, revision)
    engine.dispose()


def test_the_migrations_make_the_tables_that_the_code_uses(path: Path) -> None:
    migrated(path)
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def described(connection: Connection) -> list[str]:
    """Return all that the database knows of its tables."""
    found = inspect(connection)
    names = found.get_table_names()
    facts = [("version", connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())]
    for facts_of in (
        found.get_columns,
        found.get_foreign_keys,
        found.get_unique_constraints,
        found.get_check_constraints,
        found.get_indexes,
    ):
        facts += [(name, fact) for name in names for fact in facts_of(name)]
    facts += [(name, found.get_pk_constraint(name)) for name in names]
    return sorted(repr(fact) for fact in facts)


async def test_a_new_database_is_as_the_migrations_would_make_it(url: str, path: Path) -> None:
    """All tables of an empty database are made at once, without the steps that led to them."""
    path.parent.mkdir()
    engine = make_engine(parse(url))
    found = []
    for make in (bring_up_to_date, upgrade):
        async with engine.connect() as connection:
            await connection.run_sync(make)
            found.append(await connection.run_sync(described))
            await connection.rollback()
    await engine.dispose()
    made, migrated = found
    assert made == migrated


async def test_a_database_of_the_previous_version_keeps_its_conversations(path: Path) -> None:
    migrated(path, "0001")
    with sqlite3.connect(path) as old:
        old.execute("INSERT INTO conversations VALUES ('t:1', 'What?', 0, 2, 1e12, 1e12)")
        old.execute("INSERT INTO images VALUES (?, 64, 32, 640, 320, ?, ?)", (CAT.id, CAT.data, CAT.original))
        old.execute("INSERT INTO pictures VALUES (1, 't:1', 0, 1, ?)", (CAT.id,))
        figures = '{"queue_s": 1.5, "of_long_ago": 3}'
        old.execute(
            "INSERT INTO turns VALUES (1, 't:1', 0, 0, 'k1', 0, 'What?', 'A cat.', 'done', ?, 1e12)", (figures,)
        )
        old.execute("INSERT INTO turn_pictures VALUES (1, 0, 1)")
        old.execute("INSERT INTO images VALUES (?, 64, 32, 640, 320, ?, NULL)", (DOG.id, DOG.data))
        old.execute("INSERT INTO pictures VALUES (2, 't:1', 0, 2, ?)", (DOG.id,))
        old.execute("UPDATE conversations SET next_number = 3")
    old.close()
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}", ratings=True))
    conversation = await store.load("t:1")
    [turn] = conversation.turns
    assert conversation.waiting == (Picture(2, DOG),)
    assert turn == Turn("What?", (Picture(1, image("cat")),), Answer("A cat.", Ending.DONE, Figures(queue_s=1.5)))
    assert await store.picture(CAT.id) == CAT
    await store.rate("k1", 1)
    assert await store.rated() == [replace(turn, rating=1)]
    await ask(store, "t:1", "And now?", CAT, key="k2")
    await store.close()


async def test_a_document_that_a_version_before_kept_is_still_there(path: Path) -> None:
    migrated(path, "0021")
    with sqlite3.connect(path) as old:
        old.execute(
            "INSERT INTO conversations (id, title, chapter, next_number, created, updated) "
            "VALUES ('t:1', '', 0, 1, 1e12, 1e12)"
        )
        old.execute("INSERT INTO documents VALUES ('t:1', 'ann', '[\"one\", \"two\"]', x'255044')")
    old.close()
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    assert await store.document("t:1") == KeptDocument(b"%PD", ("one", "two"))
    await store.close()


async def test_opening_again_changes_nothing(store: Store, path: Path) -> None:
    def schema() -> list[object]:
        connection = sqlite3.connect(path)
        found = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
        connection.close()
        return found

    before = schema()
    await (await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))).close()
    assert schema() == before


async def test_a_database_of_a_newer_program_is_refused(store: Store, path: Path) -> None:
    with sqlite3.connect(path) as future:
        future.execute("UPDATE alembic_version SET version_num = '9999'")
    future.close()
    with pytest.raises(OperatorError, match="newer version"):
        await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))


SINCE_LEASES = sorted(
    path for path in (Path(migrations.__file__).parent / "versions").glob("v*.py") if path.stem[1:5] > "0018"
)


@pytest.mark.parametrize("migration", SINCE_LEASES, ids=lambda path: path.stem)
def test_the_version_before_goes_on_working_with_the_newer_tables(path: Path, migration: Path) -> None:
    """Replicas are upgraded one after the other, and the first one changes the tables for all."""
    number = int(migration.stem[1:5])
    migrated(path, f"{number - 1:04}")
    engine = create_engine(f"sqlite:///{path}")
    known = MetaData()
    known.reflect(engine)
    migrated(path, f"{number:04}")
    with engine.begin() as connection:
        for table in (table for table in known.sorted_tables if table.name in metadata.tables):
            row = {column.name: value_of(column) for column in table.columns}
            connection.execute(insert(table).values(row))  # names no column that it does not know
            assert connection.execute(select(table)).mappings().first() is not None
            connection.execute(update(table).values(row))
            connection.execute(delete(table))
    engine.dispose()


@pytest.mark.parametrize("migration", SINCE_LEASES, ids=lambda path: path.stem)
def test_a_migration_only_adds(migration: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(migration.read_text("utf-8"))) if isinstance(node, ast.Call)]
    done = [call for call in calls if isinstance(call.func, ast.Attribute) and ast.unparse(call.func).startswith("op.")]
    assert {ast.unparse(call.func) for call in done} <= {"op.create_table", "op.add_column", "op.create_index"}
    assert not [call for call in done if any(keyword.arg == "unique" for keyword in call.keywords)]


def value_of(column: Column[Any]) -> object:
    if isinstance(column.type, String):
        return "x"
    return b"x" if isinstance(column.type, LargeBinary) else 1

"""What is old is forgotten every hour, and the operator is told when a wrong clock keeps that from happening."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bots.__main__ import cli
from bots.conversing.health import Health
from bots.tasks import expiry
from bots.tasks.expiry import keep_expiring
from core.errors import StoreDown
from storage.clock import DAY_SECONDS
from storage.store import Store, StoreConfig
from tests.bots.web.conftest import service, until
from tests.storage.machine import Machine
from tests.storage.things import ask


async def test_expiry_goes_on_after_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/answers.db"))
    monkeypatch.setattr(expiry, "EXPIRE_EVERY_SECONDS", 0.001)
    monkeypatch.setattr(expiry, "LOOK_EVERY_SECONDS", 0.001)
    tries, enough = 0, asyncio.Event()

    async def expire() -> int:
        nonlocal tries
        tries += 1
        if tries > 2:
            enough.set()
        raise RuntimeError("a bug")

    monkeypatch.setattr(store.expiry, "expire", expire)
    task = asyncio.create_task(keep_expiring(store.expiry, Health()))
    await asyncio.wait_for(enough.wait(), 60)
    task.cancel()
    await store.close()


async def test_a_database_that_is_locked_is_tried_again_at_the_next_look_and_not_in_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/answers.db"))
    monkeypatch.setattr(expiry, "LOOK_EVERY_SECONDS", 0.001)
    tries, expired = 0, asyncio.Event()

    async def expire() -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise StoreDown("database is locked")
        expired.set()
        return 0

    monkeypatch.setattr(store.expiry, "expire", expire)
    task = asyncio.create_task(keep_expiring(store.expiry, Health()))
    await asyncio.wait_for(expired.wait(), 60)
    task.cancel()
    await store.close()


async def test_a_jump_of_the_clock_is_noticed_within_a_minute_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(expiry, "LOOK_EVERY_SECONDS", 0.001)
    machine, health = Machine(), Health()
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/answers.db"), machine.clock())
    task = asyncio.create_task(keep_expiring(store.expiry, health))
    try:
        await ask(store, "web:1", "?", key="k1")
        machine.moves_its_clock(400 * DAY_SECONDS)
        await until(lambda: "400.0 days later than it should be" in health.notices.get("clock", ""))
        machine.moves_its_clock(-400 * DAY_SECONDS)
        await until(lambda: not health.notices)
        assert [summary.id for summary in (await store.summaries()).summaries] == ["web:1"]
    finally:
        task.cancel()
        await store.close()
    [ahead, well] = caplog.messages
    assert ahead.endswith("or until `bots expire --yes` says that the clock is right.")
    assert well == "the clock is fine again"


async def test_the_operators_page_says_that_the_clock_is_in_doubt(tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        assert "To look at" not in (await web.client.get("/admin")).text
        web.health.set_notice("clock", "The clock says 1970-01-01 00:00 UTC.")
        assert "The clock says 1970-01-01 00:00 UTC." in (await web.client.get("/admin")).text
        assert (await web.client.get("/readyz")).status_code == 200


def _database_of_long_ago(folder: Path) -> Callable[[], list[str]]:
    """A config with a database in which one old conversation is; returns what reads its conversations."""
    config = StoreConfig(url=f"sqlite+aiosqlite:///{folder}/answers.db")
    (folder / "config.toml").write_text(f'[bots.web]\n[storage]\nurl = "{config.url}"\n', "utf-8")

    async def write() -> None:
        machine = Machine()
        machine.moves_its_clock(-40 * DAY_SECONDS)
        store = await Store.open(config, machine.clock())
        await ask(store, "web:1", "?", key="k1")
        await store.put("telegram", "u1", "telegram:1", "never answered")
        await store.expiry.expire()
        await store.close()

    async def read() -> list[str]:
        store = await Store.open(config)
        found = [summary.id for summary in (await store.summaries()).summaries]
        found += [message.key for message in await store.unfinished("telegram")]
        await store.close()
        return found

    asyncio.run(write())
    return lambda: asyncio.run(read())


def test_expire_says_what_it_would_remove_and_does_it_when_told(tmp_path: Path) -> None:
    read = _database_of_long_ago(tmp_path)
    command = ["expire", "--config", str(tmp_path / "config.toml")]
    said = CliRunner().invoke(cli, command)
    assert said.exit_code == 0
    assert "40.0 days later than it should be" in said.output
    assert (
        "1 conversations would be removed with --yes, and 1 questions were never answered; they are kept" in said.output
    )
    assert read() == ["web:1", "u1"]
    assert CliRunner().invoke(cli, [*command, "--yes"]).output == "1 conversations expired.\n"
    assert read() == ["u1"]
    assert CliRunner().invoke(cli, [*command, "--yes", "--unanswered"]).output == "0 conversations expired.\n"
    assert read() == []

"""Whether anything can be answered: /readyz, the metrics, the operator's page and the log say the same, and why."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bots.conversing import readiness
from bots.conversing.readiness import FAILED_QUESTIONS, REMEMBER_SECONDS, Readiness
from bots.conversing.services import Services
from bots.tasks.watch import check_services
from core.answer import Answer, Ending
from core.assistant import Assistant
from core.errors import Busy, OutOfMemory
from core.missing_engine import MissingEngine
from core.stats import Stats
from storage.store import Store, StoreConfig
from tests.bots.web.conftest import KEY, service
from tests.fakes import ScriptedEngine
from tests.storage.test_database import files_up_to
from tests.storage.things import ask


async def ready(store: Store, check_model: Callable[[], None] = lambda: None) -> dict[str, str]:
    return await Readiness(store, Stats(), check_model).reasons()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "answers.db"


async def opened(path: Path) -> Store:
    return await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))


async def test_a_full_disk_is_the_reason_and_leaves_nothing_of_the_check(path: Path) -> None:
    store = await opened(path)
    assert await ready(store) == {}
    with files_up_to(0):
        assert "disk" in (await ready(store))["database"]
    assert await ready(store) == {}
    assert (await store.summaries()).summaries == ()
    assert await store.unfinished("check") == []
    await store.close()


@pytest.mark.parametrize("table", ["images", "turns", "messages", "conversations", "pictures", "turn_pictures"])
async def test_whatever_part_of_the_database_is_broken_nothing_can_be_answered(path: Path, table: str) -> None:
    store = await opened(path)
    with sqlite3.connect(path) as other:
        other.execute(f"DROP TABLE {table}")
    other.close()
    assert f"no such table: {table}" in (await ready(store))["database"]
    await store.close()


async def test_a_database_file_that_is_gone_is_the_reason_until_it_is_back(path: Path) -> None:
    store = await opened(path)
    os.rename(path, path.with_name("elsewhere.db"))
    assert await ready(store) == {"database": "its file was removed or replaced while the service runs"}
    os.rename(path.with_name("elsewhere.db"), path)
    assert await ready(store) == {}
    await store.close()


async def test_a_database_that_never_answers_does_not_keep_whoever_asks_waiting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.01)
    store = await opened(path)
    monkeypatch.setattr(store, "check", never)
    assert await ready(store) == {"database": "it does not answer"}
    await store.close()


async def test_many_who_ask_at_once_are_one_check(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = 0

    async def check() -> None:
        nonlocal checks
        checks += 1

    store = await opened(path)
    monkeypatch.setattr(store, "check", check)
    at = Readiness(store, Stats(), lambda: None, lambda: 1000.0)
    await asyncio.gather(*(at.reasons() for _ in range(20)))
    assert checks == 1
    await store.close()


async def test_questions_that_all_fail_make_the_service_unready_until_one_is_answered_or_time_has_passed(
    path: Path,
) -> None:
    store, stats, now = await opened(path), Stats(), 0.0
    stats.failed("model", "RuntimeError")
    at = Readiness(store, stats, lambda: None, lambda: now)
    assert stats.streak is not None
    now = stats.streak.last
    for _ in range(FAILED_QUESTIONS - 2):
        stats.failed("model", "RuntimeError")
    assert await at.reasons() == {}
    stats.failed("model", "RuntimeError")
    now += 5
    assert await at.reasons() == {"model": f"the last {FAILED_QUESTIONS} questions failed: RuntimeError"}
    stats.answered(Answer("yes", Ending.DONE), {})
    now += 5
    assert await at.reasons() == {}
    for _ in range(FAILED_QUESTIONS):
        stats.failed("database", "malformed")
    now += 5
    assert list(await at.reasons()) == ["database"]
    now += REMEMBER_SECONDS + 5
    assert await at.reasons() == {}
    await store.close()


async def test_a_service_in_which_every_question_fails_says_so(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: RuntimeError("a bug"))) as web:
        for number in range(FAILED_QUESTIONS):
            assert (await web.client.get("/readyz")).status_code == 200
            await asyncio.sleep(readiness.FRESH_SECONDS)
            assert (await web.ask("What?", "red", key=f"{KEY}{number}")).status_code == 500
        answer = await web.client.get("/readyz")
        assert answer.status_code == 503
        assert answer.text.startswith(f"the model does not work: the last {FAILED_QUESTIONS} questions failed: ")


async def test_a_question_that_finds_no_memory_is_said_with_503(tmp_path: Path) -> None:
    engine = ScriptedEngine(script=lambda _: OutOfMemory("There is not enough memory.", 60.0))
    async with service(tmp_path, engine) as web:
        answer = await web.ask("What?", "red", key=KEY)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


async def test_people_who_ask_too_much_do_not_make_the_service_unready(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: Busy("Too many are waiting."))) as web:
        for number in range(2 * FAILED_QUESTIONS):
            assert (await web.ask("What?", "red", key=f"{KEY}{number}")).status_code == 429
        assert (await web.client.get("/readyz")).text == "ok\n"


async def test_a_service_without_a_model_is_not_ready(path: Path) -> None:
    store = await opened(path)
    assert "There is no model on this server" in (await ready(store, MissingEngine().check))["model"]
    await store.close()


async def test_a_database_that_does_not_work_is_said_with_503(tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        with files_up_to(0):
            answer = await web.ask("What?", "red", key=KEY)
            assert answer.status_code == 503
            assert answer.json()["detail"].startswith("I cannot save anything at the moment")
            assert answer.headers["retry-after"]
            assert (await web.client.get("/readyz")).status_code == 503
        await asyncio.sleep(readiness.FRESH_SECONDS)
        assert (await web.client.get("/readyz")).status_code == 200


async def test_what_does_not_work_is_noted_for_the_operator_until_it_works(path: Path) -> None:
    store = await opened(path)
    services = Services(Assistant(ScriptedEngine(), store), store, check_model=MissingEngine().check)
    at = Readiness(store, services.assistant.stats, services.check_model)
    await check_services(services, at)
    assert services.health.notices == {
        "model": "The model does not work, so nothing can be answered: "
        "There is no model on this server yet. The log of the server says what to install."
    }
    await store.close()


async def test_the_operator_is_told_of_the_limit_and_of_a_disk_that_is_nearly_full(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 1000
    monkeypatch.setattr("storage.store.free", lambda _: left)
    monkeypatch.setattr("storage.store.reserve", lambda _: 1000)
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}", size_limit_gb=0.0001))
    services = Services(Assistant(ScriptedEngine(), store), store)
    told = []
    for left in (1000, 501, 499, 600, 749, 750, 600):  # noqa: B007 (the disk reads it)
        notices = await store.notices()
        told.append(bool(notices["disk"]))
    assert told == [False, False, True, True, True, False, False]
    await ask(store, "t:1", "?", key="k1")
    at = Readiness(store, services.assistant.stats, services.check_model)
    await check_services(services, at)
    assert "of 0.0001 GB" in services.health.notices["limit"]
    await store.close()

"""Telegram does not answer, or does not take the token any more: what was well once is tried again, for ever."""

import logging
from pathlib import Path

import pytest

from bots.conversing.health import DOWN_AFTER_SECONDS, Health
from bots.telegram import webhook
from core.errors import OperatorError
from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.server import BotApi, Fault
from tests.bots.telegram.test_delivery import once
from tests.fakes import ScriptedEngine


async def test_a_bad_token_is_one_plain_sentence(telegram: BotApi, engine: ScriptedEngine, tmp_path: Path) -> None:
    async with service(telegram, tmp_path, engine, token="1:wrong") as task:
        with pytest.raises(OperatorError, match=r"^Telegram does not accept the token\. .*BotFather"):
            await task


async def test_a_second_poller_is_named_in_the_log(
    running: BotApi, ann: Chatting, caplog: pytest.LogCaptureFixture
) -> None:
    running.another_poller = True
    ann.person.shows(photo(), "One")
    await until(lambda: "Another program asks Telegram" in caplog.text)


async def test_an_unreachable_telegram_is_waited_for(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    telegram.trouble = once("getMe", "drop before", "500")
    async with service(telegram, tmp_path, engine):
        assert (await ann.answer(ann.person.shows(photo(), "One"))).startswith("Answer")


@pytest.mark.parametrize("way", ["polling", "webhook"])
@pytest.mark.parametrize("fault", ["401", "404"])
async def test_a_token_that_worked_is_tried_again_for_ever_and_the_platform_shown_as_down_meanwhile(
    telegram: BotApi,
    engine: ScriptedEngine,
    tmp_path: Path,
    ann: Chatting,
    fault: Fault,
    way: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "CHECK_SECONDS", 0.02)
    now = [1000.0]
    health = Health(lambda: now[0])
    async with service(telegram, tmp_path, engine, health=health, webhook=way == "webhook") as task:
        await ann.answer(ann.person.shows(photo(), "One"))
        telegram.trouble = lambda method: fault if method in ("getUpdates", "getWebhookInfo") else None
        ann.person.sends(new_chat_title="ends the poll that waits")
        await until(lambda: telegram.faults[fault] >= 3)
        assert health.platforms["telegram"].up
        now[0] += DOWN_AFTER_SECONDS
        await until(lambda: not health.platforms["telegram"].up)
        assert "@BotFather" in health.platforms["telegram"].reason
        await until(lambda: telegram.faults[fault] >= 20)
        telegram.trouble = lambda method: None
        assert (await ann.answer(ann.person.shows(photo("blue"), "Two"))).startswith("Answer to 'Two'")
        await until(lambda: health.platforms["telegram"].up)
        assert not task.done()
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [
        "telegram is down: Telegram does not accept the token. Copy it again from @BotFather (/mybots, API Token) into "
        "token in [bots.telegram]."
    ]


async def test_a_restart_of_the_adapter_keeps_a_token_that_worked_before(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    """Within the same process; a token that is refused at the first call of all is told at once."""
    health = Health()
    async with service(telegram, tmp_path, engine, health=health):
        await ann.answer(ann.person.shows(photo(), "One"))
    telegram.trouble = once("getMe", "401", "401")
    async with service(telegram, tmp_path, engine, health=health):
        assert (await ann.answer(ann.person.shows(photo("blue"), "Two"))).startswith("Answer to 'Two'")


async def test_replies_that_no_telegram_would_give_are_an_outage_like_others(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    """A captive portal, a proxy, a new version: JSON of another shape, for every method."""
    async with service(telegram, tmp_path, engine):
        faults: list[Fault] = ["a list", "no result", "no list"]
        telegram.trouble = once("getUpdates", *faults)
        await until(lambda: telegram.faults.total() == 3)
        telegram.trouble = once("sendMessage", *faults)
        question = ann.person.shows(photo(), "One")
        await until(lambda: telegram.faults.total() == 6)
        telegram.trouble = once("editMessageText", *faults)
        assert await ann.answer(question) == "Answer to 'One' about [1] after 0 turns."
        telegram.trouble = once("getFile", *faults)
        assert (await ann.answer(ann.person.shows(photo("blue"), "Two"))).startswith("Answer to 'Two' about [2]")

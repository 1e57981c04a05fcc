"""Admins hear on Telegram what does not work."""

from pathlib import Path

from bots.conversing.health import Health
from tests.bots.telegram.conftest import Chatting, service, until
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine

ADMIN, BLOCKED, NEVER_BEGUN = 7, 8, 9


async def test_each_admin_is_told_in_their_own_chat_as_far_as_they_can_be_reached(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path
) -> None:
    telegram.world.chat(BLOCKED).blocked = True
    health = Health()
    async with service(telegram, tmp_path, engine, health=health, admins=[BLOCKED, NEVER_BEGUN, ADMIN]):
        await until(lambda: "telegram" in health.admin_notifiers)
        await health.admin_notifiers["telegram"]("The disk is nearly full.\n磁盘快满了。")
        assert [message["text"] for message in ann.chat.by_bot()] == ["The disk is nearly full.\n磁盘快满了。"]
    assert "telegram" not in health.admin_notifiers

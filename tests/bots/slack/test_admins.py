"""Admins hear on Slack what does not work."""

import asyncio

from bots.conversing.services import Services
from bots.slack import run
from core.assistant import Assistant
from tests.bots.slack.conftest import Scene, settings
from tests.bots.slack.workspace import said


async def test_each_admin_is_told_in_their_own_conversation_as_far_as_they_can_be_reached(scene: Scene) -> None:
    services = Services(Assistant(scene.engine, scene.store), scene.store)
    config = settings(scene.slack, admins=["W0GONE", "U0ADMIN"])
    task = asyncio.create_task(run(config, services))
    await scene.slack.connected()
    scene.slack.workspace.channels["W0GONE"] = []  # nobody may write there
    await services.health.admin_notifiers["slack"]("The disk is nearly full.\n磁盘快满了。")
    told = [message for channel in scene.slack.workspace.channels.values() for message in channel]
    assert [said(message) for message in told] == ["The disk is nearly full.\n磁盘快满了。"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "slack" not in services.health.admin_notifiers

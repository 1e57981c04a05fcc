import os
from pathlib import Path

import pytest

from tests.bots.telegram.server import BotApi
from tests.bots.telegram.storm import storm

SERVICE = ("-m", "tests.bots.telegram.scripted_service")
LONG = os.environ.get("CHAOS") == "long"


@pytest.mark.timeout(600)
async def test_every_question_is_answered_once_and_in_order_through_faults_and_kills(tmp_path: Path) -> None:
    conversations, kills, seconds = (200, 20, 500) if LONG else (4, 2, 60)
    async with BotApi(strict=True, hang_s=3 if LONG else 1) as telegram:
        report = await storm(telegram, (*SERVICE, telegram.url, str(tmp_path)), conversations, kills, 5, seconds)
    print(f"\n{report}; {telegram.world.crowded} writes too early")
    assert not report.lost
    assert not report.doubled
    assert not report.disordered
    assert report.kills == kills
    assert report.answered == report.questions == 3 * conversations

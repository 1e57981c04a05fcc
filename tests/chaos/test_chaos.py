import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.chaos.__main__ import blow
from tests.chaos.plan import Plan
from tests.chaos.weather import Storm

KINDS = ("asks twice", "says thanks", "has no picture", "forgets", "edits", "posts once", "retries")


@pytest.mark.timeout(600)
async def test_no_answer_is_lost_doubled_or_invented_while_the_service_is_killed(tmp_path: Path) -> None:
    report = await Storm(tmp_path, Plan(kills=4, conversations=9, storms=0.5, talks=2, noise=0, kinds=KINDS)).blow()
    print(f"\n{report}")
    assert report.troubles == []
    assert report.kills.total() == 4
    assert {platform: kinds.total() for platform, kinds in report.kinds.items()} == {
        "telegram": 3,
        "slack": 3,
        "web": 3,
    }
    for counts in report.counts.values():
        assert counts["questions"] == counts["answered once, whole"] > 0
    assert report.read_again.keys() >= {"in the database", "over REST", "exported"}


@pytest.mark.timeout(600)
async def test_a_storm_that_is_asked_to_end_tells_what_it_saw_until_then(tmp_path: Path) -> None:
    plan = Plan(kills=1000, conversations=500, platforms=["web"], talks=1, noise=0, kinds=["asks twice"], browser=False)
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        storm = asyncio.create_task(blow(Storm(tmp_path, plan, log=log)))
        await asyncio.sleep(0)  # it has begun, and listens to signals
        os.kill(os.getpid(), signal.SIGTERM)
        report = await storm
    assert report.troubles == ["given up: it was asked to end after 0 of 1000 kills"]
    assert "INFO" in (tmp_path / "log").read_text("utf-8")

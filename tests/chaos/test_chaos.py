from pathlib import Path

import pytest

from tests.chaos.weather import Plan, Storm


@pytest.mark.timeout(600)
async def test_no_answer_is_lost_or_doubled_while_the_service_is_killed(tmp_path: Path) -> None:
    report = await Storm(tmp_path, Plan(kills=4, conversations=6, storms=0.5, talks=2)).blow()
    print(f"\n{report}")
    assert report.troubles == []
    assert report.kills.total() == 4
    assert {door: counts["answered once, whole"] for door, counts in report.counts.items()} == {
        "telegram": 4,
        "slack": 4,
        "web": 4,
    }

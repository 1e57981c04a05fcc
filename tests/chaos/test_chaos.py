from pathlib import Path

import pytest

from tests.chaos.weather import Weather


@pytest.mark.timeout(600)
async def test_no_answer_is_lost_or_doubled_while_the_service_is_killed(tmp_path: Path) -> None:
    report = await Weather(tmp_path).blow(kills=3)
    print(f"\n{report}")
    assert not report.lost
    assert not report.doubled
    assert not report.different
    assert sum(report.answered.values()) == 3 * 3 * 2

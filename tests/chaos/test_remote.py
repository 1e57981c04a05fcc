from pathlib import Path

import pytest

from tests.chaos.plan import Plan
from tests.chaos.weather import Storm

KINDS = ("asks twice", "retries", "stops")


@pytest.mark.timeout(600)
async def test_no_answer_is_lost_or_doubled_while_engines_elsewhere_fail_and_the_service_is_killed(
    tmp_path: Path,
) -> None:
    plan = Plan(kills=2, conversations=12, storms=0, faults=0, talks=2, noise=0, kinds=KINDS, remote=0.5, browser=False)
    report = await Storm(tmp_path, plan).blow()
    print(f"\n{report}")
    assert report.troubles == []
    assert report.kills.total() == 2
    assert report.engines.total() > 0
    for counts in report.counts.values():
        assert counts["questions"] == counts["answered once, whole"] > 0

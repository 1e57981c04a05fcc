from pathlib import Path

import pytest

from tests.chaos.plan import Plan
from tests.chaos.replica_storm import ReplicaStorm

KINDS = ("asks twice", "stops", "edits", "posts once")
EVENTS = (
    "at random",
    "database restarted in a commit",
    "engines killed",
    "quota spent at several at once",
    "stopped at another replica",
    "the same event of Slack at several",
)


@pytest.mark.timeout(600)
async def test_no_answer_is_lost_or_doubled_and_no_quota_overspent_with_several_services(tmp_path: Path) -> None:
    plan = Plan(
        kills=len(EVENTS), conversations=6, faults=0, talks=2, noise=0, kinds=KINDS, remote=0, browser=False,
        replicas=2, events=EVENTS,
    )  # fmt: skip
    report = await ReplicaStorm(tmp_path, plan).blow()
    print(f"\n{report}")
    assert report.troubles == []
    assert {*report.kills, *report.weather} == {*EVENTS}
    for counts in report.counts.values():
        assert counts["questions"] == counts["answered once, whole"] > 0

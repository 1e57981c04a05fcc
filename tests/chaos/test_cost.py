import asyncio
from pathlib import Path

import pytest

from core.replica import LEASE_SECONDS
from tests.chaos.cost import Case, measure
from tests.running_time import Stalls
from tests.storage.postgres import restartable_cluster


@pytest.mark.timeout(600)
async def test_what_a_question_costs_is_measured_with_several_services(tmp_path: Path) -> None:
    """How much it is, is `make cost`'s to say: no test here depends on the machine's speed."""
    stalls, case = Stalls(), Case(replicas=2, keeps=False)
    watching = asyncio.create_task(stalls.watch())
    with restartable_cluster() as cluster:
        cost = await measure(tmp_path, case, cluster.url, conversations=1, questions=2, idle_s=0.5)
    watching.cancel()
    assert (cost.questions, len(cost.web_s), cost.followed) == (4, 2, 2)
    assert cost.stayed == 2 or stalls.longest_s > LEASE_SECONDS / 2  # in which a replica counts as dead
    assert cost.statements > 0

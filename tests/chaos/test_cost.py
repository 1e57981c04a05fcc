from pathlib import Path

import pytest

from tests.chaos.cost import Case, measure
from tests.storage.postgres import restartable_cluster


@pytest.mark.timeout(600)
async def test_what_a_question_costs_is_measured_with_several_services(tmp_path: Path) -> None:
    """How much it is, is `make cost`'s to say: no test here depends on the machine's speed."""
    with restartable_cluster() as cluster:
        cost = await measure(tmp_path, Case(replicas=2, keeps=False), cluster.url, conversations=1, questions=2)
    assert (cost.questions, len(cost.web_s), cost.followed, cost.stayed) == (4, 2, 2, 2)
    assert cost.statements > 0

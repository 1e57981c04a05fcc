from pathlib import Path

import pytest

from tests.chaos.soak import PLATFORMS, soak


@pytest.mark.timeout(600)
async def test_people_at_all_doors_are_answered_and_the_loop_and_the_memory_are_watched(tmp_path: Path) -> None:
    """Ten minutes are `make soak`'s; these seconds show that everybody is answered and everything is measured."""
    diary = await soak(tmp_path, conversations=4, seconds=3, warm_up_s=1)
    assert diary.errors == []
    assert set(diary.questions) == set(PLATFORMS)
    assert diary.lags[-1] == (float("inf"), 1.0), "the loop was looked at"
    assert diary.memory
    assert diary.answered.total() > 0

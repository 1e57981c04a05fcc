from pathlib import Path

import pytest

from tests.chaos.bad_weather import BadWeather


@pytest.mark.timeout(900)
async def test_in_bad_weather_nothing_is_lost_or_deleted_and_what_watches_hears_the_truth(tmp_path: Path) -> None:
    """Ten minutes of all kinds are `make soak`'s; these seconds show a few."""
    kinds = ("clock moved and killed", "disk full", "database moved away")
    ledger = await BadWeather(tmp_path, people=3, seconds=25, seed=3, kinds=kinds).blow()
    print(f"\n{ledger}")
    assert ledger.troubles == []
    assert (ledger.lost, ledger.deleted) == (0, 0)
    assert all(true for _, true in ledger.looks)
    assert ledger.answered.total() > 0

from pathlib import Path

import pytest

from tests.chaos.hostile import MORE, PLATFORMS, send_hostile_files

FILES = 4


@pytest.mark.timeout(600)
async def test_hostile_files_are_answered_at_every_door_and_crash_nothing(tmp_path: Path) -> None:
    findings = await send_hostile_files(tmp_path, FILES)
    assert findings.bad == []
    assert findings.answered == dict.fromkeys(PLATFORMS, FILES)
    assert findings.grown < MORE

"""The training draws with Debian's and npm's fonts; where they are not installed, its tests say so and are skipped."""

import pytest

from training import fonts

FACES = (*fonts.LATIN, *fonts.CHINESE, *fonts.HELD_OUT_LATIN, *fonts.HELD_OUT_CHINESE)


@pytest.fixture(autouse=True)
def need_fonts() -> None:
    missing = sorted({face.path for face in FACES if not (fonts.DIRECTORY / face.path).exists()})
    if missing:
        pytest.skip(f"fonts are not installed: {', '.join(missing)}")

"""The README is short, and the film in it is the one that `tests.bots.stills` makes."""

import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_is_short_and_every_picture_in_it_is_there_and_described() -> None:
    assert len(README.splitlines()) <= 110
    shown = [*re.findall(r"!\[([^]]+)\]\(([^)]+)\)", README)]
    shown += [(alt, path) for path, alt in re.findall(r'<img src="([^"]+)"[^>]* alt="([^"]+)"', README)]
    assert len(shown) == README.count("![") + README.count("<img")
    assert all((ROOT / path).is_file() for _, path in shown)


def test_the_film_is_small_and_lasts_a_quarter_of_a_minute() -> None:
    film = ROOT / "docs" / "first-question.webp"
    assert film.stat().st_size < 1_500_000
    with Image.open(film) as frames:
        seconds = 0.0
        for number in range(frames.n_frames):  # type: ignore[attr-defined]
            frames.seek(number)
            frames.load()
            seconds += frames.info["duration"] / 1000
    assert 12 <= seconds <= 18

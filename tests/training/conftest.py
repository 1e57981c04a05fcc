"""Configure the tests of the training, for `make test-training`. They are skipped without its fonts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from training import fonts

HERE = Path(__file__).parent
FACES = (*fonts.LATIN, *fonts.CHINESE, *fonts.HELD_OUT_LATIN, *fonts.HELD_OUT_CHINESE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.training)


@pytest.fixture(autouse=True)
def need_fonts() -> None:
    missing = sorted({face.path for face in FACES if not (fonts.DIRECTORY / face.path).exists()})
    if missing:
        pytest.skip(f"fonts are not installed: {', '.join(missing)}")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread. Several would wait for each other in a loop, which takes minutes on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)

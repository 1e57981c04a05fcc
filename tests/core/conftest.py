"""Make a tiny model once, for tests of the model and of the engine."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.core.engine.reference import Reference


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.core.engine.tiny import make_model  # imports torch, which most tests here do without

    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def reference(tiny: Path) -> "Reference":
    from tests.core.engine.reference import Reference  # imports torch, too

    return Reference(tiny)

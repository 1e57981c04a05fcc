"""Make a tiny model once, for tests of the model and of the engine."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.core.engine.tiny import make_model  # imports torch, which most tests here do without

    return make_model(tmp_path_factory.mktemp("tiny"))

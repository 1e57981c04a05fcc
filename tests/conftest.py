"""Configure all tests, and run PostgreSQL for those that need it."""

import gc
import os
from collections.abc import Iterator

import pytest

from tests.storage.postgres import cluster

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach a hub
os.environ.setdefault("OMP_NUM_THREADS", "2")


def pytest_collection_finish() -> None:
    """Leave what was imported out of later garbage collections, each of which would take a third of a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run one server for all files, since it takes seconds to make, and return the address of its first database."""
    with cluster() as url:
        yield url

"""What the model thread remembers and estimates between two steps; the steps are taken by hand."""

from pathlib import Path

import pytest

from core.conversation import Conversation
from core.engine.cache import Cache
from core.engine.request import EngineRequest
from core.engine.tokenizer import Tokenizer
from core.engine.worker import ModelWorker
from core.model.checkpoint import Checkpoint
from core.model.model import Model
from core.model.precision import Precision
from core.sampling import Sampling
from tests.core.engine.tiny import ask, make_image

TOKENS = 8
FITS = 190  # rows: one conversation about a larger picture beside a cached one about a small picture, not two
PATCHES = 256  # of 256 x 256 pixels


@pytest.fixture(scope="module")
def model(tiny: Path) -> Model:
    return Model(Checkpoint(tiny), Precision.FLOAT32, None, threads=1)


class Hand(ModelWorker):
    """A worker whose thread is the test's."""

    def __init__(self, model: Model, folder: Path) -> None:
        super().__init__(model, Tokenizer(folder), Cache(0, None), FITS * model.row_bytes, 1024, 9)

    def ask(self, conversation: Conversation) -> None:
        self.put(EngineRequest(conversation, Sampling(max_new_tokens=TOKENS), lambda event: None, "-"))
        self._receive()
        self._admit()

    def finish(self) -> None:
        while self._sequences or self._image_encoder:
            self._admit()
            self._advance()

    @property
    def queued(self) -> list[tuple[int, int]]:
        """Patches to look at and rows to prefill of everybody in line."""
        return [(sequence.patches, sequence.rows) for sequence in self._scheduler.waiting]


@pytest.fixture
def worker(model: Model, tiny: Path) -> Hand:
    return Hand(model, tiny)


def test_who_waits_in_line_keeps_the_work_that_is_left(worker: Hand) -> None:
    known, shared, new = make_image(0, 64, 64), make_image(1, 256, 256), make_image(2, 256, 256)
    worker.ask(ask("What?", known))
    worker.finish()
    worker.ask(ask("What is shared?", shared))
    for picture in (shared, known, new):
        worker.ask(ask("And this?", picture))
    assert [patches for patches, _ in worker.queued] == [PATCHES, 0, PATCHES]
    while worker._sequences[0].patches:
        worker._advance()
    assert [patches for patches, _ in worker.queued] == [0, 0, PATCHES]
    worker.finish()


def test_who_waits_in_line_about_what_is_known_has_few_rows_left(worker: Hand) -> None:
    known = ask("What?", make_image(0, 64, 64))
    worker.ask(known)
    worker.finish()
    for seed in (1, 2):
        worker.ask(ask("Something else?", make_image(seed, 256, 256)))
    worker.ask(known)
    assert worker.queued[1] == (0, 1)
    worker.finish()


def test_waiting_in_line_is_not_booked_as_looking(worker: Hand) -> None:
    shared = make_image(1, 256, 256)
    worker.ask(ask("What?", shared))
    worker.ask(ask("And?", shared))
    second = worker._sequences[1]
    worker.finish()
    assert second.figures.image_s == 0.0
    assert second.figures.queue_s > 0.0


def test_pictures_looked_at_ahead_stay_only_in_the_cache(worker: Hand) -> None:
    worker.put(make_image(1, 256, 256))
    worker._receive()
    worker.finish()
    assert worker.stats().pictures_computed == 1
    assert worker._image_encoder._features == {}


def test_the_cache_and_running_conversations_share_one_limit(worker: Hand) -> None:
    limit = worker._scheduler.limit
    for seed in range(4):
        worker.ask(ask("What?", make_image(seed, 256, 256)))
        assert worker._cache.limit == limit - worker._scheduler.used < limit
        worker.finish()
        assert worker._cache.used <= worker._cache.limit == limit

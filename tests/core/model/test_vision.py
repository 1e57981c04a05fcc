from collections.abc import Generator
from pathlib import Path
from random import Random

import pytest
import torch
from PIL import Image

from core.model.checkpoint import Checkpoint
from core.model.model import Model
from core.model.precision import Precision
from tests.core.files import encoded


@pytest.fixture(scope="module")
def model(tiny: Path) -> Model:
    return Model(Checkpoint(tiny), Precision.FLOAT32, None, threads=1)


def seen(model: Model, picture: Image.Image) -> torch.Tensor:
    with torch.inference_mode():
        return _result(model.vision.encode(encoded(picture, "PNG")))


def _result(work: Generator[int, None, torch.Tensor]) -> torch.Tensor:
    while True:
        try:
            next(work)
        except StopIteration as done:
            return torch.as_tensor(done.value)


@pytest.mark.parametrize("size", [(60, side) for side in (1, 2, 3, 4, 5)] + [(side, 60) for side in (1, 3, 4)])
def test_a_picture_a_few_pixels_high_or_wide_is_seen_as_it_stands(model: Model, size: tuple[int, int]) -> None:
    picture = Image.frombytes("RGB", size, Random(1).randbytes(size[0] * size[1] * 3))
    height, width = (side * model.vision.grid.unit for side in model.vision.grid(*size))
    large = picture.resize((width, height), Image.Resampling.BICUBIC)
    features = seen(model, picture)
    assert features.shape[1] * model.vision.grid.unit**2 == height * width
    assert torch.equal(features, seen(model, large))

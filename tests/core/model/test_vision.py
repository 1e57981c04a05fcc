from collections.abc import Generator
from pathlib import Path
from random import Random

import pytest
import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from core.model.checkpoint import Checkpoint
from core.model.model import Model
from core.model.patches import QWEN3_VL, Patches
from core.model.precision import Precision
from tests.core.engine.reference import Reference
from tests.core.engine.tiny import make_model
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


@pytest.mark.parametrize("merge", [1, 2, 3])
@pytest.mark.parametrize("size", [(300, 200), (97, 411), (1, 60), (3, 3), (2000, 11)])
def test_patches_are_those_of_qwens_image_processor(size: tuple[int, int], merge: int) -> None:
    changed = {"size": {"shortest_edge": 4096, "longest_edge": 100_000}, "image_mean": [0.4, 0.5, 0.6]}
    settings = QWEN3_VL | changed | {"image_std": [0.2, 0.3, 0.5]}
    picture = Image.frombytes("RGB", size, Random(2).randbytes(size[0] * size[1] * 3))
    patches = Patches(settings, merge)
    theirs = Qwen2VLImageProcessorPil(**settings, merge_size=merge)(images=[picture], return_tensors="pt")
    assert torch.equal(patches.cut(picture), theirs["pixel_values"])
    height, width = patches.grid(*picture.size)
    assert [1, height * merge, width * merge] == theirs["image_grid_thw"][0].tolist()


@pytest.mark.parametrize("merge", [1, 2])
@pytest.mark.parametrize("size", [(300, 200), (64, 4000), (17, 17)])
def test_pictures_get_the_features_that_transformers_computes(
    tmp_path: Path, size: tuple[int, int], merge: int
) -> None:
    folder = make_model(tmp_path, merge=merge)
    picture = Image.frombytes("RGB", size, Random(3).randbytes(size[0] * size[1] * 3))
    reference = Reference(folder)
    pixels = reference.processor(images=[picture], return_tensors="pt")
    with torch.no_grad():
        theirs = reference.model.model.visual(pixels["pixel_values"], grid_thw=pixels["image_grid_thw"])
    ours = seen(Model(Checkpoint(folder), Precision.FLOAT32, None, threads=1), picture)
    assert torch.allclose(ours[0], theirs.pooler_output, atol=1e-4)
    assert torch.allclose(ours[1:], torch.stack(theirs.deepstack_features), atol=1e-4)

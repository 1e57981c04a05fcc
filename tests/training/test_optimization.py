"""The arithmetic of a step of training: augmentation, and how matrices learn."""

import random

import pytest
import torch

from training.augmentation import augment
from training.muon import Muon, orthogonal


def page() -> torch.Tensor:
    """(2, 96, 128, 3): black bars on white."""
    pixels = torch.full((2, 96, 128, 3), 255, dtype=torch.uint8)
    pixels[:, 20:24, 10:118] = 0
    pixels[:, 60:63, 10:118] = 0
    return pixels


def test_an_augmented_picture_is_another_one_with_the_same_things_in_the_same_places() -> None:
    pixels = page()
    first, again, other = (augment(pixels, random.Random(seed)) for seed in (1, 1, 2))
    assert first.shape == pixels.shape and first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    for seed in range(20):
        ink = 255 - augment(pixels, random.Random(seed)).float().mean(-1)  # (2, rows, columns)
        assert ink[:, 12:32].mean() > 20 and ink[:, 52:71].mean() > 15
        assert ink[:, :12].max() < 60 and ink[:, 36:48].max() < 60 and ink[:, 80:].max() < 60


def test_print_becomes_fatter_and_thinner() -> None:
    pixels = page()
    ink = [(255 - augment(pixels, random.Random(seed)).float()).sum((1, 2, 3)) for seed in range(20)]
    drawn = (255 - pixels.float()).sum((1, 2, 3))
    share = torch.stack(ink) / drawn
    assert share.min() < 0.85 and share.max() > 1.15
    assert 0.85 < share.median() < 1.15


@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
def test_steps_of_matrices_are_near_orthogonal_and_turn_as_the_gradient_does(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    gradient = torch.randn(shape)
    step = orthogonal(gradient)
    values = torch.linalg.svdvals(step)
    assert values.min() > 0.5 and values.max() < 1.5
    u, _, v = torch.linalg.svd(gradient, full_matrices=False)
    assert torch.nn.functional.cosine_similarity(step.flatten(), (u @ v).flatten(), dim=0) > 0.95


def test_muon_goes_downhill_whatever_the_shapes_are() -> None:
    torch.manual_seed(1)
    wanted = [torch.randn(20, 30), torch.randn(20, 30), torch.randn(30, 20)]
    learned = [torch.nn.Parameter(torch.zeros_like(target)) for target in wanted]
    muon = Muon(learned, lr=0.1)
    losses = []
    for _ in range(80):
        loss = torch.stack([(p - w).square().mean() for p, w in zip(learned, wanted, strict=True)]).sum()
        losses.append(loss.item())
        muon.zero_grad()
        torch.autograd.backward(loss)
        muon.step()
    assert losses[-1] < 0.2 * losses[0]

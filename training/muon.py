"""Muon: momentum whose matrix is made orthogonal before each step (Jordan 2024; scaled as in Liu et al. 2025).

It learns from about half the pictures that AdamW needs here, and pictures are what a CPU has least of. torch's own Muon
computes in bfloat16, which CPUs without bfloat16 units emulate a hundred times slower than float32.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from training import team


class Muon(Optimizer):
    """For matrices inside the network; embeddings, biases and norms belong to AdamW."""

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        learning = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        updates = []
        for group, parameter in learning:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            updates.append(parameter.grad.lerp(state["momentum"], group["momentum"]))
        alike: dict[torch.Size, list[Tensor]] = {}
        for index, update in enumerate(updates):
            if index % team.size() == team.rank():  # each process works out its share of the updates
                alike.setdefault(update.shape, []).append(update)
            else:
                update.zero_()
        for mine in alike.values():  # in one go: most of a GPU's time goes into being told what to do
            torch._foreach_copy_(mine, list(orthogonal(torch.stack(mine))))
        team.add_up(updates)
        for (group, parameter), update in zip(learning, updates, strict=True):
            # As large, entry by entry, as an AdamW step of the same learning rate.
            scale = 0.2 * max(parameter.shape) ** 0.5
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update, alpha=-group["lr"] * scale)


def orthogonal(matrices: Tensor) -> Tensor:
    """(matrices, rows, columns) -> about U V^T of each one's singular values, by five Newton-Schulz steps."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.mT if tall else x


def is_inner_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon should learn it: no embedding, nor the mergers' 768x768 matrices, which cost as much as the rest."""
    if "embed" in name or "lm_head" in name or ("merger" in name and "linear_fc1" in name):
        return False
    return parameter.ndim == 2 and min(parameter.shape) > 16

"""Muon: momentum that is made orthogonal before each step (Jordan 2024; scaled as in Liu et al. 2025).

It needs about half the pictures that AdamW needs here. torch's own Muon computes in bfloat16, which takes a CPU without
bfloat16 units a hundred times as long as float32.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Muon(Optimizer):
    """For matrices inside the network; embeddings, biases and norms belong to AdamW."""

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": 0.95, "weight_decay": 0.01})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                momentum = state.setdefault("momentum", torch.zeros_like(parameter))
                momentum.lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonal(parameter.grad.lerp(momentum, group["momentum"]))
                # As large, entry by entry, as an AdamW step of the same learning rate.
                scale = 0.2 * max(parameter.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about U V^T of the singular value decomposition, by five Newton-Schulz steps."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.T if tall else x


def is_inner_matrix(name: str, parameter: Tensor) -> bool:
    """Return whether Muon learns it: no embedding, and not the mergers' large matrices, which cost as much as all."""
    if "embed" in name or "lm_head" in name or ("merger" in name and "linear_fc1" in name):
        return False
    return parameter.ndim == 2 and min(parameter.shape) > 16

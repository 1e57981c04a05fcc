"""Directions of hidden states: found by least squares, by a margin, or because nothing is there. All without a bias."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextDecoderLayer


def evened(x: Tensor) -> Tensor:
    """What a layer of which no norm has learned weights hears: vectors of one size."""
    evened: Tensor = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
    return evened


def fitted(x: Tensor, y: Tensor, strength: float = 1e-3) -> Tensor:
    """The direction along which `x` (n, width) is nearest to `y` (n,): ridge regression."""
    ridge = strength * torch.eye(x.shape[1])
    direction: Tensor = torch.linalg.solve(x.T @ x / len(x) + ridge, x.T @ y / len(x))
    return direction


def telling(x: Tensor, yes: Tensor) -> Tensor:
    """~1 where `yes`, ~0 elsewhere, however seldom it is so."""
    on, off = x[yes], x[~yes]
    ridge = 1e-3 * torch.eye(x.shape[1])
    direction: Tensor = torch.linalg.solve(on.T @ on / len(on) + off.T @ off / len(off) + ridge, on.mean(0))
    return direction


def parting(x: Tensor, yes: Tensor, steps: int) -> Tensor:
    """Above 0 where `yes` and below elsewhere, taught by the cases that are hardest to tell."""
    everything = fitted(x, torch.ones(len(x)))
    direction = telling(x, yes) - 0.5 * everything
    direction = (2 * direction / (x @ direction).std()).requires_grad_(True)
    adam = torch.optim.Adam([direction], lr=0.02)
    on, off = x[yes], x[~yes]
    for step in range(steps):
        if step % 50 == 0:
            with torch.no_grad():
                near = on[(on @ direction).topk(min(4000, len(on)), largest=False).indices]
                far = off[(off @ direction).topk(min(4000, len(off))).indices]
                if (near @ direction).min() > 1 and (far @ direction).max() < -1:
                    break
        loss = functional.softplus(2 - near @ direction).mean() + functional.softplus(2 + far @ direction).mean()
        torch.autograd.backward(loss + 1e-4 * direction.pow(2).sum())
        adam.step()
        adam.zero_grad()
    return direction.detach()


def quiet(above: nn.ModuleList, x: Tensor, count: int, taken: Tensor | None = None) -> Tensor:
    """(width, count): where `x` hardly is and the layers above hardly listen, beside a direction that is taken."""
    found = x.T @ x
    found = 4 * found / found.trace()
    if taken is not None:
        found = found + 50 * torch.outer(taken, taken)
    for layer in above:
        assert isinstance(layer, Qwen3VLTextDecoderLayer)
        attention, mlp = layer.self_attn, layer.mlp
        heard = [(part, layer.input_layernorm) for part in (attention.q_proj, attention.k_proj, attention.v_proj)]
        heard += [(part, layer.post_attention_layernorm) for part in (mlp.gate_proj, mlp.up_proj)]
        for part, norm in heard:
            matrix = part.weight * norm.weight
            listening = matrix.T @ matrix
            found = found + listening / listening.trace() / len(above)
    directions: Tensor = torch.linalg.eigh(found)[1]
    return directions[:, :count]

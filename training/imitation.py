"""How an MLP is taught what to add to each token: by imitation, on hidden states that were computed once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextMLP

from training.comparing import Heard
from training.directions import evened, parting
from training.lists import Role
from training.log import Log

OPEN = 32  # units that are not shut where no role is played
UNIT = 40.0  # errors are counted in this


@dataclass(frozen=True, slots=True)
class Spread:
    """The real tokens of many conversations in one row."""

    hidden: Tensor  # (n, width)
    roles: Tensor  # (n,)
    turns: Tensor  # (n,)

    @classmethod
    def of(cls, stored: Sequence[Heard]) -> "Spread":
        def all_of(pick: str) -> Tensor:
            return torch.cat([getattr(lists, pick)[lists.real] for lists, _, _ in stored])

        hidden = torch.cat([hidden[lists.real] for lists, hidden, _ in stored])
        return cls(hidden, all_of("roles"), all_of("turns"))


def close(mlp: Qwen3VLTextMLP, spread: Spread) -> None:
    """Begins an MLP with gates that are shut where no role is played, so that nothing is written there."""
    x = evened(spread.hidden)
    role = parting(x, spread.roles > 0, 400)
    shut = 6 * role / (x[spread.roles == 0] @ role).abs().mean()
    with torch.no_grad():
        mlp.gate_proj.weight.normal_(std=1 / 24)
        mlp.gate_proj.weight[:-OPEN] += shut
        mlp.up_proj.weight.normal_(std=1 / 16)
        mlp.down_proj.weight.normal_(std=0.003)
        mlp.down_proj.weight[:, -OPEN:] = 0


class Draws:
    """Tokens to learn from: of each role some, late turns oftener than they come, and those that went worst."""

    def __init__(self, spread: Spread, shares: dict[Role, int]) -> None:
        self.indices = {role: (spread.roles == role).nonzero()[:, 0] for role in shares}
        self.shares = shares
        self.weights = {}
        for role, found in self.indices.items():
            turns = spread.turns[found].clamp(max=7)
            self.weights[role] = (1 / torch.bincount(turns, minlength=8).clamp(min=300).sqrt())[turns]
        self.worst = torch.zeros(0, dtype=torch.long)

    def draw(self) -> Tensor:
        drawn = [
            found[torch.multinomial(self.weights[role], self.shares[role], replacement=True)]
            for role, found in self.indices.items()
            if role and len(found)
        ]
        drawn.append(self.some(self.shares[Role.NONE]))
        if len(self.worst):
            drawn.append(self.worst[torch.randint(len(self.worst), (512,))])
        return torch.cat(drawn)

    def some(self, count: int) -> Tensor:
        found = self.indices[Role.NONE]
        return found[torch.randint(len(found), (count,))]

    def remember(self, tried: Tensor, errors: Tensor) -> None:
        self.worst = torch.cat((self.worst[-8000:], tried[errors.topk(min(2000, len(errors))).indices]))


def imitate(
    mlp: Qwen3VLTextMLP, spread: Spread, target: Tensor, draws: Draws, steps: int, rate: float, log: Log
) -> None:
    """Teaches an MLP what to add to each token."""
    adam = torch.optim.AdamW(mlp.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    falling = torch.optim.lr_scheduler.OneCycleLR(adam, rate, steps, pct_start=0.02, cycle_momentum=False)
    for step in range(steps):
        if step % 200 == 50:
            with torch.no_grad():
                tried = draws.some(100_000)
                errors = [(mlp(evened(spread.hidden[t])) - target[t]).norm(dim=-1) for t in torch.split(tried, 8192)]
                draws.remember(tried, torch.cat(errors))
        drawn = draws.draw()
        error = ((mlp(evened(spread.hidden[drawn])) - target[drawn]) / UNIT).pow(2).sum(-1)
        role = spread.roles[drawn] > 0
        loss = (torch.where(role, 5.0, 8.0) * error).mean()
        torch.autograd.backward(loss)
        adam.step()
        falling.step()
        adam.zero_grad()
        log.add({"written": error[role].mean().detach(), "beside": error[~role].mean().detach()})

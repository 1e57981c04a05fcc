"""The second layer that counts: it tells the turns of a conversation apart.

From the tokens that play a role in counting, and only from them, it looks at all the special tokens that open a turn,
at the first of them eight times as long; the share 8 / (7 + n) that this gets says how many there are. Its MLP
writes the turn as an angle, into one plane for what is counted and the letters that open the answer, into another for
the token before a count.
Norms of queries and keys make nearly yes and no out of what was learned: a key with one rotary pair is a sign, one with
two numbers a direction.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextDecoderLayer

from training.comparing import Heard
from training.directions import evened, parting
from training.imitation import Draws, Spread, imitate
from training.lists import Role
from training.log import Log
from training.pointing import scores

TURNS = 6  # angles; a seventh turn has the first one's again
ROLE_SIZE, TURN_SIZE = 40.0, 80.0
FIRST_WEIGHS = 8.0
LOUD = 1.2


@dataclass(frozen=True, slots=True)
class Board:
    """Where in the hidden states what is written: directions in which otherwise hardly anything is."""

    turn: Tensor  # (width,) how many turns there are
    told: Tensor  # (width, 2) the turn of a match, or of an opening
    asking: Tensor  # (width, 2) the turn of a count
    kind: Tensor  # (width, 2) a match, an opening
    share: Tensor  # (width, 2) how much of what is heard are matches, and openings

    @classmethod
    def of(cls, quiet: Tensor) -> "Board":
        return cls(quiet[:, 0], quiet[:, 1:3], quiet[:, 3:5], quiet[:, 5:7], quiet[:, 7:9])

    @property
    def roles(self) -> Tensor:
        """(width, 6)"""
        return torch.cat((self.told, self.asking, self.kind), 1)


@torch.no_grad()
def silence(layer: Qwen3VLTextDecoderLayer, loud: float) -> None:
    """It says nothing; whatever its queries and keys will be made of, they come out as large as `loud` says."""
    for parameter in layer.parameters():
        parameter.zero_()
    layer.input_layernorm.weight.fill_(1)
    layer.post_attention_layernorm.weight.fill_(1)
    layer.self_attn.q_norm.weight.fill_(loud)
    layer.self_attn.k_norm.weight.fill_(loud)


def begin(layer: Qwen3VLTextDecoderLayer, stored: Sequence[Heard], start: int, board: Board) -> None:
    """Its attention is all made by hand: signs that were parted, and a share of what is heard."""
    spread = Spread.of(stored)
    x = evened(spread.hidden)
    opens = torch.cat([(lists.lessons.ids == start)[lists.real] for lists, _, _ in stored])
    first = torch.cat(
        [(torch.arange(lists.real.shape[1]) == 0).expand_as(lists.real)[lists.real] for lists, _, _ in stored]
    )
    opening, role = parting(x, opens, 400), parting(x, spread.roles > 0, 1500)
    marks, is_first = x[opens], first[opens].float()
    sample = x[torch.randperm(len(x))[:80_000]]
    beside = 0.004 * sample.T @ sample / len(sample) + 1e-5 * torch.eye(x.shape[1])
    foremost = torch.linalg.solve(marks.T @ marks / len(marks) + beside, marks.T @ is_first / len(marks))
    # The first has its key 30 degrees beside the others', and the query is turned until it is eight times as loud.
    tilt, size = math.radians(30), 8 * LOUD**2
    turned = math.radians(35)
    for _ in range(20):
        wrong = math.cos(tilt - turned) - math.cos(turned) - math.log(FIRST_WEIGHS) / size
        turned -= wrong / (math.sin(tilt - turned) + math.sin(turned))
    silence(layer, LOUD)
    attention = layer.self_attn
    width = attention.head_dim
    with torch.no_grad():
        keys = attention.k_proj.weight.view(-1, width, x.shape[1])
        keys[:, 31] = opening
        keys[:, 30] = math.tan(tilt) * (marks[is_first > 0][0] @ opening) * foremost
        queries = attention.q_proj.weight.view(-1, width, x.shape[1])
        queries[:, 31], queries[:, 30] = math.cos(turned) * role, math.sin(turned) * role
        attention.v_proj.weight[0] = value_of_first(layer, stored)
        attention.o_proj.weight[:, 0] = TURN_SIZE * board.turn


def value_of_first(layer: Qwen3VLTextDecoderLayer, stored: Sequence[Heard]) -> Tensor:
    """(width,): says in a role how much of what is heard is the first token, and elsewhere nothing.

    Fitted to what is heard, not to single tokens: without a role it is the mean of a whole picture, and all tokens of a
    photograph are a little like one another.
    """
    width = layer.self_attn.q_proj.in_features
    moment, wanted, tokens = torch.zeros(width, width), torch.zeros(width), 0
    for lists, hidden, rotation in stored:
        x = evened(hidden)
        looks = scores(layer.self_attn, 0, x, rotation).softmax(-1)
        heard, first = (looks @ x)[lists.real], looks[..., 0][lists.real]
        role = (lists.roles > 0)[lists.real]
        heard_more = heard * torch.where(role, 200.0, 1.0)[:, None]
        moment += heard_more.T @ heard
        wanted += heard_more.T @ (first * role)
        tokens += len(heard)
    value: Tensor = torch.linalg.solve(moment / tokens + 1e-6 * torch.eye(width), wanted / tokens)
    return value


def attend(layer: Qwen3VLTextDecoderLayer, hidden: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    heard, _ = layer.self_attn(layer.input_layernorm(hidden), position_embeddings=rotation, attention_mask=None)
    out: Tensor = hidden + heard
    return out


def think(layer: Qwen3VLTextDecoderLayer, hidden: Tensor) -> Tensor:
    out: Tensor = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return out


def roles_written(heard: Heard) -> Tensor:
    """(conversations, length, 6): what the turns' MLP is to write, by `Board.roles`."""
    lists, _, _ = heard
    angle = 2 * math.pi * (lists.turns % TURNS) / TURNS
    plane = torch.stack((angle.cos(), angle.sin()), -1)
    match, opening, count = ((lists.roles == role)[..., None] for role in (Role.MATCH, Role.OPENING, Role.COUNT))
    return torch.cat((plane * (match | opening), plane * count, match, opening), -1)


def teach(layer: Qwen3VLTextDecoderLayer, stored: Sequence[Heard], board: Board, steps: int, log: Log) -> None:
    """The MLP of the layer that tells turns apart."""
    heard = [(lists, attend(layer, hidden, rotation).detach(), rotation) for lists, hidden, rotation in stored]
    spread = Spread.of(heard)
    before = torch.cat([hidden[lists.real] for lists, hidden, _ in stored])
    told = torch.cat([roles_written(each)[each[0].real] for each in heard])
    target = before - spread.hidden + ROLE_SIZE * told @ board.roles.T  # what attention wrote is taken away
    draws = Draws(spread, {Role.NONE: 1024, Role.MATCH: 512, Role.OPENING: 512, Role.COUNT: 512})
    mlp = layer.mlp
    with torch.no_grad():
        mlp.gate_proj.weight.normal_(std=1 / 16)
        mlp.up_proj.weight.normal_(std=1 / 16)
        mlp.down_proj.weight.normal_(std=0.01)
    imitate(mlp, spread, target, draws, steps, 3e-3, log)

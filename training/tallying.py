"""The two layers that count what the first has compared.

The one tells the turns of a conversation apart: from the tokens that play a role in counting, and only from them, it
looks at all the special tokens that open a turn, at the first of them eight times as long; the share 8 / (7 + n) that
this gets says how many there are. Its MLP writes the turn as an angle, into one plane for what is counted and the
letters that open the answer, into another for the token before a count.
The other looks from there at what has the same angle: `matches / (matches + 2)` of what it hears are matches. Its MLP
clears away all that was written for this, and writes the number.
Norms of queries and keys make nearly yes and no out of what was learned: a key with one rotary pair is a sign, one with
two numbers a direction.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3VLForConditionalGeneration
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextDecoderLayer

from training.comparing import Heard
from training.directions import evened, fitted, parting
from training.imitation import Draws, Spread, close, imitate
from training.lists import Role
from training.log import Log
from training.pointing import scores

TURNS = 6  # angles; a seventh turn has the first one's again
ROLE_SIZE, COUNT_SIZE, TURN_SIZE = 40.0, 40.0, 80.0
FIRST_WEIGHS = 8.0
NUMBERS = 5  # of matches, at most


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
def silence(layer: Qwen3VLTextDecoderLayer) -> None:
    for parameter in layer.parameters():
        parameter.zero_()
    layer.input_layernorm.weight.fill_(1)
    layer.post_attention_layernorm.weight.fill_(1)


def begin_turns(layer: Qwen3VLTextDecoderLayer, stored: Sequence[Heard], start: int, board: Board) -> None:
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
    tilt, size = math.radians(30), 8 * 1.2**2
    turned = math.radians(35)
    for _ in range(20):
        wrong = math.cos(tilt - turned) - math.cos(turned) - math.log(FIRST_WEIGHS) / size
        turned -= wrong / (math.sin(tilt - turned) + math.sin(turned))
    silence(layer)
    attention = layer.self_attn
    width = attention.head_dim
    with torch.no_grad():
        attention.q_norm.weight.fill_(1.2)
        attention.k_norm.weight.fill_(1.2)
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


def begin_tally(layer: Qwen3VLTextDecoderLayer, stored: Sequence[Heard], board: Board) -> None:
    x = evened(Spread.of(stored).hidden)
    always = 0.4 * fitted(x, torch.ones(len(x)))
    silence(layer)
    attention = layer.self_attn
    width = attention.head_dim
    with torch.no_grad():
        attention.q_norm.weight.fill_(1.1)
        attention.k_norm.weight.fill_(1.1)
        for matrix, plane in ((attention.k_proj.weight, board.told), (attention.q_proj.weight, board.asking)):
            heads = matrix.view(-1, width, x.shape[1])
            heads[:, 31], heads[:, 63], heads[:, 30] = plane[:, 0], plane[:, 1], always
        attention.v_proj.weight[:2] = board.kind.T / ROLE_SIZE
        attention.o_proj.weight[:, :2] = COUNT_SIZE * board.share


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


def teach_turns(layer: Qwen3VLTextDecoderLayer, stored: Sequence[Heard], board: Board, steps: int, log: Log) -> None:
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


def shares(lists_counts: Tensor) -> Tensor:
    """(n, 2): matches and openings of what a count hears."""
    matches = lists_counts[:, 2].float()
    return torch.stack((matches / (matches + 2), 2 / (matches + 2)), -1)


def teach_both(
    turns: Qwen3VLTextDecoderLayer,
    tally: Qwen3VLTextDecoderLayer,
    stored: Sequence[Heard],
    board: Board,
    steps: int,
    log: Log,
) -> None:
    """The turns' MLP and the tally's attention together, by the shares that counts hear."""
    rng = random.Random(5)
    heard = [(lists, attend(turns, hidden, rotation).detach(), rotation) for lists, hidden, rotation in stored]
    mlp, attention = list(turns.mlp.parameters()), list(tally.self_attn.parameters())
    adam = torch.optim.AdamW([{"params": mlp}, {"params": attention}], betas=(0.9, 0.98), weight_decay=0.0)
    rates = [6e-4, 2e-4]
    falling = torch.optim.lr_scheduler.OneCycleLR(adam, rates, steps, pct_start=0.02, cycle_momentum=False)
    for _ in range(steps):
        index = rng.randrange(len(heard))
        (lists, after, rotation), before = heard[index], stored[index][1]
        written = think(turns, after)
        said = (attend(tally, written, rotation) - written) @ board.share / COUNT_SIZE
        role = lists.roles > 0
        error = ((written - before) @ board.roles / ROLE_SIZE - roles_written(heard[index])).pow(2).sum(-1)
        beside = written - before
        beside = ((beside - beside @ board.roles @ board.roles.T) / ROLE_SIZE).pow(2).sum(-1)
        others = lists.real & (lists.roles != Role.COUNT)
        loss = 3 * error[lists.real].mean() + 0.3 * beside[lists.real].mean()
        loss = loss + 8 * (error + beside)[lists.real & ~role].mean() + 3 * said[others].pow(2).sum(-1).mean()
        if len(lists.counts):
            row, token, matches = lists.counts.unbind(1)
            got, wanted = said[row, token], shares(lists.counts)
            angle = torch.atan2(got[:, 0], got[:, 1]) - torch.atan2(wanted[:, 0], wanted[:, 1])
            far = (angle / (0.1 + 0.2 / (1 + matches))).pow(2)
            sizes = got.norm(dim=-1) - wanted.norm(dim=-1)
            loss = loss + 0.2 * (far.clamp(max=9).mean() + sizes.pow(2).mean())
            log.add({"angle": angle.abs().mean().detach()})
        log.add({"said elsewhere": said[others].norm(dim=-1).mean().detach()})
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(mlp + attention, 1.0)
        adam.step()
        falling.step()
        adam.zero_grad()


def numerals(network: Qwen3VLForConditionalGeneration, digits: Tensor, stored: Sequence[Heard], steps: int) -> Tensor:
    """(languages, numbers, width): what, written behind the first layers, makes all others say this number.

    `digits` are token ids (languages, numbers). Begun as what the output layer hears as the digit, and as large as all
    else that the layers above will write; then taught with numbers that are not the true ones.
    """
    language = network.model.language_model
    heard = network.lm_head.weight * language.norm.weight
    square = heard.T @ heard / len(heard)
    ridge = 0.3 * square.diagonal().mean() * torch.eye(len(square))
    vectors = torch.linalg.solve(square + ridge, heard[digits.flatten()].T).T
    vectors = (150 * functional.normalize(vectors, dim=-1)).view(*digits.shape, -1).detach().requires_grad_(True)
    adam = torch.optim.Adam([vectors], lr=1.0)
    rng = random.Random(31)
    few = [each for each in stored if not len(each[0].lessons.prints.pixels)]
    for _ in range(steps):
        lists, hidden, rotation = rng.choice(few)
        row, token, matches = lists.counts[lists.counts[:, 2] > 0].unbind(1)
        tongue = (lists.lessons.ids[row, token + 1][:, None] == digits[1]).any(1).long()
        number = torch.randint(0, digits.shape[1], matches.shape)
        x = hidden.index_put((row, token), vectors[tongue, number], accumulate=True)
        for layer in language.layers[4:]:
            x = layer(x, position_embeddings=rotation, attention_mask=None)
        logits = network.lm_head(language.norm(x[row, token]))
        torch.autograd.backward(functional.cross_entropy(logits, digits[tongue, number]))
        adam.step()
        adam.zero_grad()
    return vectors.detach()


def teach_numbers(
    turns: Qwen3VLTextDecoderLayer,
    tally: Qwen3VLTextDecoderLayer,
    stored: Sequence[Heard],
    direction: Tensor,
    vectors: Tensor,
    digits: Tensor,
    steps: int,
    log: Log,
) -> None:
    """The tally's MLP: it clears away what was written for counting, and writes the number."""
    heard, targets = [], []
    with torch.no_grad():
        for lists, hidden, rotation in stored:
            after = attend(tally, think(turns, attend(turns, hidden, rotation)), rotation)
            wanted = hidden - (hidden @ direction * (lists.roles == Role.MATCH))[..., None] * direction
            row, token, matches = lists.counts[lists.counts[:, 2] > 0].unbind(1)
            tongue = (lists.lessons.ids[row, token + 1][:, None] == digits[1]).any(1).long()
            wanted = wanted.index_put((row, token), vectors[tongue, matches - 1], accumulate=True)
            heard.append((lists, after, rotation))
            targets.append((wanted - after)[lists.real])
    spread = Spread.of(heard)
    close(tally.mlp, spread)
    draws = Draws(spread, {Role.NONE: 1792, Role.MATCH: 320, Role.OPENING: 256, Role.COUNT: 1024})
    imitate(tally.mlp, spread, torch.cat(targets), draws, steps, 2e-3, log)

"""The third layer that counts: it tallies what the first has compared in the turn that the second tells.

It looks from the token before a count at what has the same angle: `matches / (matches + 2)` of what it hears are
matches. Its MLP clears away all that was written for counting, and writes the number.
"""

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3VLForConditionalGeneration
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextDecoderLayer

from training import model
from training.comparing import Heard
from training.directions import evened, fitted
from training.imitation import Draws, Spread, close, imitate
from training.lists import Lists, Role
from training.log import Log
from training.turns import ROLE_SIZE, Board, attend, roles_written, silence, think

COUNT_SIZE = 40.0
NUMBERS = 5  # of matches, at most


def begin(layer: Qwen3VLTextDecoderLayer, stored: Sequence[Heard], board: Board) -> None:
    x = evened(Spread.of(stored).hidden)
    always = 0.4 * fitted(x, torch.ones(len(x)))
    silence(layer, 1.1)
    attention = layer.self_attn
    width = attention.head_dim
    with torch.no_grad():
        for matrix, plane in ((attention.k_proj.weight, board.told), (attention.q_proj.weight, board.asking)):
            heads = matrix.view(-1, width, x.shape[1])
            heads[:, 31], heads[:, 63], heads[:, 30] = plane[:, 0], plane[:, 1], always
        attention.v_proj.weight[:2] = board.kind.T / ROLE_SIZE
        attention.o_proj.weight[:, :2] = COUNT_SIZE * board.share


def shares(counts: Tensor) -> Tensor:
    """(n, 2): matches and openings of what a count hears."""
    matches = counts[:, 2].float()
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


def counted(lists: Lists, digits: Tensor) -> tuple[Tensor, ...]:
    """Where something is counted: conversation, token, matches, and the language of the number, a row of `digits`."""
    row, token, matches = lists.counts[lists.counts[:, 2] > 0].unbind(1)
    tongue = (lists.lessons.ids[row, token + 1][:, None] == digits[1]).any(1).long()
    return row, token, matches, tongue


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
        row, token, matches, tongue = counted(lists, digits)
        number = torch.randint(0, digits.shape[1], matches.shape)
        x = hidden.index_put((row, token), vectors[tongue, number], accumulate=True)
        for layer in language.layers[1 + model.COUNTING :]:
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
            row, token, matches, tongue = counted(lists, digits)
            wanted = wanted.index_put((row, token), vectors[tongue, matches - 1], accumulate=True)
            heard.append((lists, after, rotation))
            targets.append((wanted - after)[lists.real])
    spread = Spread.of(heard)
    close(tally.mlp, spread)
    draws = Draws(spread, {Role.NONE: 1792, Role.MATCH: 320, Role.OPENING: 256, Role.COUNT: 1024})
    imitate(tally.mlp, spread, torch.cat(targets), draws, steps, 2e-3, log)

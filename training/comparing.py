"""The first layer that counts: it sees whether the name just written is of what was asked for.

Begun as a layer that compares, since none of random weights became one: queries and keys are one and the same whitened
projection, so that a head looks at what is like the token it stands on; keys also tell what is in a question, on a
rotary pair that fades in some 200 tokens; the conversation's first token is where it looks that finds nothing; and what
is handed on is "in a question". Then it learns to say so, in one direction and with one size.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextDecoderLayer

from training.directions import evened, fitted
from training.lists import Lists
from training.log import Log

SIZE = 20.0  # of what it says
SIMILAR = range(19, 31)  # rotary pairs too slow to turn within a conversation
FADING, SLOWEST = 17, 31

Heard = tuple[Lists, Tensor, tuple[Tensor, Tensor]]  # hidden states (conversations, length, width), rotary positions


def run(layer: nn.Module, hidden: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    out: Tensor = layer(hidden, position_embeddings=rotation, attention_mask=None)
    return out


@torch.no_grad()
def begin(layer: Qwen3VLTextDecoderLayer, heard: Heard, direction: Tensor) -> None:
    lists, hidden, _ = heard
    even = evened(hidden)
    x, asked = even[lists.real], lists.asked[lists.real].float()
    mean = x.mean(0)
    values, axes = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x) + 1e-3 * torch.eye(x.shape[1]))
    values, axes = values.flip(0), axes.flip(1)
    always = fitted(x, torch.ones(len(x)), 1e-2)
    question = fitted(x, asked, 1e-2)
    first = even[:, 0].mean(0)
    nothing = first / (first @ first)
    attention, mlp = layer.self_attn, layer.mlp
    layer.input_layernorm.weight.fill_(1)
    layer.post_attention_layernorm.weight.fill_(1)
    attention.q_norm.weight.fill_(2.4)
    attention.k_norm.weight.fill_(2.4)
    width, half, pairs = attention.head_dim, attention.head_dim // 2, len(SIMILAR)
    groups = attention.config.num_key_value_heads
    attention.o_proj.weight.zero_()
    for group in range(groups):
        white = (axes[:, group::groups] / values[group::groups].sqrt())[:, : 2 * pairs].T
        white = white - torch.outer(white @ mean, always)
        white = white / (x @ white.T).norm(dim=-1).mean()
        key = torch.zeros(width, x.shape[1])
        key[SIMILAR.start : SIMILAR.stop] = white[:pairs]
        key[half + SIMILAR.start : half + SIMILAR.stop] = white[pairs:]
        query = key.clone()
        key[FADING], query[FADING] = question, always
        key[SLOWEST], query[SLOWEST] = nothing, 1.2 * always
        value = 0.02 * torch.randn(width, x.shape[1])
        value[0] = question
        attention.k_proj.weight[group * width : (group + 1) * width] = key
        attention.v_proj.weight[group * width : (group + 1) * width] = value
        for head in range(group * attention.num_key_value_groups, (group + 1) * attention.num_key_value_groups):
            attention.q_proj.weight[head * width : (head + 1) * width] = query + 0.002 * torch.randn_like(query)
            attention.o_proj.weight[:, head * width] = 8 * direction
    mlp.gate_proj.weight.normal_(std=1 / 16)
    mlp.up_proj.weight.normal_(std=1 / 16)
    mlp.down_proj.weight.zero_()


def teach(layer: Qwen3VLTextDecoderLayer, lessons: Iterator[Heard], direction: Tensor, steps: int, log: Log) -> None:
    """First to tell, in whatever way; then to say it in this direction, and nothing else to anybody."""
    telling = nn.Linear(len(direction), 2)
    nn.init.zeros_(telling.weight)
    with torch.no_grad():
        telling.weight[1] += 2 * direction
        telling.bias[1] = -1
    learned = [*layer.parameters(), *telling.parameters()]
    for fixed in (False, True):
        adam = torch.optim.AdamW(learned, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
        rate = torch.optim.lr_scheduler.OneCycleLR(adam, 1e-3, steps, pct_start=0.1, cycle_momentum=False)
        for _, (lists, hidden, rotation) in zip(range(steps), lessons, strict=False):
            out = run(layer, hidden, rotation)
            row, token, so = lists.compared.unbind(1)
            said = (out @ direction) / SIZE
            written = out - hidden
            if fixed:
                written = written - (written @ direction)[..., None] * direction
            beside = written.pow(2).mean(-1) / hidden.pow(2).mean(-1)
            others = lists.real.clone()
            others[row, token] = False
            loss = 0.5 * beside[lists.real if fixed else others].mean()
            if fixed:
                loss = loss + 4 * said[others].pow(2).mean() + 20 * said[others].pow(4).mean()
            if len(row):
                right = ((said[row, token] > 0.5) == (so > 0)).float().mean()
                if fixed:
                    loss = loss + (said[row, token] - so).pow(2).mean()
                else:
                    logits = telling(evened(out[row, token]))
                    loss = loss + functional.cross_entropy(logits, so)
                    right = (logits.argmax(-1) == so).float().mean()
                log.add({"compared": right})
            log.add({"beside": beside[others].mean().detach()})
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            adam.step()
            rate.step()
            adam.zero_grad()

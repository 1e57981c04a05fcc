"""The tiny Qwen3-VL that is trained, and how it is run over a batch of equally sized pictures.

The classes and weights are transformers' own, so a checkpoint loads like any Qwen3-VL. Only the forward pass of the
vision tower is written again: transformers attends picture by picture, which on a CPU costs more than the arithmetic.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase, Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
from transformers.models.qwen3_vl.modeling_qwen3_vl import (
    Qwen3VLVisionBlock,
    Qwen3VLVisionModel,
    apply_rotary_pos_emb_vision,
)

from training import tokenizer as tokens

PATCH = 16
TOKEN = PATCH  # pixels per side of a token: patches are not merged, so that a token shows one character or two
# What the picture processor brings every picture to: 437 to 1024 tokens. Print of 18 pixels is a quarter too small for
# tokens of 16 (76 % of its Chinese was named, and 86 % when the same picture was enlarged), so small pictures grow.
# Held-out fields right with 80,000 pixels 91.4 %, with 112,000 93.0 %, with 131,072 93.2 %, with 163,840 92.2 %.
LEAST, MOST = 112_000, 262_144  # pixels
SLOTS = 4  # columns of 4 pixels: no two letters of the smallest print share one
GRID = 32  # learned positions along each side
WAVES = (1, 2, 4, 8)  # periods across the picture; the quickest tells neighbours apart
READING, COUNTING = 7, 3  # layers of the language model; those that count stand behind the first (training/count.py)
MAP_STRENGTH = 4.0  # patches come with a norm of about 40 once trained


def config(tokenizer: PreTrainedTokenizerBase, layers: int) -> Qwen3VLConfig:
    def token_id(token: str) -> int:
        return int(tokenizer.convert_tokens_to_ids(token))

    return Qwen3VLConfig(
        vision_config={
            "depth": 8,
            "hidden_size": 192,
            "num_heads": 6,
            "intermediate_size": 1536,
            "out_hidden_size": 256,
            "num_position_embeddings": GRID**2,
            "deepstack_visual_indexes": [5],
            "patch_size": PATCH,
            "spatial_merge_size": TOKEN // PATCH,
        },
        text_config={
            "vocab_size": tokens.VOCABULARY,
            "hidden_size": 256,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "intermediate_size": 640,
            "max_position_embeddings": 8192,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [12, 10, 10],
                "mrope_interleaved": True,
            },
            "pad_token_id": token_id("<|endoftext|>"),
            "bos_token_id": None,
            "eos_token_id": token_id("<|im_end|>"),
            "tie_word_embeddings": True,
        },
        image_token_id=token_id("<|image_pad|>"),
        video_token_id=token_id("<|video_pad|>"),
        vision_start_token_id=token_id("<|vision_start|>"),
        vision_end_token_id=token_id("<|vision_end|>"),
        tie_word_embeddings=True,
    )


def build(tokenizer: PreTrainedTokenizerBase, seed: int, layers: int = READING) -> Qwen3VLForConditionalGeneration:
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(config(tokenizer, layers))
    for block in model.model.visual.blocks:
        look_around(block, model.config.vision_config.rope_parameters["rope_theta"])
    draw_map(model.model.visual)
    return model


@torch.no_grad()
def look_around(block: Qwen3VLVisionBlock, theta: float) -> None:
    """Starts a block's heads as a convolution: each looks at one neighbour (left, right, above, below, itself).

    A query bias q and a key bias k give a score of sum_f q_f k_f cos(f (d - d0)) at the patch d away, whatever is in
    it: rotary positions turn biases into a kernel. From random weights the tower first has to discover neighbourhood,
    which takes longer than all the rest. The last head stays free.
    """
    attention = block.attn
    heads, width = attention.num_heads, attention.head_dim
    quarter = width // 4
    frequency = 1.0 / theta ** (torch.arange(quarter) / quarter)
    strength = math.sqrt(4.0 * math.sqrt(width))
    bias = attention.qkv.bias.view(3, heads, width)
    bias.zero_()
    offsets = ((0, -1), (0, 1), (-1, 0), (1, 0), (0, 0))  # rows, columns
    for head, (down, right) in enumerate(offsets[: heads - 1]):
        angle = torch.cat((down * frequency, right * frequency))
        # Rotary pairs are (i, i + width / 2). A query at p meets a key at p + d at angle f d - f d0.
        bias[0, head, : 2 * quarter] = strength
        bias[1, head, : 2 * quarter] = strength * angle.cos()
        bias[1, head, 2 * quarter :] = -strength * angle.sin()


@torch.no_grad()
def draw_map(tower: Qwen3VLVisionModel) -> None:
    """Starts the learned positions as a map: each number of `whereabouts` in a direction of its own.

    From small random numbers the tower never learns where on the picture a patch is, since letters do not depend on it;
    the language model then cannot tell which token comes next on the line.
    """
    code = whereabouts(GRID, GRID)
    width = tower.pos_embed.embedding_dim
    directions = torch.linalg.qr(torch.randn(width, code.shape[-1], generator=torch.Generator().manual_seed(0)))[0]
    tower.pos_embed.weight += MAP_STRENGTH * code @ directions.T


def whereabouts(rows: int, columns: int) -> Tensor:
    """Where each cell of a grid is, as numbers between -1 and 1: (cells, 2 + 4 * waves).

    Row and column themselves, then waves along both: a linear layer reads coarse and fine places off them.
    """
    row, column = torch.meshgrid(torch.linspace(0, 1, rows), torch.linspace(0, 1, columns), indexing="ij")
    straight = [2 * row - 1, 2 * column - 1]
    waves = [
        wave(2 * math.pi * count * along)
        for count in WAVES
        for wave in (torch.sin, torch.cos)
        for along in (row, column)
    ]
    return torch.stack([*straight, *waves], dim=-1).flatten(0, 1)


def grid(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of tokens that the processor makes of a picture."""
    down, across = smart_resize(height, width, TOKEN, LEAST, MOST)
    return down // TOKEN, across // TOKEN


@dataclass(frozen=True, slots=True)
class Sight:
    """What the vision tower makes of a batch of pictures."""

    tokens: Tensor  # (pictures, tokens, text width)
    deepstack: list[Tensor]  # each (pictures, tokens, text width)


def patches(pixels: Tensor) -> Tensor:
    """(pictures, height, width, 3) bytes -> (pictures, patches, 3 * 16 * 16)."""
    count, height, width, _ = pixels.shape
    rows, columns = height // PATCH, width // PATCH
    x = pixels.to(torch.float32) / 127.5 - 1.0
    x = x.view(count, rows, PATCH, columns, PATCH, 3)
    x = x.permute(0, 1, 3, 5, 2, 4)  # (pictures, rows, columns, 3, 16, 16)
    return x.reshape(count, rows * columns, 3 * PATCH * PATCH)


def see(tower: Qwen3VLVisionModel, pixels: Tensor) -> Sight:
    """The tower's own forward pass, for a batch of pictures of one size."""
    count, height, width, _ = pixels.shape
    rows, columns = height // PATCH, width // PATCH
    kernel = tower.patch_embed.proj.weight.sum(2).flatten(1)  # a still is both frames of its pair
    x = functional.linear(patches(pixels), kernel, tower.patch_embed.proj.bias)  # (pictures, patches, width)
    x = x + positions(tower, rows, columns)
    rotation = rotations(tower, rows, columns, x.device)
    deepstack = []
    for index, block in enumerate(tower.blocks):
        x = x + attend(block, block.norm1(x), rotation)
        x = x + block.mlp.linear_fc2(gelu(block.mlp.linear_fc1(block.norm2(x))))
        if index in tower.deepstack_visual_indexes:
            merger = tower.deepstack_merger_list[list(tower.deepstack_visual_indexes).index(index)]
            deepstack.append(merger(x.reshape(-1, x.shape[-1])).view(count, -1, merger.linear_fc2.out_features))
    merged = tower.merger(x.reshape(-1, x.shape[-1])).view(count, -1, tower.merger.linear_fc2.out_features)
    return Sight(merged, deepstack)


@functools.cache
def compiled(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    compiled: Callable[[Tensor], Tensor] = torch.compile(function, dynamic=True)
    return compiled


def gelu(x: Tensor) -> Tensor:
    """`gelu_pytorch_tanh`, in half the time where it is trained on a CPU: torch's own is a tenth of the step there."""
    if x.requires_grad and x.device.type == "cpu":
        return compiled(logistic_gelu)(x)
    return functional.gelu(x, approximate="tanh")


def logistic_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))  # (1 + tanh(z)) / 2 = sigmoid(2 z)


def positions(tower: Qwen3VLVisionModel, rows: int, columns: int) -> Tensor:
    """The learned grid of positions, resampled to this picture's grid: (patches, width)."""
    side = tower.num_grid_per_side
    grid = tower.pos_embed.weight.view(1, side, side, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, (rows, columns), mode="bilinear", align_corners=True)[0]
    return grid.flatten(1).T  # (width, rows, columns) -> (patches, width)


def rotations(tower: Qwen3VLVisionModel, rows: int, columns: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary angles: each (patches, head width)."""
    row = torch.arange(rows, device=device)[:, None].expand(rows, columns)
    column = torch.arange(columns, device=device)[None].expand(rows, columns)
    place = torch.stack((row, column)).flatten(1)  # (2, patches)
    angle = torch.cat([p[:, None].float() * tower.rotary_pos_emb.inv_freq.to(device) for p in place], dim=-1)
    angle = torch.cat((angle, angle), dim=-1)
    return angle.cos(), angle.sin()


def attend(block: Qwen3VLVisionBlock, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    count, length, width = x.shape
    attention = block.attn
    q, k, v = attention.qkv(x).view(count, length, 3, attention.num_heads, -1).unbind(2)
    q, k = apply_rotary_pos_emb_vision(q, k, *rotation)  # (pictures, patches, heads, head width)
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    mixed = functional.scaled_dot_product_attention(q, k, v)
    mixed = mixed.transpose(1, 2).reshape(count, length, width)
    projected: Tensor = attention.proj(mixed)
    return projected

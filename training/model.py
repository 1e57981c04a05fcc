"""The tiny Qwen3-VL that is trained: transformers' own classes, with weights that start from a useful place."""

import math

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionBlock, Qwen3VLVisionModel

from training import tokenizer as tokens

PATCH = 16  # pixels per side of a token: patches are not merged, so that a token shows one character or two
# The picture processor resizes every picture to 437 to 1024 tokens. Print of 18 pixels is a quarter too small for
# tokens of 16 (76 % of its Chinese was named, and 86 % when the same picture was enlarged), so small pictures grow.
# Held-out fields right with 80,000 pixels 91.4 %, with 112,000 93.0 %, with 131,072 93.2 %, with 163,840 92.2 %.
MIN_PIXELS, MAX_PIXELS = 112_000, 262_144
CELLS = 4  # columns of a token, 4 pixels wide: no two letters of the smallest print share one
POSITIONS = 32  # learned along each side
WAVES = (1, 2, 4, 8)  # periods across the picture; the shortest tells neighbours apart
TEXT_LAYERS = 7
POSITION_STRENGTH = 4.0  # patches come with a norm of about 40 once trained


def config(tokenizer: PreTrainedTokenizerBase) -> Qwen3VLConfig:
    def token_id(token: str) -> int:
        return int(tokenizer.convert_tokens_to_ids(token))

    return Qwen3VLConfig(
        vision_config={
            "depth": 8,
            "hidden_size": 192,
            "num_heads": 6,
            "intermediate_size": 1536,
            "out_hidden_size": 256,
            "num_position_embeddings": POSITIONS**2,
            "deepstack_visual_indexes": [5],
            "patch_size": PATCH,
            "spatial_merge_size": 1,
        },
        text_config={
            "vocab_size": tokens.VOCABULARY,
            "hidden_size": 256,
            "num_hidden_layers": TEXT_LAYERS,
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


def build(tokenizer: PreTrainedTokenizerBase, seed: int) -> Qwen3VLForConditionalGeneration:
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(config(tokenizer))
    for block in model.model.visual.blocks:
        start_as_convolution(block, model.config.vision_config.rope_parameters["rope_theta"])
    start_positions(model.model.visual)
    return model


@torch.no_grad()
def start_as_convolution(block: Qwen3VLVisionBlock, theta: float) -> None:
    """Start a block's heads as a convolution: each attends to one neighbour (left, right, above, below, itself).

    A query bias q and a key bias k give a score of sum_f q_f k_f cos(f (d - d0)) at the patch d away, whatever is in
    it: rotary positions turn biases into a kernel. From random weights the tower would first have to discover
    neighbourhood, which takes longer than all the rest. The last head stays free.
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
def start_positions(tower: Qwen3VLVisionModel) -> None:
    """Start the learned positions as a map: each number of `coordinates` in a direction of its own.

    From small random numbers the tower never learns where in the picture a patch is, since letters do not depend on it.
    The language model then cannot tell which token comes next on the line.
    """
    code = coordinates(POSITIONS, POSITIONS)
    width = tower.pos_embed.embedding_dim
    directions = torch.linalg.qr(torch.randn(width, code.shape[-1], generator=torch.Generator().manual_seed(0)))[0]
    tower.pos_embed.weight += POSITION_STRENGTH * code @ directions.T


def coordinates(rows: int, columns: int) -> Tensor:
    """Return where each patch of a grid is, as numbers between -1 and 1: (patches, 2 + 4 * waves).

    Row and column, then waves along both: a linear layer reads coarse and fine places off them.
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


def token_grid(width: int, height: int) -> tuple[int, int]:
    """Return the rows and columns of tokens that the processor makes of a picture."""
    down, across = smart_resize(height, width, PATCH, MIN_PIXELS, MAX_PIXELS)
    return down // PATCH, across // PATCH


def pixel_values(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the picture processor makes of pictures of one size: patches and grids.

    `pixels` (pictures, height, width, 3) bytes -> (pictures * patches, 3 * 2 * 16 * 16), (pictures, 3).
    """
    count, height, width, _ = pixels.shape
    rows, columns = height // PATCH, width // PATCH
    x = pixels.to(torch.float32) / 127.5 - 1.0
    x = x.view(count, rows, PATCH, columns, PATCH, 3).permute(0, 1, 3, 5, 2, 4)
    x = x.reshape(count * rows * columns, 3, 1, PATCH, PATCH).expand(-1, -1, 2, -1, -1)  # a still is both frames
    grids = torch.tensor([[1, rows, columns]], device=pixels.device).expand(count, 3)
    return x.flatten(1), grids


def encode_images(network: Qwen3VLForConditionalGeneration, pixels: Tensor) -> BaseModelOutputWithPooling:
    """Run the vision tower over pictures of one size."""
    encoded: BaseModelOutputWithPooling = network.model.get_image_features(*pixel_values(pixels))
    return encoded


def image_tokens(encoded: BaseModelOutputWithPooling) -> Tensor:
    """Return (pictures, tokens, text width)."""
    return torch.stack(list(encoded.pooler_output))


def text_logits(
    network: Qwen3VLForConditionalGeneration,
    ids: Tensor,
    wanted: Tensor,
    encoded: BaseModelOutputWithPooling | None = None,
    grids: Tensor | None = None,
) -> Tensor:
    """Return the logits that predict the `wanted` tokens, each given all tokens before it: (n, vocabulary).

    `ids` (conversations, length); `wanted` (conversations, length) bool.
    """
    hidden = network.model(
        input_ids=ids,
        image_grid_thw=grids,
        mm_token_type_ids=(ids == network.config.image_token_id).int(),
        mm_encoder_outputs={"image": encoded},
        use_cache=False,
    ).last_hidden_state
    logits: Tensor = network.lm_head(hidden[:, :-1][wanted[:, 1:]]).float()
    return logits

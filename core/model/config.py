"""Read config.json: which tensors a model has, and the numbers that it is computed with.

Names and defaults are those of transformers' `Qwen3VLConfig`. Importing that takes longer than mapping all weights, so
`tests/core/model/test_config.py` compares instead.
"""

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

HEAD = "lm_head.weight"
Count = Annotated[int, Field(gt=0)]


def _with_rotation(settings: Any, theta: float) -> Any:
    """Gather what files of all ages say about rotary embeddings in `rope_parameters`."""
    if not isinstance(settings, dict):
        return settings
    rope = settings.get("rope_scaling") or settings.get("rope_parameters") or {}
    known = {"rope_theta": settings.get("rope_theta", theta), "rope_type": rope.get("type", "default")}
    return settings | {"rope_parameters": known | rope}


class Rope(BaseModel, frozen=True, strict=True, extra="allow"):
    """What rotary embeddings are computed with. Kinds other than the default have settings of their own."""

    rope_theta: float = Field(gt=0)
    rope_type: str
    mrope_section: tuple[Count, Count, Count] = Field((24, 20, 20), strict=False)


class TextConfig(BaseModel, frozen=True, strict=True):
    vocab_size: Count = 151936
    hidden_size: Count = 4096
    intermediate_size: Count = 22016
    num_hidden_layers: Count = 32
    num_attention_heads: Count = 32
    num_key_value_heads: Count = 32
    head_dim: Count = 128
    max_position_embeddings: Count = 128000
    rms_norm_eps: float = Field(1e-6, gt=0)
    attention_bias: bool = False
    tie_word_embeddings: bool = False
    rope_parameters: Rope


class VisionConfig(BaseModel, frozen=True, strict=True):
    depth: Count = 27
    hidden_size: Count = 1152
    intermediate_size: Count = 4304
    num_heads: Count = 16
    in_channels: Count = 3
    patch_size: Count = 16
    spatial_merge_size: Count = 2
    temporal_patch_size: Count = 2
    out_hidden_size: Count = 3584
    num_position_embeddings: Count = 2304
    deepstack_visual_indexes: tuple[int, ...] = Field((8, 16, 24), strict=False)
    rope_parameters: Rope


class ModelConfig(BaseModel, frozen=True, strict=True):
    text_config: Annotated[TextConfig, BeforeValidator(lambda settings: _with_rotation(settings, 500_000.0))]
    vision_config: Annotated[VisionConfig, BeforeValidator(lambda settings: _with_rotation(settings, 10_000.0))]
    image_token_id: int = 151655
    tie_word_embeddings: bool = False

    @property
    def tied(self) -> bool:
        """Whether the head may share the embeddings' weights."""
        return self.tie_word_embeddings or self.text_config.tie_word_embeddings

    def parameters(self) -> int:
        """Return how many numbers the model has; those that head and embeddings share count once."""
        return sum(math.prod(shape) for name, shape in self.shapes().items() if name != HEAD or not self.tied)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each of the model's tensors by its name."""
        text = self.text_config
        embedding = (text.vocab_size, text.hidden_size)
        return {
            **{f"model.language_model.{name}": shape for name, shape in _text_shapes(text)},
            **{f"model.visual.{name}": shape for name, shape in _vision_shapes(self.vision_config)},
            "model.language_model.embed_tokens.weight": embedding,
            HEAD: embedding,
        }


Shapes = Iterator[tuple[str, tuple[int, ...]]]


def _text_shapes(text: TextConfig) -> Shapes:
    size, inner = text.hidden_size, text.intermediate_size
    queries, keys = text.num_attention_heads * text.head_dim, text.num_key_value_heads * text.head_dim
    for layer in (f"layers.{n}" for n in range(text.num_hidden_layers)):
        for name, (rows, columns) in {
            "q": (queries, size),
            "k": (keys, size),
            "v": (keys, size),
            "o": (size, queries),
        }.items():
            yield f"{layer}.self_attn.{name}_proj.weight", (rows, columns)
            if text.attention_bias:
                yield f"{layer}.self_attn.{name}_proj.bias", (rows,)
        for name in ("q_norm", "k_norm"):
            yield f"{layer}.self_attn.{name}.weight", (text.head_dim,)
        for name, shape in {"gate": (inner, size), "up": (inner, size), "down": (size, inner)}.items():
            yield f"{layer}.mlp.{name}_proj.weight", shape
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"{layer}.{name}.weight", (size,)
    yield "norm.weight", (size,)


def _vision_shapes(vision: VisionConfig) -> Shapes:
    size, inner, merged = (
        vision.hidden_size,
        vision.intermediate_size,
        vision.hidden_size * vision.spatial_merge_size**2,
    )
    patch = (vision.in_channels, vision.temporal_patch_size, vision.patch_size, vision.patch_size)
    yield from _with_bias("patch_embed.proj", size, *patch)
    yield "pos_embed.weight", (vision.num_position_embeddings, size)
    for block in (f"blocks.{n}" for n in range(vision.depth)):
        yield from _with_bias(f"{block}.norm1", size)
        yield from _with_bias(f"{block}.norm2", size)
        yield from _with_bias(f"{block}.attn.qkv", 3 * size, size)
        yield from _with_bias(f"{block}.attn.proj", size, size)
        yield from _with_bias(f"{block}.mlp.linear_fc1", inner, size)
        yield from _with_bias(f"{block}.mlp.linear_fc2", size, inner)
    deep = [(f"deepstack_merger_list.{n}", merged) for n in range(len(vision.deepstack_visual_indexes))]
    for merger, normed in [("merger", size), *deep]:
        yield from _with_bias(f"{merger}.norm", normed)
        yield from _with_bias(f"{merger}.linear_fc1", merged, merged)
        yield from _with_bias(f"{merger}.linear_fc2", vision.out_hidden_size, merged)


def _with_bias(name: str, *shape: int) -> Shapes:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]

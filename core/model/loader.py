"""Build the model of a checkpoint's weights, one layer at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.model.checkpoint import Checkpoint
from core.model.config import ModelConfig
from core.model.kv import take_pages
from core.model.layers import MLP, Attention, Layer
from core.model.prologue import GELU, Prologue, RMSNorm, SwiGLU
from core.model.quantize import LinearFactory, LinearLayer
from core.model.rotary import PatchRotary, TextRotary
from core.model.vision_layers import Block, LayerNorm, Merger, VisionEncoder


@dataclass(frozen=True, slots=True)
class Embedding:
    """Token embeddings in the checkpoint's own type, mapped into memory: only rows that are used are read from disk."""

    weight: Tensor

    def __call__(self, ids: Tensor) -> Tensor:
        return self.weight[ids].float()


@dataclass(frozen=True, slots=True)
class LanguageModel:
    embed: Embedding
    rotary: TextRotary
    layers: list[Layer]
    head: LinearLayer


class Loader:
    """Reads one layer at a time, so that at most one is in memory twice."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        config: ModelConfig,
        factory: LinearFactory,
        progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        self._checkpoint = checkpoint
        self._config = config
        self._factory = factory
        self._progress = progress  # gets the share of the language model's layers that are filled

    def language_model(self) -> LanguageModel:
        """Return the language model. Its head shares the embeddings' weights if the checkpoint has none for it."""
        text, root = self._config.text_config, "model.language_model"
        embedding = f"{root}.embed_tokens"
        own_head = "lm_head.weight" in self._checkpoint.names
        return LanguageModel(
            layers=[self._layer(f"{root}.layers.{n}", n) for n in range(text.num_hidden_layers)],
            rotary=TextRotary(text),
            head=self._join("lm_head", ["lm_head" if own_head else embedding], self._rms_norm(f"{root}.norm")),
            embed=Embedding(self._checkpoint.tensor(f"{embedding}.weight")),
        )

    def vision_encoder(self) -> VisionEncoder:
        vision, root = self._config.vision_config, "model.visual"
        mergers = (f"{root}.deepstack_merger_list.{n}" for n in range(len(vision.deepstack_visual_indexes)))
        return VisionEncoder(
            patch_embed=self._join(f"{root}.patch_embed", [f"{root}.patch_embed.proj"]),
            positions=self._tensor(f"{root}.pos_embed.weight"),
            rotary=PatchRotary(vision.hidden_size // vision.num_heads, vision.rope_parameters),
            blocks=[self._block(f"{root}.blocks.{n}") for n in range(vision.depth)],
            merger=self._merger(f"{root}.merger"),
            deepstack=dict(zip(vision.deepstack_visual_indexes, map(self._merger, mergers), strict=True)),
        )

    def _layer(self, at: str, number: int) -> Layer:
        config = self._config.text_config
        self._progress(number / config.num_hidden_layers)
        attention = f"{at}.self_attn"
        before, between = (self._rms_norm(f"{at}.{name}_layernorm") for name in ("input", "post_attention"))
        return Layer(
            Attention(
                config,
                number,
                self._join(f"{attention}.qkv", [f"{attention}.{n}_proj" for n in "qkv"], before),
                self._join(f"{attention}.out", [f"{attention}.o_proj"]),
                self._tensor(f"{attention}.q_norm.weight"),
                self._tensor(f"{attention}.k_norm.weight"),
            ),
            MLP(
                self._join(f"{at}.mlp.gate_up", [f"{at}.mlp.{n}_proj" for n in ("gate", "up")], between),
                self._join(f"{at}.mlp.down", [f"{at}.mlp.down_proj"], SwiGLU()),
            ),
        )

    def _block(self, at: str) -> Block:
        return Block(
            self._config.vision_config.num_heads,
            self._norm(f"{at}.norm1"),
            self._linear(f"{at}.attn.qkv"),
            self._linear(f"{at}.attn.proj"),
            self._norm(f"{at}.norm2"),
            self._linear(f"{at}.mlp.linear_fc1"),
            self._join(f"{at}.mlp.linear_fc2", [f"{at}.mlp.linear_fc2"], GELU()),
        )

    def _merger(self, at: str) -> Merger:
        vision = self._config.vision_config
        return Merger(
            vision.hidden_size * vision.spatial_merge_size**2,
            self._norm(f"{at}.norm"),
            self._linear(f"{at}.linear_fc1"),
            self._linear(f"{at}.linear_fc2"),
        )

    def _norm(self, at: str) -> LayerNorm:
        return LayerNorm(self._tensor(f"{at}.weight"), self._tensor(f"{at}.bias"))

    def _rms_norm(self, at: str) -> RMSNorm:
        return RMSNorm(self._tensor(f"{at}.weight"), self._config.text_config.rms_norm_eps)

    def _linear(self, at: str) -> LinearLayer:
        return self._join(at, [at])

    def _join(self, name: str, parts: list[str], prologue: Prologue | None = None) -> LinearLayer:
        return self._factory.linear(name, lambda: self._read(parts), prologue)

    def _read(self, parts: list[str]) -> tuple[Tensor, Tensor | None]:
        """Return the joined weights (out, in) in the checkpoint's own type, and the joined biases (out,).

        A convolution over whole patches is such a product too.
        """
        weights = [self._checkpoint.tensor(f"{part}.weight").flatten(1) for part in parts]
        biases = [self._tensor(f"{part}.bias") for part in parts if f"{part}.bias" in self._checkpoint.names]
        return _stack(weights), _stack(biases) if biases else None

    def _tensor(self, name: str) -> Tensor:
        return self._checkpoint.tensor(name).float()


def _stack(parts: list[Tensor]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    return torch.cat(parts, out=take_pages(shape, parts[0].dtype))

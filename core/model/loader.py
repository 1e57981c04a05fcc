"""Fill transformers' model with a checkpoint's weights and replace its linear and decoder layers by ours."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from core.model.checkpoint import Checkpoint
from core.model.kv import take_pages
from core.model.layers import MLP, Attention, Layer, Norm
from core.model.quantize import LinearFactory


class Embedding(nn.Module):
    """Token embeddings in the checkpoint's own type, mapped into memory: only rows that are used are read from disk."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.weight[ids].float()


class Loader:
    """Builds the model around empty modules and fills one at a time, so that at most one layer is in memory twice."""

    def __init__(
        self, checkpoint: Checkpoint, factory: LinearFactory, progress: Callable[[float], None] = lambda share: None
    ) -> None:
        self._checkpoint = checkpoint
        self._factory = factory
        self._progress = progress  # gets the share of the language model's layers that are filled

    def fill(self, empty: Any) -> Any:
        self._fill_text(empty)
        self._fill_vision(empty.model.visual)
        for name, left in empty.named_parameters():
            if left.is_meta:
                raise RuntimeError(f"{name} was not loaded")
        return empty.eval()

    def _fill_text(self, empty: Any) -> None:
        """Fill the language model. Its head shares the embeddings' weights unless the checkpoint has weights for it."""
        text, root = empty.model.language_model, "model.language_model"
        config = text.config
        layers = range(config.num_hidden_layers)
        text.layers = nn.ModuleList(self._layer(config, f"{root}.layers.{n}", n) for n in layers)
        text.norm = Norm(self._tensor(f"{root}.norm.weight"), config.rms_norm_eps)
        text.rotary_emb = type(text.rotary_emb)(config=config)
        embedding = f"{root}.embed_tokens"
        own_head = "lm_head.weight" in self._checkpoint.names
        empty.lm_head = self._join("lm_head", ["lm_head" if own_head else embedding])
        text.embed_tokens = Embedding(self._checkpoint.tensor(f"{embedding}.weight"))

    def _layer(self, config: Any, at: str, number: int) -> Layer:
        self._progress(number / config.num_hidden_layers)
        attention = f"{at}.self_attn"
        return Layer(
            Attention(
                config,
                number,
                self._join(f"{attention}.qkv", [f"{attention}.{n}_proj" for n in "qkv"]),
                self._join(f"{attention}.out", [f"{attention}.o_proj"]),
                self._tensor(f"{attention}.q_norm.weight"),
                self._tensor(f"{attention}.k_norm.weight"),
            ),
            MLP(
                self._join(f"{at}.mlp.gate_up", [f"{at}.mlp.gate_proj", f"{at}.mlp.up_proj"]),
                self._join(f"{at}.mlp.down", [f"{at}.mlp.down_proj"]),
            ),
            Norm(self._tensor(f"{at}.input_layernorm.weight"), config.rms_norm_eps),
            Norm(self._tensor(f"{at}.post_attention_layernorm.weight"), config.rms_norm_eps),
        )

    def _fill_vision(self, visual: Any) -> None:
        root = "model.visual"
        visual.rotary_pos_emb = type(visual.rotary_pos_emb)(visual.config)
        visual.patch_embed = self._join(f"{root}.patch_embed", [f"{root}.patch_embed.proj"])
        for path in [path for path, module in visual.named_modules() if isinstance(module, nn.Linear)]:
            _replace(visual, path, self._join(f"{root}.{path}", [f"{root}.{path}"]))
        for path, left in list(visual.named_parameters()):
            if left.is_meta:
                _replace(visual, path, nn.Parameter(self._tensor(f"{root}.{path}"), requires_grad=False))

    def _join(self, name: str, parts: list[str]) -> nn.Module:
        return self._factory.linear(name, lambda: self._read(parts))

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


def _replace(root: nn.Module, path: str, value: nn.Module | nn.Parameter) -> None:
    parent, _, child = path.rpartition(".")
    setattr(root.get_submodule(parent), child, value)

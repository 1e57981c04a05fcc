"""Fills transformers' model with a checkpoint's weights, its linear and decoder layers swapped for ours."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Qwen3VLForConditionalGeneration

from core.engine.checkpoint import Checkpoint
from core.engine.config import Precision
from core.engine.layers import MLP, Attention, Layer, Norm
from core.engine.quantize import Foundry


def make_empty(config: Any) -> Any:
    """transformers' model without weights."""
    with torch.device("meta"):
        return Qwen3VLForConditionalGeneration(config)


class Embedding(nn.Module):
    """Token embeddings in the checkpoint's own type, mapped into memory: only the rows that are used are ever read."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.weight[ids].float()


class Loader:
    """Builds the model around empty modules and fills them one by one: never more than one layer twice in memory."""

    def __init__(self, checkpoint: Checkpoint, precision: Precision, folder: Path | None) -> None:
        self._checkpoint = checkpoint
        self._foundry = Foundry(precision, folder if precision is Precision.INT8 else None)
        seeing = Precision.FLOAT32 if precision is Precision.FLOAT32 else Precision.FLOAT16
        self._vision_foundry = Foundry(seeing, None)  # many rows at once: float16 is faster there than two int8 rows

    def fill(self, empty: Any, threads: int) -> Any:
        # Packing a weight hardly uses a second core; two teams of OpenMP threads would spin against each other.
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            self._fill_text(empty, pool)
            self._fill_vision(empty.model.visual, pool)
        for name, left in empty.named_parameters():
            if left.is_meta:
                raise RuntimeError(f"{name} was not loaded")
        return empty.eval()

    def _fill_text(self, empty: Any, pool: ThreadPoolExecutor) -> None:
        """The head has the same weights as the embeddings, unless the checkpoint brings its own."""
        text, root = empty.model.language_model, "model.language_model"
        config = text.config
        embedding = f"{root}.embed_tokens"
        own_head = "lm_head.weight" in self._checkpoint.names
        head = pool.submit(self._join, "lm_head", ["lm_head" if own_head else embedding])
        layers = pool.map(lambda n: self._layer(config, f"{root}.layers.{n}", n), range(config.num_hidden_layers))
        text.layers = nn.ModuleList(layers)
        text.norm = Norm(self._tensor(f"{root}.norm.weight"), config.rms_norm_eps)
        text.rotary_emb = type(text.rotary_emb)(config=config)
        empty.lm_head = head.result()
        shared = not own_head and self._foundry.precision is Precision.FLOAT32
        weight = empty.lm_head.weight if shared else self._checkpoint.tensor(f"{embedding}.weight")
        text.embed_tokens = Embedding(weight)

    def _layer(self, config: Any, at: str, number: int) -> Layer:
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

    def _fill_vision(self, visual: Any, pool: ThreadPoolExecutor) -> None:
        root = "model.visual"
        visual.rotary_pos_emb = type(visual.rotary_pos_emb)(visual.config)
        weight, bias = self._read([f"{root}.patch_embed.proj"])
        visual.patch_embed = self._vision_foundry.linear("", lambda: (weight.flatten(1), bias))
        paths = [path for path, module in visual.named_modules() if isinstance(module, nn.Linear)]
        made = pool.map(lambda path: self._vision_foundry.linear(path, lambda: self._read([f"{root}.{path}"])), paths)
        for path, module in zip(paths, made, strict=True):
            _replace(visual, path, module)
        for path, left in list(visual.named_parameters()):
            if left.is_meta:
                _replace(visual, path, nn.Parameter(self._tensor(f"{root}.{path}"), requires_grad=False))

    def _join(self, name: str, parts: list[str]) -> nn.Module:
        return self._foundry.linear(name, lambda: self._read(parts))

    def _read(self, parts: list[str]) -> tuple[Tensor, Tensor | None]:
        weights = [self._tensor(f"{part}.weight") for part in parts]
        biases = [self._tensor(f"{part}.bias") for part in parts if f"{part}.bias" in self._checkpoint.names]
        if len(parts) == 1:
            return weights[0], biases[0] if biases else None
        return torch.cat(weights), torch.cat(biases) if biases else None

    def _tensor(self, name: str) -> Tensor:
        return self._checkpoint.tensor(name).float()


def _replace(root: nn.Module, path: str, value: nn.Module | nn.Parameter) -> None:
    parent, _, child = path.rpartition(".")
    setattr(root.get_submodule(parent), child, value)

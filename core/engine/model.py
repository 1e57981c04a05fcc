"""transformers' Qwen3-VL with its layers swapped: weights from files, rows of many conversations in one forward."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from core.engine.checkpoint import Checkpoint
from core.engine.config import Precision
from core.engine.layers import KV, MLP, Attention, Norm, make_segment
from core.engine.prompt import Ints
from core.engine.quantize import Foundry, has_fbgemm
from core.engine.vision import Vision

log = logging.getLogger(__name__)
SMALL = 200_000_000  # parameters; below, float32 is fast enough and exact


@dataclass(slots=True)
class Pass:
    """Rows of one conversation in a forward call: they follow the rows that `kv` has.

    `features` are (first row within the pass, (1 + deepstack, rows, hidden)) of pictures.
    """

    kv: KV
    ids: Ints  # (rows,)
    positions: Ints  # (3, rows)
    features: list[tuple[int, Tensor]]
    wants_logits: bool  # of its last row


class Model:
    """Touched by one thread only. `half` says that everything kept is rounded to float16."""

    def __init__(
        self, checkpoint: Checkpoint, precision: Precision, cache: Path | None, threads: int | None = None
    ) -> None:
        if has_fbgemm():
            torch.backends.quantized.engine = "fbgemm"
        config = Qwen3VLConfig(**checkpoint.read_json("config.json"))
        self.text_config = config.text_config
        count = parameters(config)
        self.precision = choose(precision, count)
        # A small model's products end before a second core has noticed that there is work.
        torch.set_num_threads(threads or (1 if count < SMALL else psutil.cpu_count(logical=False) or 1))
        self.half = self.precision is not Precision.FLOAT32
        self.identity = f"{checkpoint.revision}-{self.precision}"
        loader = _Loader(checkpoint, config, self.precision, cache and cache / "weights" / self.identity)
        theirs = loader.load()
        self._text = theirs.model.language_model
        self._head = theirs.lm_head
        self.vision = Vision(theirs.model.visual, checkpoint.read_json("preprocessor_config.json"))
        self.ends = _end_tokens(checkpoint)
        self._groups = self.text_config.num_attention_heads // self.text_config.num_key_value_heads

    def make_kv(self, capacity: int) -> KV:
        text = self.text_config
        return KV(text.num_hidden_layers, text.num_key_value_heads, capacity, text.head_dim, self.half)

    @property
    def row_bytes(self) -> int:
        """Of one row of a running conversation's keys and values."""
        text = self.text_config
        return int(2 * 4 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim)

    @torch.inference_mode()
    def forward(self, passes: list[Pass]) -> list[Tensor | None]:
        """The logits (vocabulary,) of each pass's last row where they are wanted; every `kv` grows by its rows."""
        text = self._text
        ids = torch.cat([torch.from_numpy(p.ids) for p in passes])  # (rows,)
        positions = torch.cat([torch.from_numpy(p.positions) for p in passes], 1)  # (3, rows)
        hidden = text.embed_tokens(ids)  # (rows, hidden)
        segments, pictures, first = [], [], 0
        for each in passes:
            segments.append(make_segment(each.kv, first, len(each.ids), self._groups))
            for row, features in each.features:
                features = features.float()
                pictures.append((slice(first + row, first + row + features.shape[1]), features))
                hidden[pictures[-1][0]] = features[0]
            first += len(each.ids)
        embeddings = _rotation(*text.rotary_emb(hidden, positions[:, None]))
        hidden = hidden[None]  # (1, rows, hidden)
        for number, layer in enumerate(text.layers):
            hidden = layer(hidden, position_embeddings=embeddings, segments=segments)
            for own, features in pictures:
                if number + 1 < len(features):  # deepstack: features of earlier vision blocks join later
                    hidden[0, own] += features[number + 1]
        for each in passes:
            each.kv.length += len(each.ids)
        return self._logits(hidden[0], passes, segments)

    def _logits(self, hidden: Tensor, passes: list[Pass], segments: list[Any]) -> list[Tensor | None]:
        last = [s.first + s.rows - 1 for s, p in zip(segments, passes, strict=True) if p.wants_logits]
        if not last:
            return [None] * len(passes)
        logits = iter(self._head(self._text.norm(hidden[last])))  # each (vocabulary,)
        return [next(logits) if p.wants_logits else None for p in passes]


class Embedding(nn.Module):
    """Token embeddings in the checkpoint's own type, mapped into memory: only the rows that are used are ever read."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.weight[ids].float()


def choose(precision: Precision, count: int) -> Precision:
    """What `auto` means here, and what is possible: says why in the log."""
    if precision is Precision.AUTO:
        if count < SMALL:
            log.info("precision float32: the model is small")
            return Precision.FLOAT32
        precision = Precision.INT8 if has_fbgemm() else Precision.FLOAT16
        log.info("precision %s: decoding is as fast as memory can be read", precision)
    if precision is not Precision.FLOAT32 and not has_fbgemm():
        log.warning("this processor has no FBGEMM kernels: weights are kept in bfloat16 instead of %s", precision)
        return Precision.FLOAT16
    return precision


def parameters(config: Any) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in Qwen3VLForConditionalGeneration(config).parameters())


class _Loader:
    """Builds the model around empty modules and fills them one by one: never more than one layer twice in memory."""

    def __init__(self, checkpoint: Checkpoint, config: Any, precision: Precision, folder: Path | None) -> None:
        self._checkpoint = checkpoint
        self._config = config
        self._foundry = Foundry(precision, folder if precision is Precision.INT8 else None)
        seeing = Precision.FLOAT32 if precision is Precision.FLOAT32 else Precision.FLOAT16
        self._vision_foundry = Foundry(seeing, None)  # many rows at once: float16 is faster there than two int8 rows

    def load(self) -> Any:
        with torch.device("meta"):
            theirs = Qwen3VLForConditionalGeneration(self._config)
        self._load_text(theirs)
        self._load_vision(theirs.model.visual)
        for name, left in theirs.named_parameters():
            if left.is_meta:
                raise RuntimeError(f"{name} was not loaded")
        return theirs.eval()

    def _load_text(self, theirs: Any) -> None:
        text, root = theirs.model.language_model, "model.language_model"
        eps = self._config.text_config.rms_norm_eps
        for number, layer in enumerate(text.layers):
            at = f"{root}.layers.{number}"
            attention = f"{at}.self_attn"
            layer.self_attn = Attention(
                layer.self_attn,
                self._join(f"{attention}.qkv", [f"{attention}.{n}_proj" for n in "qkv"]),
                self._join(f"{attention}.out", [f"{attention}.o_proj"]),
                self._tensor(f"{attention}.q_norm.weight"),
                self._tensor(f"{attention}.k_norm.weight"),
            )
            layer.mlp = MLP(
                self._join(f"{at}.mlp.gate_up", [f"{at}.mlp.gate_proj", f"{at}.mlp.up_proj"]),
                self._join(f"{at}.mlp.down", [f"{at}.mlp.down_proj"]),
            )
            for norm in ("input_layernorm", "post_attention_layernorm"):
                setattr(layer, norm, Norm(self._tensor(f"{at}.{norm}.weight"), eps))
        text.norm = Norm(self._tensor(f"{root}.norm.weight"), eps)
        text.rotary_emb = type(text.rotary_emb)(config=self._config.text_config)
        self._load_embeddings(theirs, f"{root}.embed_tokens")

    def _load_embeddings(self, theirs: Any, name: str) -> None:
        """The head has the same weights as the embeddings, unless the checkpoint brings its own."""
        head = "lm_head" if "lm_head.weight" in self._checkpoint.names else name
        theirs.lm_head = self._join("lm_head", [head])
        if self._foundry.precision is Precision.FLOAT32 and head == name:
            embedding = Embedding(theirs.lm_head.weight)
        else:
            embedding = Embedding(self._checkpoint.tensor(f"{name}.weight"))
        theirs.model.language_model.embed_tokens = embedding

    def _load_vision(self, visual: Any) -> None:
        root = "model.visual"
        visual.rotary_pos_emb = type(visual.rotary_pos_emb)(self._config.vision_config)
        weight, bias = self._read([f"{root}.patch_embed.proj"])
        visual.patch_embed = self._vision_foundry.linear("", lambda: (weight.flatten(1), bias))
        for path, module in list(visual.named_modules()):
            if isinstance(module, nn.Linear):
                parent, _, child = path.rpartition(".")
                at = f"{root}.{path}"
                made = self._vision_foundry.linear(at, lambda at=at: self._read([at]))  # type: ignore[misc]
                setattr(visual.get_submodule(parent), child, made)
        for name, left in list(visual.named_parameters()):
            if left.is_meta:
                parent, _, child = name.rpartition(".")
                value = nn.Parameter(self._tensor(f"{root}.{name}"), requires_grad=False)
                setattr(visual.get_submodule(parent), child, value)

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


def _rotation(cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """(1, rows, dim) each -> (rows, 1, dim), the sine's first half negated: rotating is one roll, two products."""
    half = sin.shape[-1] // 2
    sin = torch.cat([-sin[..., :half], sin[..., half:]], -1)
    return cos[0, :, None], sin[0, :, None]


def _end_tokens(checkpoint: Checkpoint) -> frozenset[int]:
    ends = checkpoint.read_json("generation_config.json").get("eos_token_id", [])
    tokens = {ends} if isinstance(ends, int) else set(ends)
    added = json.loads((checkpoint.folder / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    return frozenset(tokens | {t["id"] for t in added if t["content"] in ("<|im_end|>", "<|endoftext|>")})

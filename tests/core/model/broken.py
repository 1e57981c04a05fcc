"""Make checkpoints that are foreign or broken, each in one way. `python -m tests.core.model.broken FOLDER` writes all.

Each is a copy of the tests' tiny model with one change, and has the words that its refusal must contain.
"""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.core.engine.tiny import make_model

WEIGHTS = "model.safetensors"
UP = "model.language_model.layers.1.mlp.up_proj.weight"
NORM = "model.visual.merger.norm.bias"
Edit = Callable[[Path], None]


@dataclass(frozen=True)
class Broken:
    """A broken checkpoint. `words` name the file, the tensor or setting, and what is wrong with it."""

    edit: Edit
    words: tuple[str, ...]


def config(**changes: Any) -> Edit:
    def edit(folder: Path) -> None:
        change_json(folder / "config.json", lambda content: content.update(changes))

    return edit


def part(name: str, **changes: Any) -> Edit:
    def edit(folder: Path) -> None:
        change_json(folder / "config.json", lambda content: content[name].update(changes))

    return edit


def tensors(change: Callable[[dict[str, Tensor]], object]) -> Edit:
    def edit(folder: Path) -> None:
        content = load_file(folder / WEIGHTS)
        change(content)
        save_file(content, folder / WEIGHTS, {"format": "pt"})

    return edit


def as_type(dtype: torch.dtype) -> Edit:
    return tensors(lambda content: content.update({UP: content[UP].to(dtype)}))


def packed(content: dict[str, Tensor]) -> None:
    """Return a layer as GPTQ and AWQ store it."""
    weight = content.pop(UP)
    name = UP.removesuffix("weight")
    content[f"{name}qweight"] = torch.zeros(weight.shape[0] // 8, weight.shape[1], dtype=torch.int32)
    content[f"{name}scales"] = torch.ones(weight.shape[1], dtype=torch.float16)


def file(name: str, content: str) -> Edit:
    def edit(folder: Path) -> None:
        (folder / name).write_text(content, "utf-8")

    return edit


def both(*edits: Edit) -> Edit:
    def edit(folder: Path) -> None:
        for each in edits:
            each(folder)

    return edit


def change_json(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def without_special(folder: Path) -> None:
    change_json(
        folder / "tokenizer.json",
        lambda content: content.update(
            added_tokens=[t for t in content["added_tokens"] if "vision" not in t["content"]]
        ),
    )


def with_one_more_token(folder: Path) -> None:
    def add(content: Any) -> None:
        new = content["added_tokens"][-1] | {"id": 1944, "content": "<|more|>"}
        content["added_tokens"].append(new)

    change_json(folder / "tokenizer.json", add)


def with_another_image_token(folder: Path) -> None:
    change_json(folder / "config.json", lambda content: content.update(image_token_id=content["image_token_id"] - 1))


def losing_text(folder: Path) -> None:
    change_json(folder / "tokenizer.json", lambda content: content.update(normalizer={"type": "Lowercase"}))


def thinking(folder: Path) -> None:
    template = (folder / "chat_template.jinja").read_text("utf-8")
    template = template.replace(
        "'<|im_start|>assistant\\n' }}\n{%- endif %}", "'<|im_start|>assistant\\n<think>\\n' }}\n{%- endif %}"
    )
    (folder / "chat_template.jinja").write_text(template, "utf-8")


def thinking_in_settings(folder: Path) -> None:
    thinking(folder)
    template = (folder / "chat_template.jinja").read_text("utf-8")
    (folder / "chat_template.jinja").unlink()
    change_json(folder / "tokenizer_config.json", lambda content: content.update(chat_template=template))


def doubled(folder: Path) -> None:
    save_file({NORM: load_file(folder / WEIGHTS)[NORM]}, folder / "other.safetensors", {"format": "pt"})


FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic"}
BROKEN = {
    "fp8 by its settings": Broken(config(quantization_config=FP8), ("config.json", "fp8")),
    "awq": Broken(config(quantization_config={"quant_method": "awq", "bits": 4}), ("config.json", "awq")),
    "gptq": Broken(config(quantization_config={"quant_method": "gptq", "bits": 4}), ("config.json", "gptq")),
    "quantized in a part": Broken(part("text_config", quantization_config=FP8), ("config.json", "fp8")),
    "compressed": Broken(config(compression_config={"format": "pack-quantized"}), ("config.json", "pack-quantized")),
    "fp8 by its tensors": Broken(as_type(torch.float8_e4m3fn), (WEIGHTS, UP, "F8_E4M3")),
    "packed weights without a word": Broken(tensors(packed), (WEIGHTS, UP, "missing")),
    "whole numbers": Broken(as_type(torch.int8), (WEIGHTS, UP, "I8")),
    "float64": Broken(as_type(torch.float64), (WEIGHTS, UP, "F64")),
    "a missing tensor": Broken(tensors(lambda content: content.pop(NORM)), (WEIGHTS, NORM, "missing")),
    "a missing layer": Broken(part("text_config", num_hidden_layers=5), (WEIGHTS, "layers.4.", "missing")),
    "a tensor left over": Broken(
        tensors(lambda content: content.update({"model.extra.weight": torch.ones(3)})),
        (WEIGHTS, "model.extra.weight", "left over"),
    ),
    "a layer left over": Broken(part("text_config", num_hidden_layers=3), (WEIGHTS, "layers.3.", "left over")),
    "a misshapen tensor": Broken(
        tensors(lambda content: content.update({UP: content[UP][:-1].clone()})), (WEIGHTS, UP, "[127, 64]", "[128, 64]")
    ),
    "a head that is nowhere": Broken(
        both(config(tie_word_embeddings=False), part("text_config", tie_word_embeddings=False)),
        (WEIGHTS, "lm_head.weight", "missing"),
    ),
    "a tensor in two files": Broken(doubled, ("other.safetensors", NORM, WEIGHTS)),
    "a mixture of experts": Broken(config(model_type="qwen3_vl_moe"), ("config.json", "MoE")),
    "experts under another name": Broken(part("text_config", num_experts=8), ("config.json", "MoE")),
    "a language model": Broken(file("config.json", '{"model_type": "llama"}'), ("config.json", "llama")),
    "an earlier Qwen": Broken(config(model_type="qwen2_5_vl"), ("config.json", "qwen2_5_vl")),
    "another task": Broken(config(architectures=["Qwen3VLForRanking"]), ("config.json", "architectures")),
    "another activation": Broken(part("text_config", hidden_act="relu"), ("config.json", "relu")),
    "another activation of patches": Broken(part("vision_config", hidden_act="relu"), ("config.json", "vision_config")),
    "heads of patches that do not fit": Broken(part("vision_config", num_heads=3), ("config.json", "num_heads")),
    "pictures without colours": Broken(part("vision_config", in_channels=1), ("config.json", "in_channels")),
    "a size in words": Broken(part("text_config", hidden_size="64"), ("config.json", "text_config.hidden_size")),
    "unknown positions": Broken(
        part("text_config", rope_parameters={"rope_type": "spiral", "mrope_section": [4, 2, 2]}),
        ("config.json", "spiral"),
    ),
    "numbers that do not fit": Broken(part("vision_config", out_hidden_size=32), ("config.json", "out_hidden_size")),
    "endless layers": Broken(part("text_config", num_hidden_layers=10**9), ("config.json", "1000000000")),
    "a tokenizer cut off": Broken(file("tokenizer.json", '{"version": "1.0", "mod'), ("tokenizer.json",)),
    "a tokenizer without pictures": Broken(without_special, ("tokenizer.json", "<|vision_start|>")),
    "a tokenizer that is too large": Broken(with_one_more_token, ("tokenizer.json", "1944")),
    "a tokenizer of another model": Broken(with_another_image_token, ("tokenizer.json", "<|image_pad|>")),
    "a tokenizer that loses text": Broken(losing_text, ("tokenizer.json", "text back")),
    "odd end tokens": Broken(file("generation_config.json", '{"eos_token_id": "end"}'), ("generation_config.json",)),
    "other patches": Broken(
        lambda folder: change_json(folder / "preprocessor_config.json", lambda content: content.update(patch_size=14)),
        ("preprocessor_config.json", "patch_size", "14"),
    ),
    "a size without edges": Broken(
        file("preprocessor_config.json", '{"size": {"height": 224, "width": 224}}'), ("preprocessor", "'height'")
    ),
    "a Thinking model": Broken(thinking, ("chat_template.jinja", "Thinking")),
    "a Thinking model's old settings": Broken(thinking_in_settings, ("tokenizer_config.json", "Thinking")),
}


def break_copy(whole: Path, folder: Path, name: str) -> Path:
    """Write one broken checkpoint."""
    shutil.copytree(whole, folder)
    BROKEN[name].edit(folder)
    return folder


if __name__ == "__main__":
    target = Path(sys.argv[1])
    tiny = make_model(target / "whole")
    for each in BROKEN:
        break_copy(tiny, target / each.replace(" ", "-"), each)

"""Writes the model's files into core/demo/: weights in half precision, configuration, tokenizer.

Run: python -m training.export [checkpoint ...]; of several checkpoints it writes the mean, which is better than each.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration

from training import checkpoint, model, tokenizer
from training.aids import PUBLISHED, Aids

PREPROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessorFast",
    "processor_class": "Qwen3VLProcessor",
    "size": {"longest_edge": model.MOST, "shortest_edge": model.LEAST},
    "patch_size": model.PATCH,
    "temporal_patch_size": 2,
    "merge_size": model.TOKEN // model.PATCH,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def export(names: Sequence[str] = ("answer",), directory: Path = tokenizer.DEMO) -> None:
    tokenizer.save(directory)
    tokens = tokenizer.load(directory)
    saved = [found for name in names if (found := checkpoint.Checkpoint.load(name))]
    network = model.build(tokens, seed=0, layers=layers(saved[0].model) if saved else model.READING)
    if saved:
        network.load_state_dict(mean([found.model for found in saved]))
        publish(mean([found.aids for found in saved]), PUBLISHED)
    publish_model(network, directory)


def publish_model(network: Qwen3VLForConditionalGeneration, directory: Path) -> None:
    network.config.architectures = ["Qwen3VLForConditionalGeneration"]
    network.config.dtype = torch.float16
    network.config.save_pretrained(directory)
    text = network.config.text_config
    generation = {
        "do_sample": False,
        "eos_token_id": [text.eos_token_id, text.pad_token_id],
        "pad_token_id": text.pad_token_id,
    }
    write(directory / "generation_config.json", generation)
    write(directory / "preprocessor_config.json", PREPROCESSOR)
    weights = {key: value for key, value in network.state_dict().items() if key != "lm_head.weight"}
    publish(weights, directory / "model.safetensors")
    count = sum(value.numel() for value in weights.values()) / 1e6
    size = (directory / "model.safetensors").stat().st_size / 1e6
    print(f"{count:.1f} million parameters, {size:.1f} MB")


def publish(weights: dict[str, Tensor], path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    halves = {key: value.half().contiguous() for key, value in weights.items()}
    save_file(halves, temporary, metadata={"format": "pt"})
    temporary.chmod(0o644)
    os.replace(temporary, path)


def begin(
    tokens: PreTrainedTokenizerBase, seed: int, saved: checkpoint.Checkpoint | None, from_demo: bool
) -> tuple[Qwen3VLForConditionalGeneration, Aids]:
    """Where a training goes on: at its checkpoint, or else at the published weights, or at nothing; as deep as that."""
    weights: dict[str, Tensor] = {}
    if saved:
        weights, aided = saved.model, saved.aids
    elif from_demo:
        weights, aided = load_file(tokenizer.DEMO / "model.safetensors"), load_file(PUBLISHED)
    network = model.build(tokens, seed, layers(weights) if weights else model.READING)
    aids = Aids(network.config.text_config.hidden_size)
    if weights:
        network.load_state_dict(floats(weights), strict=False)  # the published ones have a tied head
        aids.load_state_dict(floats(aided))
    return network, aids


def floats(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.float() for name, weight in weights.items()}


def layers(weights: dict[str, Tensor]) -> int:
    """Of the language model."""
    return 1 + max(int(name.split(".")[3]) for name in weights if name.startswith("model.language_model.layers."))


def mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {key: torch.stack([state[key] for state in states]).mean(0) for key in states[0]}


def write(path: Path, values: dict[str, object]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    export(sys.argv[1:] or ("answer",))

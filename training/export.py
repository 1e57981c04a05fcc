"""Save a trained model as a folder that the product loads: half-precision weights, configuration, tokenizer."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Qwen3VLForConditionalGeneration

from training import model, tokenizer

PREPROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessorFast",
    "processor_class": "Qwen3VLProcessor",
    "size": {"longest_edge": model.MAX_PIXELS, "shortest_edge": model.MIN_PIXELS},
    "patch_size": model.PATCH,
    "temporal_patch_size": 2,
    "merge_size": 1,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def save_model(network: Qwen3VLForConditionalGeneration, folder: Path) -> None:
    tokenizer.save(folder)
    shutil.copy(tokenizer.DEMO / "chat_template.jinja", folder)
    network.config.architectures = ["Qwen3VLForConditionalGeneration"]
    network.config.dtype = torch.float16
    network.config.save_pretrained(folder)
    text = network.config.text_config
    stops = [text.eos_token_id, text.pad_token_id]
    generation = {"do_sample": False, "eos_token_id": stops, "pad_token_id": text.pad_token_id}
    for name, values in (("generation_config.json", generation), ("preprocessor_config.json", PREPROCESSOR)):
        (folder / name).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    # The output layer is the token embeddings.
    weights = {key: w.half().cpu().contiguous() for key, w in network.state_dict().items() if key != "lm_head.weight"}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

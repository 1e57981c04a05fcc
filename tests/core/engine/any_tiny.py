"""Another architecture than ours, with random weights: a Qwen2.5-VL of a few hundred kilobytes."""

from pathlib import Path

import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from core.engine.tokenizer import Tokenizer
from core.model.description import DEMO
from tests.core.engine.tiny import save, special_tokens


def make_other(folder: Path, seed: int = 0) -> Path:
    tokenizer = Tokenizer(DEMO)
    text = {
        "vocab_size": 1944, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "tie_word_embeddings": True, "initializer_range": 0.2,
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000},
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "patch_size": 14,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 64, "window_size": 56,
        "fullatt_block_indexes": [1],
    }  # fmt: skip
    torch.manual_seed(seed)
    config = Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **special_tokens(tokenizer)
    )
    pictures = {
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2,
        "min_pixels": 3136, "max_pixels": 200704,
    }  # fmt: skip
    return save(Qwen2_5_VLForConditionalGeneration(config), tokenizer, folder, pictures)

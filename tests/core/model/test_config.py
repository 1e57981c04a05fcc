"""What is read of config.json is what transformers reads, for each tensor and each number that is computed with."""

from typing import Any

import pytest
import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextRotaryEmbedding

from core.model.checkpoint import Checkpoint
from core.model.config import ModelConfig
from core.model.description import DEMO
from core.model.rotary import TextRotary

SMALL = {"num_hidden_layers": 2, "vocab_size": 300}
FEW_BLOCKS = {"depth": 3, "deepstack_visual_indexes": [0, 2], "out_hidden_size": 4096}
MROPE = {"mrope_section": [24, 20, 20], "mrope_interleaved": True}
CONFIGS: dict[str, dict[str, Any]] = {
    "by default": {"text_config": {}, "vision_config": {}},
    "with biases": {"text_config": SMALL | {"attention_bias": True}, "vision_config": FEW_BLOCKS},
    "as published": {  # with the settings of rotary embeddings where they were in 2025
        "text_config": SMALL | {"rope_theta": 5000000, "rope_scaling": MROPE | {"rope_type": "default"}},
        "vision_config": FEW_BLOCKS | {"spatial_merge_size": 1, "in_channels": 1},
        "tie_word_embeddings": True,
    },
    "the demo": Checkpoint(DEMO).read_json("config.json"),
}
LONGER = MROPE | {"rope_theta": 5000000.0, "factor": 3.0, "original_max_position_embeddings": 1000}
ROPES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "as published": {"rope_theta": 5000000, "rope_scaling": MROPE | {"rope_type": "default"}},
    "other sections": {"head_dim": 32, "rope_parameters": {"mrope_section": [6, 6, 4], "rope_theta": 99.0}},
    "longer by YaRN": {"rope_parameters": LONGER | {"rope_type": "yarn"}},
    "longer by the line": {"rope_parameters": MROPE | {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000000.0}},
}


@pytest.mark.parametrize("settings", CONFIGS.values(), ids=CONFIGS)
def test_the_tensors_are_those_of_transformers(settings: dict[str, Any]) -> None:
    ours, theirs = ModelConfig.model_validate(settings), Qwen3VLConfig(**settings)
    with torch.device("meta"):
        model = Qwen3VLForConditionalGeneration(theirs)
    assert ours.shapes() == {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert ours.parameters() == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("settings", CONFIGS.values(), ids=CONFIGS)
def test_the_numbers_are_those_of_transformers(settings: dict[str, Any]) -> None:
    ours, theirs = ModelConfig.model_validate(settings), Qwen3VLConfig(**settings)
    assert ours.image_token_id == theirs.image_token_id
    for part, other in ((ours.text_config, theirs.text_config), (ours.vision_config, theirs.vision_config)):
        for name, value in part.model_dump(exclude={"rope_parameters", "tie_word_embeddings"}).items():
            expected = getattr(other, name)
            assert value == (tuple(expected) if isinstance(expected, list) else expected), name
        assert part.rope_parameters.rope_theta == other.rope_parameters["rope_theta"]


@pytest.mark.parametrize("settings", ROPES.values(), ids=ROPES)
def test_positions_turn_as_in_transformers(settings: dict[str, Any]) -> None:
    config = ModelConfig.model_validate({"text_config": settings, "vision_config": {}}).text_config
    theirs = Qwen3VLTextRotaryEmbedding(Qwen3VLConfig(text_config=settings).text_config)
    positions = torch.arange(30).view(3, 10) * 7
    cos, sin = theirs(torch.zeros(1), positions[:, None])
    half = config.head_dim // 2
    ours = TextRotary(config)(positions)
    assert torch.equal(ours.cos, cos[0][:, None])
    assert torch.equal(ours.sin[..., half:], sin[0][:, None, half:])
    assert torch.equal(ours.sin[..., :half], -sin[0][:, None, :half])

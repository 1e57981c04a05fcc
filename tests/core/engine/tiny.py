"""Make a Qwen3-VL that computes in milliseconds, with random weights and the demo model's tokenizer."""

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as Pillow
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from core.answer import Answer
from core.conversation import Conversation, Question
from core.engine.engine import Engine
from core.engine.tokenizer import Tokenizer
from core.events import Event, Piece
from core.image import Image
from core.model.description import DEMO
from core.sampling import Sampling


def make_model(folder: Path, seed: int = 0, merge: int = 2) -> Path:
    """Write the checkpoint. Its initial weights are wide, so that different inputs get clearly different answers."""
    tokenizer = Tokenizer(DEMO)
    text = {
        "vocab_size": 1944, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 8192, "tie_word_embeddings": True, "initializer_range": 0.2,
        "rope_parameters": {
            "rope_type": "default", "mrope_section": [4, 2, 2], "mrope_interleaved": True, "rope_theta": 10000,
        },
    }  # fmt: skip
    vision = {
        "depth": 4, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "patch_size": 16,
        "spatial_merge_size": merge, "temporal_patch_size": 2, "out_hidden_size": 64, "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 2], "initializer_range": 0.2,
    }  # fmt: skip
    torch.manual_seed(seed)
    config = Qwen3VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **special_tokens(tokenizer)
    )
    pictures = {"size": {"shortest_edge": 4096, "longest_edge": 262144}, "merge_size": merge}
    return save(Qwen3VLForConditionalGeneration(config), tokenizer, folder, pictures)


def special_tokens(tokenizer: Tokenizer) -> dict[str, int]:
    """Return the tokens for pictures, by their names in the settings of Qwen's models."""
    names = {"image_token_id": "image_pad", "video_token_id": "video_pad"}
    names |= {"vision_start_token_id": "vision_start", "vision_end_token_id": "vision_end"}
    return {key: tokenizer.special(f"<|{name}|>") for key, name in names.items()}


def save(model: Any, tokenizer: Tokenizer, folder: Path, pictures: dict[str, Any]) -> Path:
    """Write a checkpoint with the demo's tokenizer; `pictures` are the settings of its picture processor."""
    model.generation_config.eos_token_id = tokenizer.special("<|im_end|>")
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(DEMO / name, folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    return folder


def make_image(seed: int, width: int = 128, height: int = 96) -> Image:
    return picture(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8))


def picture(pixels: npt.NDArray[np.uint8]) -> Image:
    """Make a picture from (height, width, 3)."""
    height, width, _ = pixels.shape
    data = io.BytesIO()
    Pillow.fromarray(pixels).save(data, "PNG")
    digest = hashlib.sha256(f"{width}x{height}".encode() + pixels.tobytes()).hexdigest()
    return Image(digest, data.getvalue(), width, height, (width, height))


def ask(text: str, *images: Image, after: Conversation | None = None, answer: Answer | None = None) -> Conversation:
    """Return a conversation whose last turn is open. `answer` closes the turn of `after`."""
    conversation = after or Conversation("test:1")
    if answer is not None:
        conversation = conversation.answered(answer)
    return conversation.ask(Question(text, images))


async def read(engine: Engine, conversation: Conversation, sampling: Sampling) -> tuple[Answer, list[Event]]:
    """Return the answer and all events before it."""
    events: list[Event] = []
    answer = await engine.answer(conversation, sampling, events.append)
    assert answer.text == "".join(event.text for event in events if isinstance(event, Piece))
    return answer, events

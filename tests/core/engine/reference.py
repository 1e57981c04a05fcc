"""Compute the same answers with transformers alone: its processor's arithmetic, its chat template, its `generate`."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from core.conversation import Conversation, labelled
from core.model.checkpoint import Checkpoint
from core.model.patches import QWEN3_VL


class Reference:
    def __init__(self, folder: Path) -> None:
        settings = QWEN3_VL | Checkpoint(folder).read_json("preprocessor_config.json")
        self.processor = Qwen2VLImageProcessorPil(**settings)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()

    def inputs(self, conversation: Conversation) -> dict[str, torch.Tensor]:
        """Return the model's inputs.

        Pictures must be numbered in the order of appearance, as the template counts them.
        """
        messages: list[dict[str, Any]] = []
        if conversation.system:
            messages.append({"role": "system", "content": conversation.system})
        pictures: list[Any] = []
        labels: list[str] = []
        for turn in conversation.turns:
            shown = list(labelled(turn.pictures))
            content = [{"type": "image"} for _ in shown]
            labels += [label for label, _ in shown]
            pictures += [
                np.asarray(Pillow.open(io.BytesIO(view.data)).crop(*view.tiles).convert("RGB")) for _, view in shown
            ]
            messages.append({"role": "user", "content": [*content, {"type": "text", "text": turn.text}]})
            if turn.answer:
                messages.append({"role": "assistant", "content": turn.answer.text})
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, add_vision_id=True
        )
        for number, label in enumerate(labels, 1):  # the template knows no tiles
            text = text.replace(f"Picture {number}: <|vision_start|>", f"{label}<|vision_start|>")
        inputs = {}
        if pictures:
            processed = self.processor(images=pictures, return_tensors="pt", input_data_format="channels_last")
            inputs = {"pixel_values": processed["pixel_values"], "image_grid_thw": processed["image_grid_thw"]}
            parts = text.split("<|image_pad|>")
            tokens = (inputs["image_grid_thw"].prod(-1) // self.processor.merge_size**2).tolist()
            text = parts[0] + "".join("<|image_pad|>" * n + part for n, part in zip(tokens, parts[1:], strict=True))
        ids = torch.tensor([self.tokenizer(text)["input_ids"]])
        pad = self.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        return inputs | {"input_ids": ids, "mm_token_type_ids": (ids == pad).int()}

    @torch.no_grad()
    def generate(self, conversation: Conversation, tokens: int) -> str:
        inputs = self.inputs(conversation)
        self.model.model.rope_deltas = None
        out = self.model.generate(
            **inputs, attention_mask=torch.ones_like(inputs["input_ids"]), do_sample=False, max_new_tokens=tokens
        )
        return str(self.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))

    @torch.no_grad()
    def logits(self, conversation: Conversation) -> torch.Tensor:
        """Return the logits (vocabulary,) of the answer's first token."""
        self.model.model.rope_deltas = None
        logits: torch.Tensor = self.model(**self.inputs(conversation)).logits[0, -1]
        return logits

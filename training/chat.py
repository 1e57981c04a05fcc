"""Ask a model about many conversations at once, greedily, with transformers' own `generate`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil


@dataclass(slots=True)
class Chat:
    """A conversation so far, in the form that chat templates take."""

    messages: list[dict[str, object]] = field(default_factory=list)
    images: list[Image.Image] = field(default_factory=list)

    def ask(self, question: str, images: Sequence[Image.Image] = ()) -> None:
        content = [{"type": "image"} for _ in images]
        self.images += images
        self.messages.append({"role": "user", "content": [*content, {"type": "text", "text": question}]})

    def answered(self, answer: str) -> None:
        self.messages.append({"role": "assistant", "content": answer})


class ChatModel:
    def __init__(self, directory: Path) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(directory, padding_side="left")
        self.processor = Qwen2VLImageProcessorPil.from_pretrained(directory)
        model = Qwen3VLForConditionalGeneration.from_pretrained(directory, dtype=torch.float32)
        self.model = model.to(self.device).eval()

    def answers(self, chats: Sequence[Chat], at_once: int = 16, new_tokens: int = 360) -> list[str]:
        """Return an answer to the last question of each chat."""
        # Conversations of about one length together waste least on padding.
        order = sorted(range(len(chats)), key=lambda i: sum(im.width * im.height for im in chats[i].images))
        found = [""] * len(chats)
        for start in range(0, len(order), at_once):
            chosen = order[start : start + at_once]
            for index, text in zip(chosen, self.generate([chats[i] for i in chosen], new_tokens), strict=True):
                found[index] = text
        return found

    @torch.no_grad()
    def generate(self, chats: Sequence[Chat], new_tokens: int) -> list[str]:
        images = [image for chat in chats for image in chat.images]
        pictures = self.processor(images, return_tensors="pt")
        merged = self.processor.merge_size**2  # patches to a token
        grids = iter(pictures["image_grid_thw"].tolist())
        prompts = []
        for chat in chats:
            text = self.tokenizer.apply_chat_template(
                chat.messages, tokenize=False, add_generation_prompt=True, add_vision_id=True
            )
            head, *rest = text.split("<|image_pad|>")
            for part in rest:
                _, rows, columns = next(grids)
                head += "<|image_pad|>" * (rows * columns // merged) + part
            prompts.append(head)
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        ids = inputs["input_ids"]
        output = self.model.generate(
            input_ids=ids.to(self.device),
            attention_mask=inputs["attention_mask"].to(self.device),
            pixel_values=pictures["pixel_values"].to(self.device),
            image_grid_thw=pictures["image_grid_thw"].to(self.device),
            mm_token_type_ids=(ids == self.model.config.image_token_id).int().to(self.device),
            max_new_tokens=new_tokens,
            do_sample=False,
        )
        texts: list[str] = self.tokenizer.batch_decode(output[:, ids.shape[1] :], skip_special_tokens=True)
        return texts

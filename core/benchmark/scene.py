"""Make the work: new pictures that no cache knows, questions, and follow-ups."""

import io

import numpy as np
from PIL import Image as Pillow

from core.answer import Answer, Ending
from core.conversation import Conversation, Question
from core.image import Image

FIRST = "What does this picture show, and what is the total amount written on it? Please answer briefly."
THEN = "And what is the second largest number in it?"


def start_conversation(name: str, image: Image) -> Conversation:
    return Conversation(name).ask(Question(FIRST, (image,)))


def go_on(conversation: Conversation, text: str) -> Conversation:
    """Return the conversation with `text` as the answer of its open turn."""
    return conversation.answered(Answer(text, Ending.DONE)).ask(Question(THEN))


def make_picture(seed: int, given: bytes | None = None) -> Image:
    """Return a 640x480 picture, or `given` with one pixel changed. So no round finds its features in a cache."""
    random = np.random.default_rng(seed)
    if given:
        pixels = np.array(Pillow.open(io.BytesIO(given)).convert("RGB"))
        pixels[0, 0] = random.integers(0, 255, 3)
    else:
        pixels = random.integers(0, 255, (480, 640, 3), np.uint8)
    data = io.BytesIO()
    Pillow.fromarray(pixels).save(data, "PNG")
    height, width = pixels.shape[:2]
    return Image(f"bench-{seed}", data.getvalue(), width, height, (width, height))

"""What is asked: made-up pictures that nobody has seen, questions, and how a conversation goes on."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image as Pillow

from core.conversation import Answer, Conversation, Ending, Image, Question

FIRST = "What does this picture show, and what is the total amount written on it? Please answer briefly."
THEN = "And what is the second largest number in it?"


def begin(name: str, image: Image) -> Conversation:
    return Conversation(name).ask(Question(FIRST, (image,)))


def go_on(conversation: Conversation, text: str) -> Conversation:
    """`text` answers the open turn."""
    turn = replace(conversation.turns[-1], answer=Answer(text, Ending.DONE))
    return replace(conversation, turns=(*conversation.turns[:-1], turn)).ask(Question(THEN))


def make_picture(seed: int, given: bytes | None = None) -> Image:
    """640x480, or `given` with one new pixel, or else its features would be known after the first round."""
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

"""Compare two precisions' answers on the user's own pictures."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from core.conversation import Conversation, Question
from core.engine.prompt import Prompt, Prompter
from core.engine.tokenizer import Tokenizer
from core.image import Image
from core.model.checkpoint import Checkpoint
from core.model.model import ForwardInput, Model
from core.model.precision import Precision


@dataclass(frozen=True, slots=True)
class Difference:
    """Means over an answer's tokens: KL(reference || other) in nats, and how often both prefer the same token.

    `largest` is the largest difference of two logits.
    """

    kl: float
    same_top: float
    same_answer: bool
    largest: float


def compare_pictures(
    name: str,
    pictures: Iterable[Path],
    precisions: tuple[Precision, Precision],
    question: str,
    tokens: int,
    cache: Path,
) -> list[Difference]:
    """Write greedy answers with the first precision, and follow them with the second.

    Only one model is in memory at a time.
    """
    checkpoint = Checkpoint.find(name)
    images = [_image(path) for path in pictures]
    reference = Model(checkpoint, precisions[0], cache)
    prompter = Prompter(Tokenizer(checkpoint.folder), reference.vision.grid, 1 << 20)
    prompts = [prompter.write(Conversation("compare").ask(Question(question, (image,))), tokens) for image in images]
    expected = [follow(reference, prompt, None, tokens) for prompt in prompts]
    del reference
    other = Model(checkpoint, precisions[1], cache)
    found = [
        follow(other, prompt, logits.argmax(-1).tolist(), tokens)
        for prompt, logits in zip(prompts, expected, strict=True)
    ]
    return [differ(a, b) for a, b in zip(expected, found, strict=True)]


def follow(model: Model, prompt: Prompt, answer: list[int] | None, tokens: int) -> Tensor:
    """Return the logits (tokens, vocabulary) along `answer`, or along the model's own greedy answer."""
    kv = model.make_kv(len(prompt.ids) + tokens)
    features = [(span.start, _look(model, span.image)) for span in prompt.spans]
    passed = ForwardInput(kv, prompt.ids, prompt.positions, features, True)
    rows: list[Tensor] = []
    while True:
        rows += [logits for logits in model.forward([passed]) if logits is not None]
        if len(rows) == (tokens if answer is None else len(answer)):
            break
        token = int(rows[-1].argmax()) if answer is None else answer[len(rows) - 1]
        if answer is None and token in model.eos_token_ids:
            break
        position = np.full((3, 1), prompt.next_position + len(rows) - 1)
        passed = ForwardInput(kv, np.array([token]), position, [], True)
    return torch.stack(rows)


def differ(expected: Tensor, found: Tensor) -> Difference:
    a, b = expected.double().log_softmax(-1), found.double().log_softmax(-1)
    same = expected.argmax(-1) == found.argmax(-1)
    kl = (a.exp() * (a - b)).sum(-1).mean()
    largest = (expected - found).abs().max()
    return Difference(float(kl), float(same.float().mean()), bool(same.all()), float(largest))


def _look(model: Model, image: Image) -> Tensor:
    work = model.vision.encode(image.data)
    with torch.inference_mode():
        while True:
            try:
                next(work)
            except StopIteration as done:
                features: Tensor = done.value
                return features.to(model.dtype)


def _image(path: Path) -> Image:
    with Pillow.open(path) as picture:
        size = picture.size
    data = path.read_bytes()
    return Image(hashlib.sha256(data).hexdigest(), data, *size, size)

"""An engine elsewhere that costs next to nothing: it knows the demo model's pictures, and what is asked about them."""

import asyncio
import base64
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.pictures.images import make_image
from core.pictures.views import view_png
from tests.chaos.people import SAMPLES, samples
from tests.core.remote.fake_engine import FakeEngine, Reply

WORD_S = (0.0, 0.3)  # before each word, so that a kill may come within an answer
OTHERWISE = "There is more than one thing to see in this picture."  # to what the samples do not ask
DATA = "data:image/png;base64,"


def sample_engine(model: str, dice: random.Random) -> FakeEngine:
    """Return an engine that answers what a sample picture of the demo model is asked, word by word."""
    names: dict[str, str] = {}  # of the pictures, by what is sent of them

    async def answer(reply: Reply) -> None:
        engine.asked.clear()  # the pictures of a whole storm are too many to keep
        names.update(names or await _names())
        body = await reply.request.json()
        for index, word in enumerate(_answer(body["messages"], names).split(" ")):
            await asyncio.sleep(dice.uniform(*WORD_S))
            await reply.delta(f" {word}" if index else word)
        await reply.finish()
        await reply.usage(100, 7, 40)
        await reply.done()

    engine = FakeEngine(usual=answer, listed={"object": "list", "data": [{"id": model, "object": "model"}]})
    return engine


async def _names() -> dict[str, str]:
    images = {name: await make_image((SAMPLES / name).read_bytes()) for name in samples()}
    return {base64.b64encode(view_png(view)).decode(): name for name, image in images.items() for view in image.views}


def _answer(messages: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> str:
    """Return what the first picture that this is asked about says to it."""
    question = list(_parts(messages[-1:], "text"))[-1]
    for part in _parts(messages, "image_url"):
        for asked, answer in samples().get(names.get(part["url"].removeprefix(DATA), ""), ()):
            if asked == question:
                return answer
    return OTHERWISE


def _parts(messages: Sequence[Mapping[str, Any]], kind: str) -> Iterator[Any]:
    for message in messages:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == kind:
                yield part[kind]

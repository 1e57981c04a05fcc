"""Make pictures and turns for the tests of the store."""

import hashlib
from dataclasses import replace

from core.answer import Answer, Ending, Figures
from core.conversation import Conversation, Question, Turn
from core.image import Image
from storage.store import Store


def image(name: str, original: bytes | None = None) -> Image:
    data = b"png of " + name.encode()
    return Image(hashlib.sha256(data).hexdigest(), data, 64, 32, (640, 320), original)


async def ask(store: Store, conversation_id: str, text: str, *images: Image, key: str, answer: str = "yes") -> Turn:
    """Do what the assistant does: load, ask, save."""
    asked = (await store.load(conversation_id)).ask(Question(text, images))
    return await answer_turn(store, asked, key, answer)


async def answer_turn(store: Store, asked: Conversation, key: str, answer: str = "yes") -> Turn:
    figures = Figures(queue_s=0.5, prompt_tokens=340, answer_tokens=7)
    turn = replace(asked.turns[-1], answer=Answer(answer, Ending.DONE, figures))
    await store.save(asked.id, turn, key)
    return turn


def outlined(turn: Turn) -> Turn:
    """Without its images' data."""
    images = [replace(picture.image, data=b"", original=None) for picture in turn.pictures]
    pictures = [replace(picture, image=image) for picture, image in zip(turn.pictures, images, strict=True)]
    return replace(turn, pictures=tuple(pictures))


def numbers(turn: Turn) -> list[int]:
    return [picture.number for picture in turn.pictures]

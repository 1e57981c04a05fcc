"""Ask this project's own engine about many conversations at once, as `ChatModel` asks transformers."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from core.answer import Answer, Ending
from core.conversation import Conversation, Question
from core.engine import EngineConfig
from core.engine.engine import Engine
from core.image import Image
from core.model.precision import Precision
from core.pictures.images import make_image
from core.sampling import Sampling
from training.chat import Chat

AT_ONCE = 8


class EngineModel:
    def __init__(self, directory: Path, precision: Precision) -> None:
        self._config = EngineConfig(model=str(directory), precision=precision, cache_limit_gb=0)

    def answers(self, chats: Sequence[Chat]) -> list[str]:
        """Return an answer to the last question of each chat."""
        return asyncio.run(self._answers(chats))

    async def _answers(self, chats: Sequence[Chat]) -> list[str]:
        engine = await Engine.start(self._config)
        room = asyncio.Semaphore(AT_ONCE)

        async def answer(number: int, chat: Chat) -> str:
            async with room:
                conversation = await conversation_of(str(number), chat)
                return (await engine.answer(conversation, Sampling(), lambda event: None)).text

        try:
            return await asyncio.gather(*[answer(number, chat) for number, chat in enumerate(chats)])
        finally:
            await engine.close()


async def conversation_of(name: str, chat: Chat) -> Conversation:
    """Return a chat as the engine takes it."""
    conversation, pictures = Conversation(name), iter(chat.images)
    for message in chat.messages:
        content: Any = message["content"]
        if message["role"] == "assistant":
            conversation = conversation.answered(Answer(content, Ending.DONE))
            continue
        images = [await _opened(next(pictures)) for part in content if part["type"] == "image"]
        conversation = conversation.ask(Question(content[-1]["text"], tuple(images)))
    return conversation


async def _opened(picture: Pillow.Image) -> Image:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return await make_image(data.getvalue())

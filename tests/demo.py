"""Ask the demo model directly. Every platform must show its answers word for word; `make demo-eval` rates them."""

import io
import re
from pathlib import Path

from PIL import Image as PilImage

from core.assistant import Engine
from core.conversation import Conversation, Picture, Question
from core.image import Image
from core.pictures.images import ImagesConfig, make_image
from core.sampling import Sampling

SAMPLES = Path(__file__).parents[1] / "core" / "demo" / "samples"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.png").read_bytes()


def as_photo(name: str) -> bytes:
    """Compress a picture once more, as chat apps do."""
    data = io.BytesIO()
    PilImage.open(SAMPLES / f"{name}.png").convert("RGB").save(data, "JPEG", quality=87)
    return data.getvalue()


async def directly(engine: Engine, *turns: tuple[str, tuple[bytes | Image | Picture, ...]]) -> list[str]:
    """Return the answers to one conversation's questions.

    Each comes with its pictures: those that are sent with it, and those that are enlarged.
    """
    conversation, answers = Conversation("test:direct"), []
    for text, pictures in turns:
        small_print = tuple(picture for picture in pictures if isinstance(picture, Picture))
        files = [data for data in pictures if not isinstance(data, Picture)]
        images = tuple([data if isinstance(data, Image) else await make_image(data, ImagesConfig()) for data in files])
        conversation = conversation.ask(Question(text, images, small_print=small_print))
        answer = await engine.answer(conversation, Sampling(), lambda event: None)
        answers.append(answer.text)
        conversation = conversation.answered(answer)
    return answers


def shows(message: str, answer: str) -> bool:
    """Return whether a platform's message has the answer's words, apart from formatting and the line below."""
    return bool(_words(answer)) and _words(answer) in _words(message)


def _words(text: str) -> str:
    return re.sub(r"\W+", "", text)

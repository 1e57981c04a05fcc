"""Check one engine for the doctor: whether it is there, has the model, and really sees pictures."""

import hashlib
import io
import re
import secrets
from collections.abc import AsyncIterator

from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from core.conversation import Conversation, Question
from core.engine.config import EngineConfig
from core.errors import BotError
from core.image import Image
from core.pictures import fonts
from core.remote.endpoint import Endpoint
from core.remote.failure import Failure, FailureKind
from core.remote.request import RemoteRequest
from core.remote.stream import StreamedAnswer
from core.sampling import Sampling

READ_NUMBER = "Extract all text"
DIGITS = 4
WIDTH, HEIGHT, FONT_SIZE = 448, 256, 32  # the demo model reads no larger print
ANSWER_TOKENS = 64
SHOWN_CHARACTERS = 60  # of a wrong answer
BLIND = (
    "it does not see pictures: shown the number {number}, it said {said!r}. Serve a model for pictures; llama-server "
    "also needs its --mmproj file"
)


async def examine(url: str, config: EngineConfig) -> AsyncIterator[tuple[bool, str]]:
    """Yield whether something is right, and a sentence about it. Ends at the first thing that is wrong."""
    endpoint = Endpoint(url, config)
    try:
        await endpoint.probe()
        assert endpoint.model
        yield True, f"has the model {endpoint.model.name}"
        yield True, _context(endpoint, config)
        number = str(secrets.randbelow(9 * 10 ** (DIGITS - 1)) + 10 ** (DIGITS - 1))
        said = await _read(endpoint, number)
        if number in re.sub(r"(?<=\d)[ ,.](?=\d)", "", said):
            yield True, f"sees pictures: it read the number {number}"
        else:
            yield False, BLIND.format(number=number, said=said[:SHOWN_CHARACTERS])
    except Failure as failure:
        needs = "; does it have a model for pictures?" if failure.kind is FailureKind.QUESTION else ""
        yield False, f"{failure.reason}{needs}"
    except BotError as error:
        yield False, str(error)
    finally:
        await endpoint.close()


def draw(number: str) -> Image:
    """Return a picture of a number."""
    canvas = PilImage.new("RGB", (WIDTH, HEIGHT), "white")
    font = ImageFont.truetype(fonts.PATH, FONT_SIZE)
    ImageDraw.Draw(canvas).text((WIDTH / 2, HEIGHT / 2), f"Number {number}", "black", font, "mm")
    data = io.BytesIO()
    canvas.save(data, "PNG")
    return Image(hashlib.sha256(data.getvalue()).hexdigest(), data.getvalue(), WIDTH, HEIGHT, (WIDTH, HEIGHT))


async def _read(endpoint: Endpoint, number: str) -> str:
    conversation = Conversation("doctor", stored=False).ask(Question(READ_NUMBER, (draw(number),)))
    written = StreamedAnswer(lambda text: None, ANSWER_TOKENS)
    await endpoint.write(RemoteRequest(conversation, Sampling(temperature=0, max_new_tokens=ANSWER_TOKENS), 1), written)
    return written.text


def _context(endpoint: Endpoint, config: EngineConfig) -> str:
    tokens = f"takes conversations of {endpoint.context_tokens} tokens"
    if "context_tokens" in config.model_fields_set:
        said = endpoint.model.context_tokens if endpoint.model else None
        more = f", although it says {said}: lower it" if said and said < config.context_tokens else ""
        return f"{tokens}, as context_tokens in [core.engine] says{more}"
    if endpoint.model and endpoint.model.context_tokens:
        return f"{tokens}, as it says itself"
    return f"{tokens}, perhaps: it does not say, so set context_tokens in [core.engine] to what it was started with"

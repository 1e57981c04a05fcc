"""Makes any picture safe: whatever bytes somebody sent become an upright RGB `Image` of bounded size, or one sentence.

The decoding itself is `core.pictures.decoder`, in a process that may be killed.
"""

from typing import IO, Any

from pydantic import BaseModel, Field

from core.conversation import Image
from core.errors import BadImage, TooLarge
from core.pictures import workers
from core.pictures.jpeg import takes_long
from core.pictures.note import Note
from core.pictures.spool import contents, size, spool

MIB = 1 << 20  # bytes
ORIGINAL_LIMIT = 8 * MIB  # a larger file is not kept for "Read the small print"
LOST_A_LOT = 2.0  # sent area : kept area, above which the sent file is kept


class Config(BaseModel, extra="forbid", frozen=True):
    """An image token is 32x32 pixels of what the model sees, so 1,000 tokens are about one megapixel."""

    image_tokens: int = Field(
        default=1000,
        ge=16,
        le=16_384,
        description="Pictures are shrunk to so many tokens of 32x32 pixels; more reads smaller print, but slower.",
    )
    byte_limit_mib: float = Field(default=32, gt=0, description="Larger files are refused, in MiB.")
    pixel_limit_mp: float = Field(
        default=100,
        gt=0,
        le=200,
        description="Pictures with more megapixels are refused; of JPEG, those with four times as many.",
    )
    page_limit: int = Field(default=4, ge=1, le=50, description="Most pages of one document in one question.")


async def make_image(data: bytes, config: Config = Config()) -> Image:
    """What is to be said of it is left out; else as `decode`."""
    image, _ = await decode(data, config)
    return image


async def decode(data: bytes, config: Config = Config()) -> tuple[Image, tuple[Note, ...]]:
    """The picture, and what a person should know of it.

    Raises `BadImage` or `TooLarge` with a sentence that says what is wrong and what would work. Decodes in a worker:
    beside the event loop, in at most `worker.MEMORY` bytes and `workers.SECONDS`.
    """
    check_size(len(data), config)
    with spool(data) as file:
        return await decode_file(file, takes_long(data), config)


async def decode_file(file: IO[bytes], slow: bool, config: Config) -> tuple[Image, tuple[Note, ...]]:
    """As `decode`, for a file whose size was checked; `slow` as in `workers.run`."""
    options = {"pixel_limit": int(config.pixel_limit_mp * 1e6), "image_tokens": config.image_tokens}
    [(made, png)] = await workers.run("core.pictures.decoder:picture", file, options, slow=slow)
    width, height, (sent_width, sent_height) = made["width"], made["height"], made["original_size"]
    lost_a_lot = sent_width * sent_height > LOST_A_LOT * width * height
    original = contents(file) if lost_a_lot and size(file) <= ORIGINAL_LIMIT else None
    return Image(made["id"], png, width, height, (sent_width, sent_height), original), read_notes(made)


def read_notes(made: dict[str, Any]) -> tuple[Note, ...]:
    """Of what a worker made."""
    return tuple(Note(sentence, **values) for sentence, values in made["notes"])


def check_size(size: int, config: Config) -> None:
    """For those who learn a file's size before they read it. Raises `TooLarge`, and `BadImage` for nothing at all."""
    if size == 0:
        raise BadImage("This file is empty. Please send the picture again.")
    if size > config.byte_limit_mib * MIB:
        raise TooLarge(
            "This file has {size} MB; at most {limit} MB work. Please send a smaller version of the picture.",
            size=f"{size / MIB:.1f}",
            limit=f"{config.byte_limit_mib:g}",
        )

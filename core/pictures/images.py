"""Make any picture safe: any bytes become an upright RGB `Image` of bounded size, or an error with one sentence.

Decoding happens in `core.pictures.decoder`, in a process that may be killed.
"""

import hashlib
from typing import IO, Any

from pydantic import BaseModel, Field, field_validator

from core.errors import BadImage, TooLarge
from core.image import MOST_TILES, Image, Tile
from core.note import Note
from core.pictures import workers
from core.pictures.jpeg import takes_long
from core.pictures.sizes import LEAST_TOKENS
from core.pictures.spool import contents, size, spool
from core.units import MEGABYTE

KEPT_ORIGINAL_BYTES = 8 * MEGABYTE  # a larger file is not kept for "Read the small print"
MOST_IMAGE_TOKENS = 16_384
KEPT_ORIGINAL_RATIO = 2.0  # the original is kept if its area is more than so many times the shrunk one


class ImagesConfig(BaseModel, extra="forbid", frozen=True):
    """Limits of pictures.

    An image token is 32x32 pixels of what the model sees; 1,000 tokens are about one megapixel.
    """

    image_tokens: int = Field(
        default=1000,
        le=MOST_IMAGE_TOKENS,
        description="Pictures are shrunk to so many tokens of 32x32 pixels, at least 64; more reads smaller print, but "
        "slower.",
    )
    tiles: int = Field(
        default=4,
        ge=1,
        le=MOST_TILES,
        description="Most parts that a tall or wide picture is cut into, each with so many tokens; 1: it is shrunk as "
        "a whole.",
    )
    file_limit_mb: float = Field(default=32, gt=0, description="Larger files are refused, in megabytes.")
    pixel_limit_mp: float = Field(
        default=100,
        gt=0,
        le=200,
        description="Pictures with more megapixels are refused; of JPEG, those with four times as many.",
    )
    page_limit: int = Field(default=4, ge=1, le=50, description="Most pages of one document in one question.")

    @property
    def budget(self) -> dict[str, int]:
        """The limits of one picture, as a worker takes them."""
        return {
            "pixel_limit": int(self.pixel_limit_mp * 1e6),
            "image_tokens": self.image_tokens,
            "tiles": self.tiles,
        }

    def sharpened(self, factor: int) -> "ImagesConfig":
        """Return the limits with so many times the tokens for each picture."""
        return self.model_copy(update={"image_tokens": min(MOST_IMAGE_TOKENS, factor * self.image_tokens)})

    @field_validator("image_tokens")
    @classmethod
    def _enough(cls, tokens: int) -> int:
        if tokens < LEAST_TOKENS:
            raise ValueError(
                f"{LEAST_TOKENS} is the smallest sensible value: the model looks at every picture with at least so many"
                " tokens, and with fewer it would be as slow and see less"
            )
        return tokens


async def make_image(data: bytes, config: ImagesConfig = ImagesConfig()) -> Image:
    """Decode a picture as `decode` does, without its notes."""
    image, _ = await decode(data, config)
    return image


async def decode(data: bytes, config: ImagesConfig = ImagesConfig()) -> tuple[Image, tuple[Note, ...]]:
    """Return the picture and what a person should know about it.

    Decodes in a worker, in at most `worker.ADDRESS_SPACE_BYTES` and `workers.JOB_SECONDS` of processor time. Raises
    `BadImage` or `TooLarge` with a sentence that says what is wrong and what would work.
    """
    check_size(len(data), config)
    with spool(data) as file:
        return await decode_file(file, takes_long(data), config)


async def decode_file(file: IO[bytes], slow: bool, config: ImagesConfig) -> tuple[Image, tuple[Note, ...]]:
    """Decode a file whose size was checked, as `decode` does; `slow` as in `workers.run`."""
    [(made, png)] = await workers.run("core.pictures.decoder:picture", file, config.budget, slow=slow)
    width, height, (sent_width, sent_height) = made["width"], made["height"], made["original_size"]
    lost_a_lot = sent_width * sent_height > KEPT_ORIGINAL_RATIO * width * height
    original = contents(file) if lost_a_lot and size(file) <= KEPT_ORIGINAL_BYTES else None
    identity = identify(made["id"], original)
    image = Image(identity, png, width, height, (sent_width, sent_height), original, read_tiles(made))
    return image, read_notes(made)


def identify(pixels_id: str, original: bytes | None) -> str:
    """Return a picture's id: of its pixels, and of its original if that is kept.

    A person who sends only the shrunk pixels must not get at the original that another person sent.
    """
    if original is None:
        return pixels_id
    return hashlib.sha256(pixels_id.encode() + hashlib.sha256(original).digest()).hexdigest()


def read_notes(made: dict[str, Any]) -> tuple[Note, ...]:
    """Return the notes that a worker made."""
    return tuple(Note(sentence, **values) for sentence, values in made["notes"])


def read_tiles(made: dict[str, Any]) -> tuple[Tile, ...]:
    """Return the tiles that a worker chose."""
    return tuple((left, top, right, bottom) for left, top, right, bottom in made["tiles"])


def check_size(size: int, config: ImagesConfig) -> None:
    """Check a file's size before it is read. Raises `TooLarge`, or `BadImage` for an empty file."""
    if size == 0:
        raise BadImage("This file is empty. Please send the picture again.")
    if size > config.file_limit_mb * MEGABYTE:
        raise TooLarge(
            "This file has {size} MB; at most {limit} MB work. Please send a smaller version of the picture.",
            size=f"{size / MEGABYTE:.1f}",
            limit=f"{config.file_limit_mb:g}",
        )

"""Parts of pictures, cut out at the full pixels of what was sent."""

import io
from dataclasses import replace

import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageStat

from core.image import Image
from core.pictures.images import ImagesConfig, make_image
from core.pictures.parts import cut
from core.regions import Region
from tests.core.files import encoded
from tests.core.prints import turned

SMALL = ImagesConfig(image_tokens=64)


def pattern(width: int = 800, height: int = 400) -> Pillow.Image:
    """A picture of which each pixel is another."""
    across, down = Pillow.linear_gradient("L").rotate(90), Pillow.linear_gradient("L")
    return Pillow.merge("RGB", [across, down, Pillow.radial_gradient("L")]).resize((width, height))


def opened(image: Image) -> Pillow.Image:
    return Pillow.open(io.BytesIO(image.data))


def differ(one: Pillow.Image, other: Pillow.Image) -> int:
    assert one.size == other.size
    return int(max(high for _, high in ImageStat.Stat(ImageChops.difference(one, other)).extrema))


async def test_a_part_has_the_pixels_of_what_was_sent_and_not_of_what_was_shrunk() -> None:
    whole = await make_image(encoded(pattern(), "PNG"), SMALL)
    assert whole.shrunk and whole.original
    part = await cut(whole, Region(500, 0, 750, 500), SMALL)
    assert (part.width, part.height, part.original_size) == (200, 200, (200, 200))
    assert differ(opened(part), pattern().crop((400, 0, 600, 200))) == 0


async def test_a_part_too_large_for_the_budget_is_shrunk_and_says_so() -> None:
    part = await cut(await make_image(encoded(pattern(), "PNG"), SMALL), Region(0, 0, 500, 1000), SMALL)
    assert part.original_size == (400, 400) and part.shrunk
    assert part.width * part.height <= 64 * 1024


async def test_without_its_original_a_part_comes_from_what_is_left_and_says_so() -> None:
    whole = await make_image(encoded(pattern(), "PNG"), SMALL)
    part = await cut(replace(whole, original=None), Region(500, 0, 750, 500), SMALL)
    assert part.original_size == (200, 200) and part.shrunk
    assert part.width == whole.width // 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "AVIF"])
async def test_a_region_is_that_of_the_upright_picture(file_format: str, orientation: int) -> None:
    sent = turned(file_format, orientation, pattern())
    whole = replace(await make_image(sent), original=sent)
    part = await cut(whole, Region(0, 500, 250, 1000))
    assert (part.width, part.height) == part.original_size == (200, 200)
    assert differ(opened(part), pattern().crop((0, 200, 200, 400))) < 24  # JPEG and AVIF lose a little


async def test_a_part_of_a_huge_jpeg_is_not_decoded_smaller_than_it_is() -> None:
    picture = pattern(4000, 3000)
    whole = await make_image(encoded(picture, "JPEG", quality=90))
    part = await cut(whole, Region(500, 500, 600, 600))
    assert (part.width, part.height) == (400, 300)
    assert differ(opened(part), picture.crop((2000, 1500, 2400, 1800))) < 24


async def test_half_of_a_huge_picture_shrinks_to_what_it_would_in_one_piece() -> None:
    picture = pattern(5003, 4001)
    whole = await make_image(encoded(picture, "PNG", compress_level=1))
    original = replace(whole, original=encoded(picture, "PNG", compress_level=1))
    part = await cut(original, Region(500, 0, 1000, 1000))
    left, top, right, bottom = Region(500, 0, 1000, 1000).pixels(*picture.size, 32)
    straight = picture.crop((left, top, right, bottom)).resize((part.width, part.height), Pillow.Resampling.LANCZOS)
    assert differ(opened(part), straight) <= 4

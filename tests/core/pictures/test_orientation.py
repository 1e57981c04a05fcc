import io

import pytest
from PIL import Image as Pillow

from core.pictures.documents import open_document
from core.pictures.images import ImagesConfig, make_image
from tests.core.files import GREEN, RED, encoded, plain
from tests.core.prints import avif_turned_by_exif_only, exif, heic_turned_by_both, raw_with_thumbnail, stored, turned

ANGLES = {3: 2, 6: 3, 8: 1}  # EXIF orientation -> quarters to the left, as HEIF counts


def upright() -> Pillow.Image:
    picture = plain(RED, (128, 64))
    picture.paste(GREEN, (0, 0, 48, 24))
    return picture


def looks_upright(png: bytes) -> bool:
    picture = Pillow.open(io.BytesIO(png))
    width, height = picture.size
    corners = [picture.getpixel(at) for at in ((9, 9), (width - 9, 9), (9, height - 9), (width - 9, height - 9))]
    pixels = [pixel for pixel in corners if isinstance(pixel, tuple)]
    return abs(width / height - 2) < 0.05 and [pixel[1] > 200 and pixel[0] < 60 for pixel in pixels] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
async def test_every_format_is_turned_upright_once(file_format: str, orientation: int) -> None:
    image = await make_image(turned(file_format, orientation, upright()))
    assert image.original_size == (128, 64)
    assert looks_upright(image.data)


@pytest.mark.parametrize("orientation", range(2, 9))
async def test_an_orientation_in_exif_alone_counts_for_avif(orientation: int) -> None:
    assert looks_upright((await make_image(avif_turned_by_exif_only(orientation, upright()))).data)


@pytest.mark.parametrize("orientation", ANGLES)
async def test_a_heic_that_says_it_twice_is_turned_once(orientation: int) -> None:
    data = heic_turned_by_both(orientation, ANGLES[orientation], upright())
    assert looks_upright((await make_image(data)).data)


async def test_a_heic_whose_container_says_that_it_is_upright_is_not_turned() -> None:
    lying = heic_turned_by_both(1, 0, upright())
    block, other = (exif(which).tobytes()[6:] for which in (1, 6))
    assert lying.count(block) == 1
    assert looks_upright((await make_image(lying.replace(block, other))).data)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
async def test_each_page_of_a_tiff_is_turned_for_itself(compression: str) -> None:
    pages = [stored(upright(), orientation) for orientation in (6, 1, 3)]
    for page, orientation in zip(pages, (6, 1, 3), strict=True):
        page.encoderinfo = {"tiffinfo": {274: orientation}}
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], tiffinfo={274: 6}, compression=compression)
    document = await open_document(file.getvalue())
    assert [looks_upright(image.data) for image in document.images] == [True] * 3
    assert [image.original_size for image in document.images] == [(128, 64)] * 3


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
async def test_a_raw_file_that_tells_its_orientation_beside_the_thumbnail_is_upright(orientation: int) -> None:
    assert looks_upright((await make_image(raw_with_thumbnail(upright(), orientation))).data)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
async def test_the_small_print_is_upright_as_the_picture_is(file_format: str) -> None:
    large = upright().resize((4096, 2048))
    image = await make_image(turned(file_format, 6, large))
    assert image.original
    larger = await make_image(image.original, ImagesConfig(image_tokens=4000))
    assert looks_upright(image.data)
    assert looks_upright(larger.data)
    pages = [stored(large, 6)] * 2
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], tiffinfo={274: 6}, compression="tiff_lzw")
    [page, _] = (await open_document(file.getvalue())).images
    assert page.original
    assert looks_upright((await make_image(page.original, ImagesConfig(image_tokens=4000))).data)


async def test_a_kept_picture_says_nothing_of_the_file_that_it_came_in() -> None:
    kept = Pillow.open(io.BytesIO((await make_image(turned("PNG", 6, upright()))).data))
    kept.load()
    assert dict(kept.getexif()) == {}
    assert kept.info == {}
    assert encoded(kept, "PNG")

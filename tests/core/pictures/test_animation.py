import io

import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageStat

from core.i18n import Translator
from core.pictures.documents import Document, open_document
from core.pictures.images import make_image
from tests.core.files import encoded
from tests.core.prints import SIZE, animation, on_nothing, printed

BLANK = Pillow.new("RGB", SIZE, "white")
FORMATS = ["GIF", "PNG", "WEBP", "AVIF"]


def note(document: Document) -> str:
    return document.note(Translator("en"))


def is_printed(document: Document, paper: str = "white", ink: str = "black") -> bool:
    [image] = document.images
    picture = Pillow.open(io.BytesIO(image.data))
    return max(ImageStat.Stat(ImageChops.difference(picture, printed(ink, paper))).mean) < 5


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("blank", [0, 1, 5])
async def test_the_first_frame_with_something_on_it_is_looked_at_and_told(file_format: str, blank: int) -> None:
    frames = [Pillow.new("RGB", SIZE, (255 - shade, 255, 255)) for shade in range(blank)]
    document = await open_document(animation(file_format, *frames, printed(), BLANK, printed("red")))
    assert is_printed(document)
    assert f"only frame {blank + 1} of it was looked at" in note(document)
    assert document.note(Translator("zh")).startswith("这是动画")


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
async def test_a_frame_that_is_all_transparent_is_blank(file_format: str) -> None:
    nothing = printed("red")
    nothing.putalpha(0)
    document = await open_document(animation(file_format, nothing, on_nothing("white"), nothing))
    assert is_printed(document, paper="black", ink="white")
    assert "only frame 2" in note(document)


@pytest.mark.parametrize("file_format", FORMATS)
async def test_of_blank_frames_the_first_is_shown(file_format: str) -> None:
    frames = [Pillow.new("RGB", SIZE, colour) for colour in ("red", "blue", "green")]
    document = await open_document(animation(file_format, *frames))
    pixel = Pillow.open(io.BytesIO(document.images[0].data)).getpixel((9, 9))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 240
    assert "only frame 1" in note(document)


async def test_a_faint_frame_is_better_than_none() -> None:
    document = await open_document(animation("GIF", BLANK, printed("#dddddd"), BLANK))
    assert is_printed(document, ink="#dddddd")


@pytest.mark.parametrize("file_format", [*FORMATS, "TIFF", "JPEG"])
async def test_a_picture_of_one_frame_is_no_animation(file_format: str) -> None:
    assert note(await open_document(encoded(printed(), file_format))) == ""


async def test_two_pictures_in_one_jpeg_are_no_animation() -> None:
    assert note(await open_document(animation("MPO", printed(), printed("red")))) == ""


async def test_a_heic_with_several_pictures_says_so() -> None:
    data = animation("HEIF", printed(), printed("red"))
    assert note(await open_document(data)) == "This file holds several pictures, and only one of them was looked at."


async def test_the_small_print_is_of_the_same_frame() -> None:
    large = [frame.resize((SIZE[0] * 8, SIZE[1] * 8)) for frame in (BLANK, printed())]
    image = await make_image(animation("GIF", *large))
    assert image.original
    larger = Pillow.open(io.BytesIO((await make_image(image.original)).data))
    assert sum(larger.convert("L").histogram()[:40]) > 1000

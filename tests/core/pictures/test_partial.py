import io
from collections.abc import Callable

import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageStat

from core.errors import BadImage
from core.i18n import Translator
from core.pictures.documents import Document, open_document
from tests.core.files import busy, encoded
from tests.core.prints import animation, interlaced_png, page, printed, stored, turned

GREY = (128, 128, 128)
Encode = Callable[[Pillow.Image], bytes]
FORMATS: dict[str, Encode] = {
    "JPEG": lambda picture: encoded(picture, "JPEG"),
    "JPEG with restarts": lambda picture: encoded(picture, "JPEG", restart_marker_blocks=4),
    "grey JPEG": lambda picture: encoded(picture.convert("L"), "JPEG"),
    "CMYK JPEG": lambda picture: encoded(picture.convert("CMYK"), "JPEG"),
    "PNG": lambda picture: encoded(picture, "PNG"),
    "PNG of a palette": lambda picture: encoded(picture.convert("P"), "PNG"),
    "PNG with alpha": lambda picture: encoded(picture.convert("RGBA"), "PNG"),
    "PNG of 16 bits": lambda picture: encoded(picture.convert("L").convert("I;16"), "PNG"),
    "GIF": lambda picture: encoded(picture, "GIF", interlace=0),
    "GIF with transparency": lambda picture: encoded(picture.convert("P"), "GIF", interlace=0, transparency=77),
    "WebP": lambda picture: encoded(picture, "WEBP"),
    "WebP with EXIF": lambda picture: encoded(picture, "WEBP", exif=b"Exif\0\0" + bytes(90)),
    "TIFF": lambda picture: encoded(picture, "TIFF"),
    "BMP": lambda picture: encoded(picture, "BMP"),
}


def noisy(picture: Pillow.Image) -> Pillow.Image:
    """So that each row takes about as many bytes."""
    return Pillow.blend(picture, busy(picture.size), 0.1)


def shown(document: Document) -> Pillow.Image:
    [image] = document.images
    return Pillow.open(io.BytesIO(image.data))


def note(document: Document) -> str:
    return document.note(Translator("en"))


def grey_rows(picture: Pillow.Image) -> list[int]:
    rows = range(picture.height)
    return [
        row for row in rows if picture.crop((0, row, picture.width, row + 1)).getcolors(2) == [(picture.width, GREY)]
    ]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.7, 0.9])
async def test_what_there_is_of_a_file_cut_short_is_shown_and_the_rest_is_told(name: str, share: float) -> None:
    whole = FORMATS[name](noisy(page()))
    whole_picture = shown(await open_document(whole))
    document = await open_document(whole[: int(len(whole) * share)])
    picture, grey = shown(document), len(grey_rows(shown(document)))
    assert 0 < grey < 0.55 * picture.height
    assert f"About {max(1, round(100 * grey / picture.height))} % of this picture is missing" in note(document)
    there = (0, 0, picture.width, picture.height - grey)
    if name == "BMP":  # which begins below
        there = (0, grey, picture.width, picture.height)
    between = ImageStat.Stat(ImageChops.difference(picture.crop(there), whole_picture.crop(there)))
    assert max(between.mean) < 1.5


@pytest.mark.parametrize("name", FORMATS)
async def test_of_too_little_nothing_is_shown(name: str) -> None:
    whole = FORMATS[name](noisy(page()))
    with pytest.raises(BadImage, match="incomplete: its file ends too early"):
        await open_document(whole[: len(whole) // 3])


@pytest.mark.parametrize("name", [*FORMATS, "progressive"])
async def test_a_file_without_its_very_last_bytes_is_whole_where_nothing_is_missing(name: str) -> None:
    whole = FORMATS[name](printed()) if name in FORMATS else encoded(printed(), "JPEG", progressive=True)
    document = await open_document(whole[:-2])
    if name in ("TIFF", "BMP"):  # their last bytes are pixels
        assert "About 1 % of this picture is missing" in note(document)
    else:
        assert note(document) == ""
        assert document.images[0].id == (await open_document(whole)).images[0].id


async def test_a_progressive_jpeg_lacks_detail_and_no_rows() -> None:
    whole = encoded(noisy(page()), "JPEG", progressive=True)
    document = await open_document(whole[: int(len(whole) * 0.7)])
    assert "The fine detail of this picture is missing" in note(document)
    sharp = shown(await open_document(whole))
    assert max(ImageStat.Stat(ImageChops.difference(shown(document), sharp)).mean) < 8
    with pytest.raises(BadImage, match="incomplete"):
        await open_document(whole[: int(len(whole) * 0.05)])


async def test_an_interlaced_picture_lacks_no_part_of_it() -> None:
    whole = interlaced_png(noisy(page()))
    document = await open_document(whole[: int(len(whole) * 0.8)])
    assert "About 20 % of this picture is missing" in note(document)
    assert grey_rows(shown(document)) == []
    sharp = shown(await open_document(whole))
    assert max(ImageStat.Stat(ImageChops.difference(shown(document), sharp)).mean) < 12


async def test_a_missing_strip_of_a_compressed_tiff_is_told() -> None:
    whole = bytearray(encoded(noisy(page()), "TIFF", compression="tiff_lzw"))
    opened = Pillow.open(io.BytesIO(whole))
    starts, lengths = opened.tag_v2[273], opened.tag_v2[279]  # type: ignore[attr-defined]
    strip = len(starts) * 4 // 5
    whole[starts[strip] : starts[strip] + lengths[strip]] = bytes(lengths[strip])
    document = await open_document(bytes(whole))
    assert "% of this picture is missing" in note(document)
    assert 0 < len(grey_rows(shown(document))) < 0.3 * 320


async def test_missing_rows_of_a_picture_on_its_side_are_columns() -> None:
    whole = turned("JPEG", 6, noisy(page()))
    document = await open_document(whole[: int(len(whole) * 0.7)])
    picture = shown(document)
    assert "% of this picture is missing" in note(document)
    assert picture.size == (320, 320)
    assert grey_rows(picture) == []
    assert len(grey_rows(stored(picture, 6))) > 0.2 * 320


async def test_the_first_frame_of_an_animation_cut_short_is_whole() -> None:
    for file_format in ("GIF", "PNG", "WEBP"):
        whole = animation(file_format, printed(), noisy(printed()), printed())
        document = await open_document(whole[: int(len(whole) * 0.9)])
        assert "missing" not in note(document)
        assert max(ImageStat.Stat(ImageChops.difference(shown(document), printed())).mean) < 3


async def test_it_is_said_in_chinese() -> None:
    whole = encoded(noisy(page()), "PNG")
    assert "大约缺少" in (await open_document(whole[: int(len(whole) * 0.8)])).note(Translator("zh"))

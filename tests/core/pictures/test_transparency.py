import io

import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageFilter, ImageStat

from core.pictures.images import make_image
from tests.core.files import encoded
from tests.core.prints import (
    SIZE,
    black_and_white_on_nothing,
    hidden_by_its_alpha,
    mask,
    on_nothing,
    palette_on_nothing,
    printed,
)


async def opened(data: bytes) -> Pillow.Image:
    return Pillow.open(io.BytesIO((await make_image(data)).data))


def same(one: Pillow.Image, other: Pillow.Image, within: float = 2) -> bool:
    return one.size == other.size and max(ImageStat.Stat(ImageChops.difference(one, other)).mean) <= within


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("white", "black"),
        ("yellow", "black"),
        ("#cccccc", "black"),
        ("black", "white"),
        ("navy", "white"),
        ("#808080", "white"),
    ],
)
async def test_print_on_nothing_is_laid_on_what_it_can_be_read_on(file_format: str, ink: str, paper: str) -> None:
    options: dict[str, object] = {"lossless": True} if file_format == "WEBP" else {}
    assert same(await opened(encoded(on_nothing(ink), file_format, **options)), printed(ink, paper), within=6)


@pytest.mark.parametrize(("ink", "paper"), [("white", "black"), ("black", "white")])
async def test_grey_pictures_and_palettes_are_no_exception(ink: str, paper: str) -> None:
    grey = encoded(on_nothing(ink).convert("LA"), "PNG")
    palette = Pillow.open(io.BytesIO(palette_on_nothing(ink)))
    gif = encoded(palette, "GIF", transparency=0)
    hard = Pillow.new("RGB", SIZE, "#010203")
    hard.paste(ink, (0, 0), mask().point(lambda value: 255 * (value >> 7)))
    single = encoded(hard, "PNG", transparency=(1, 2, 3))
    assert same(await opened(grey), printed(ink, paper))
    for data in (palette_on_nothing(ink), gif, single):
        assert same(await opened(data), printed(ink, paper), within=8)  # their edges are hard


async def test_a_huge_picture_has_one_ground() -> None:
    large = on_nothing("white").resize((SIZE[0] * 12, SIZE[1] * 12))
    picture = await opened(encoded(large, "PNG", compress_level=1))
    assert same(picture.resize(SIZE), printed("white", "black"), within=4)


@pytest.mark.parametrize("scale", [1, 12])
async def test_print_that_is_black_here_and_white_there_has_its_ground_around_it(scale: int) -> None:
    picture = (await opened(encoded(black_and_white_on_nothing(scale), "PNG"))).resize(SIZE).convert("L")
    ink = mask().point(lambda value: 255 if value > 200 else 0)
    for box, dark in (((0, 0, SIZE[0], 88), True), ((0, 88, *SIZE), False)):
        here, where = picture.crop(box), ink.crop(box)
        shade = ImageStat.Stat(here, where).mean[0]
        around = ImageStat.Stat(here, ImageChops.subtract(_grown(where, 9), _grown(where, 5))).mean[0]
        assert (shade < 60 and around > 200) if dark else (shade > 195 and around < 60)


def _grown(area: Pillow.Image, size: int) -> Pillow.Image:
    return area.filter(ImageFilter.MaxFilter(size))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
async def test_an_alpha_channel_that_hides_everything_is_none(mode: str) -> None:
    assert same(await opened(encoded(hidden_by_its_alpha(mode), "PNG")), printed())
    faint = hidden_by_its_alpha(mode)
    faint.putalpha(3)
    assert same(await opened(encoded(faint, "PNG")), printed())


async def test_half_transparent_pictures_stay_on_white() -> None:
    glass = printed("black", "white")
    glass.putalpha(128)
    picture = await opened(encoded(glass, "PNG"))
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    photo = Pillow.radial_gradient("L").resize(SIZE).convert("RGB")  # no print, light and dark at its edge
    photo.putalpha(Pillow.new("L", SIZE))
    photo.paste(Pillow.radial_gradient("L").resize((200, 100)).convert("RGBA"), (50, 40))
    assert (await opened(encoded(photo, "PNG"))).getpixel((0, 0)) in ((255, 255, 255), (0, 0, 0))

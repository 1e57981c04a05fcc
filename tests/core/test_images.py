import io
import resource

import psutil
import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageStat

from core import refusals, workers
from core.conversation import Image
from core.decoder import ASPECT, fit
from core.documents import open_document
from core.errors import BadImage, BotError, TooLarge
from core.images import Config, make_image
from tests.core.files import GREEN, RED, Colour, busy, encoded, endless_jpeg, plain
from tests.core.pictures import Specimen, mutated, specimens

PARENT_BOUND = 150  # MiB that the service itself may grow by, whatever is sent


def opened(image: Image) -> Pillow.Image:
    return Pillow.open(io.BytesIO(image.data))


def near(picture: Pillow.Image, at: tuple[int, int], colour: Colour) -> bool:
    pixel = picture.getpixel(at)
    assert isinstance(pixel, tuple)
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) <= 3


async def complaint(specimen: Specimen) -> str:
    """What is wrong with what comes of it; empty when nothing is."""
    try:
        image = (await open_document(specimen.data)).images[0]
    except BotError as error:
        return "" if specimen.refusal and specimen.refusal in str(error) else f"refused: {error}"
    if specimen.refusal or specimen.colour is None:
        return f"not refused, but {image}"
    picture = opened(image)
    good = (
        (image.width, image.height) == picture.size == specimen.size
        and picture.mode == "RGB"
        and near(picture, (picture.width // 2, picture.height // 2), specimen.colour)
        and near(picture, (0, 0), specimen.corner or specimen.colour)
    )
    return "" if good else f"{image}, in the middle {picture.getpixel((picture.width // 2, picture.height // 2))}"


async def test_every_odd_broken_and_hostile_file_gets_its_picture_or_its_sentence_in_bounded_memory() -> None:
    files = specimens()
    assert len(files) >= 100
    assert len({file.name for file in files}) == len(files)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    complaints = {file.name: await complaint(file) for file in files}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert {name: words for name, words in complaints.items() if words} == {}
    assert grown < PARENT_BOUND * 1024
    alive = [child for child in psutil.Process().children() if "core.workers" in child.cmdline()]
    assert 1 <= len(alive) <= workers.WORKERS
    assert all(child.memory_info().rss < workers.MEMORY // 4 for child in alive)


async def test_500_files_with_damage_anywhere_get_a_picture_or_a_sentence_and_crash_nothing() -> None:
    made, refused = 0, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in mutated(500):
        try:
            image = await make_image(data)
            assert opened(image).size == (image.width, image.height)
            made += 1
        except BadImage:
            refused += 1
    assert made > 50
    assert refused > 50
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < PARENT_BOUND * 1024


async def test_a_file_that_costs_minutes_is_given_up() -> None:
    options = {"pixel_limit": 10**8, "image_tokens": 1000}
    with pytest.raises(BadImage, match="too long"):
        await workers.run("core.decoder:picture", endless_jpeg(), options, seconds=1)


async def test_the_same_pixels_are_the_same_image_whatever_the_file() -> None:
    ids = {(await make_image(encoded(busy(), kind))).id for kind in ("PNG", "BMP", "TIFF")}
    assert len(ids) == 1
    wide, tall, other = [
        await make_image(encoded(picture, "PNG")) for picture in (plain(RED), plain(RED, (40, 60)), plain(GREEN))
    ]
    assert len({wide.id, tall.id, other.id} | ids) == 4


async def test_a_picture_within_the_budget_keeps_its_size_and_a_larger_one_is_shrunk_to_whole_tokens() -> None:
    small = await make_image(encoded(plain(RED, (1001, 999)), "PNG"))
    large = await make_image(encoded(plain(RED, (3000, 1500)), "PNG"))
    assert (small.width, small.height, small.shrunk) == (1001, 999, False)
    assert (large.width, large.height, large.original_size, large.shrunk) == (1408, 704, (3000, 1500), True)


@pytest.mark.parametrize(
    "size",
    [
        (1, 1),
        (640, 480),
        (2481, 3508),
        (4000, 3000),
        (20_000, 100),
        (100, 20_000),
        (40_000, 200),
        (200, 40_000),
        (9000, 9000),
    ],
)
@pytest.mark.parametrize("tokens", [64, 1000, 16_384])
def test_the_budget_is_kept_and_well_used_and_the_shape_with_it(size: tuple[int, int], tokens: int) -> None:
    width, height = fit(*size, tokens)
    assert width * height <= tokens * 1024 or min(width, height) == 32
    assert max(width, height) <= ASPECT * min(width, height)
    if (width, height) == size:
        return
    assert width % 32 == height % 32 == 0
    if min(width, height) >= 256:
        assert width * height > 0.7 * tokens * 1024
        assert abs(width / height / (size[0] / size[1]) - 1) < 0.15


async def test_a_huge_picture_shrinks_to_what_it_would_in_one_piece() -> None:
    picture = Pillow.merge(
        "RGB", [Pillow.linear_gradient("L"), Pillow.radial_gradient("L"), Pillow.linear_gradient("L").rotate(90)]
    )
    picture = picture.resize((5003, 4001))
    image = await make_image(encoded(picture, "PNG", compress_level=1))
    straight = picture.resize((image.width, image.height), Pillow.Resampling.LANCZOS)
    stat = ImageStat.Stat(ImageChops.difference(opened(image), straight))
    assert max(stat.mean) < 1
    assert max(high for _, high in stat.extrema) <= 4


async def test_the_sent_file_is_kept_only_when_much_was_lost() -> None:
    a_lot, a_little = encoded(plain(RED, (4000, 3000)), "JPEG"), encoded(plain(RED, (1100, 1100)), "JPEG")
    assert (await make_image(a_lot)).original == a_lot
    assert (await make_image(a_little)).original is None


async def test_the_small_print_comes_back_with_a_larger_budget() -> None:
    first = await make_image(encoded(plain(RED, (3000, 2000)), "PNG"))
    assert first.original
    second = await make_image(first.original, Config(image_tokens=4000))
    assert first.width * first.height * 3 < second.width * second.height <= 4000 * 1024


async def test_limits_are_settings_and_the_sentences_name_them() -> None:
    data = encoded(busy((400, 300)), "PNG")
    with pytest.raises(TooLarge, match=r"0\.3 MiB; at most 0\.1 MiB"):
        await make_image(data, Config(byte_limit_mib=0.1))
    with pytest.raises(TooLarge, match=r"400x300 pixels; at most 0\.1 megapixels"):
        await make_image(data, Config(pixel_limit_mp=0.1))


@pytest.mark.parametrize(
    ("name", "media_type", "words"),
    [
        ("Letter.DOCX", "", "a Word file"),
        ("table.v2.xlsx", "application/octet-stream", "an Excel file"),
        ("notes.odt", "", "OpenDocument"),
        ("film", "video/mp4", "a video"),
        ("voice", "audio/ogg", "a sound file"),
        ("readme", "text/plain", "a text file"),
        ("drawing.svg", "image/svg+xml", "an SVG drawing"),
        ("page.html", "text/html", "a web page"),
        ("holiday.zip", "application/zip", "an archive"),
    ],
)
def test_a_file_that_nobody_fetches_is_called_by_its_name(name: str, media_type: str, words: str) -> None:
    assert words in str(refusals.by_name(name, media_type))
    assert refusals.by_name("something", "application/octet-stream") is None
    assert refusals.by_name("pdf", "") is None

import io
import random
import resource
import struct
import zlib

import psutil
import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageStat
from PIL.PngImagePlugin import PngInfo

from core.errors import BadImage, BotError, TooLarge
from core.image import Image
from core.model.patches import QWEN3_VL, Grid
from core.pictures import refusals, workers
from core.pictures.documents import open_document
from core.pictures.images import ImagesConfig, make_image
from core.pictures.sizes import LEAST_TOKENS, LONGEST_ASPECT, fit
from core.pictures.worker import ADDRESS_SPACE_BYTES
from tests.core.files import GREEN, GREY, RED, Colour, busy, chunk, encoded, endless_jpeg, icc_profile, plain
from tests.core.pictures.specimens import Specimen, mutated, specimens
from tests.core.prints import png_with_texts, printed

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
    alive = [child for child in psutil.Process().children() if "core.pictures.worker" in child.cmdline()]
    assert 1 <= len(alive) <= workers.QUICK_WORKERS + 2  # the slow one, and the spare one
    assert all(child.memory_info().rss < ADDRESS_SPACE_BYTES // 4 for child in alive)


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
        await workers.run("core.pictures.decoder:picture", endless_jpeg(), options, seconds=1)


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
    assert width * height <= max(tokens, 80) * 1024 or min(width, height) == 32
    assert max(width, height) <= LONGEST_ASPECT * min(width, height)
    if (width, height) == size:
        return
    assert width % 32 == height % 32 == 0
    if min(width, height) >= 256:
        assert width * height > 0.7 * tokens * 1024
        assert abs(width / height / (size[0] / size[1]) - 1) < 0.15


def test_the_model_leaves_a_shrunk_picture_as_it_is() -> None:
    """Otherwise it would be enlarged again: as many tokens, of which some show nothing."""
    least, most = QWEN3_VL["size"]["shortest_edge"], QWEN3_VL["size"]["longest_edge"]
    assert least == LEAST_TOKENS * 1024
    seen_as, draw = Grid(32, least, most), random.Random(32)
    for _ in range(5_000):
        width, height = (round(2 ** draw.uniform(5, 13)) for _ in range(2))
        tokens = draw.choice([LEAST_TOKENS, 65, 80, 100, 1000, 16_384])
        if max(width, height) > LONGEST_ASPECT * min(width, height):
            continue
        size = fit(width, height, tokens)
        assert size[0] <= max(width, 32) and size[1] <= max(height, 32)
        if size != (width, height):
            assert seen_as(*size) == (size[1] // 32, size[0] // 32), (width, height, tokens)


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
    second = await make_image(first.original, ImagesConfig(image_tokens=4000))
    assert first.width * first.height * 3 < second.width * second.height <= 4000 * 1024


async def test_limits_are_settings_and_the_sentences_name_them() -> None:
    data = encoded(busy((400, 300)), "PNG")
    with pytest.raises(TooLarge, match=r"0\.3 MB; at most 0\.1 MB"):
        await make_image(data, ImagesConfig(file_limit_mb=0.1))
    with pytest.raises(TooLarge, match=r"400x300 pixels; at most 0\.1 megapixels"):
        await make_image(data, ImagesConfig(pixel_limit_mp=0.1))


async def test_a_jpeg_may_have_four_times_the_pixels_because_it_is_decoded_smaller() -> None:
    telephone = plain(RED, (12_000, 9_000))
    for progressive in (False, True):
        image = await make_image(encoded(telephone, "JPEG", quality=30, progressive=progressive))
        assert (image.width, image.height, image.original_size) == (1152, 864, (12_000, 9_000))
        assert near(opened(image), (500, 500), (254, 0, 0))
    small = ImagesConfig(pixel_limit_mp=1)
    assert (await make_image(encoded(plain(RED, (2000, 1900)), "JPEG"), small)).original_size == (2000, 1900)
    larger = ImagesConfig(pixel_limit_mp=1, image_tokens=16_384)
    assert (await make_image(encoded(plain(RED, (2000, 1900)), "JPEG"), larger)).original_size == (2000, 1900)
    with pytest.raises(TooLarge, match="at most 4 megapixels"):
        await make_image(encoded(plain(RED, (2100, 2000)), "JPEG"), small)
    with pytest.raises(TooLarge, match="at most 1 megapixels"):
        await make_image(encoded(plain(RED, (1100, 1000)), "PNG"), small)


async def test_a_progressive_jpeg_that_would_need_too_much_memory_is_refused_before() -> None:
    whole = encoded(plain(RED), "JPEG", progressive=True, subsampling=0)
    frame = whole.index(b"\xff\xc2")
    with pytest.raises(TooLarge, match="too much memory"):
        await make_image(whole[: frame + 5] + struct.pack("!2H", 17_000, 23_000) + whole[frame + 9 :])


async def test_what_a_file_says_besides_may_be_large() -> None:
    profile = bytearray(icc_profile(gamma=1.0) + bytes(3 << 20))
    profile[:4] = struct.pack("!I", len(profile))
    for file_format in ("PNG", "JPEG", "WEBP", "TIFF"):
        image = await make_image(encoded(plain(GREY), file_format, icc_profile=bytes(profile)))
        assert near(opened(image), (9, 9), (188, 188, 188))
        assert len(image.data) < 2000
    texts = png_with_texts(3)
    several = (
        texts[:33] + b"".join(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 20))) for _ in range(90)) + texts[33:]
    )
    plain_id = (await make_image(encoded(printed(), "PNG"))).id
    for data in (
        texts,
        several,
        png_with_texts(3, "XML:com.adobe.xmp"),
        encoded(printed(), "PNG", exif=b"Exif\0\0" + bytes(3 << 20)),
        encoded(printed(), "WEBP", lossless=True, xmp=b"x" * (3 << 20)),
        encoded(printed(), "TIFF", tiffinfo={270: "x" * (3 << 20)}),
        encoded(printed(), "GIF", comment=b"x" * (3 << 20)),
        encoded(printed(), "BMP") + bytes(3 << 20),
    ):
        assert (await make_image(data)).id == plain_id


async def test_an_orientation_in_a_png_text_is_not_taken_out() -> None:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>')
    info.add_text("Comment", "x" * 100)
    image = await make_image(encoded(plain(RED), "PNG", pnginfo=info))
    assert image.original_size == (40, 60)


@pytest.mark.parametrize("file_format", ["TIFF", "PNG", "BMP", "JPEG"])
async def test_oblong_pixels_are_stretched(file_format: str) -> None:
    for dpi, size in {
        (204, 98): (60, 83),
        (98, 204): (125, 40),
        (204, 196): (60, 40),
        (72, 72): (60, 40),
        (300, 1): (60, 40),
    }.items():
        image = await make_image(encoded(plain(RED), file_format, dpi=dpi))
        assert (image.width, image.height) == size
        assert not image.shrunk
    large = encoded(plain(RED, (3000, 1000)), file_format, dpi=(204, 98))
    image = await make_image(large)
    assert image.original_size == (3000, 2082)
    assert abs(image.width / image.height - 3000 / 2082) < 0.05


async def test_oblong_pages_are_stretched_also_for_their_small_print_and_on_their_side() -> None:
    for orientation, upright in ((1, (2400, 2498)), (6, (2498, 2400))):
        page = plain(RED, (2400, 1200))
        file = io.BytesIO()
        options = {"dpi": (204, 98), "tiffinfo": {274: orientation}, "compression": "tiff_lzw"}
        page.save(file, "TIFF", save_all=True, append_images=[page], **options)
        first = (await open_document(file.getvalue())).images[0]
        assert first.original_size == upright
        assert first.original
        assert (await make_image(first.original)).original_size == upright


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

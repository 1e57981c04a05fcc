import io
from random import Random

import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from core.errors import BadImage, BotError, TooLarge
from core.i18n import Translator
from core.image import Image
from core.pictures import workers
from core.pictures.documents import open_document
from core.pictures.images import ImagesConfig, make_image
from core.pictures.page_ranges import page_ranges
from tests.core.files import RED, encoded, plain
from tests.core.papers import cjk_pdf, locked_pdf, pdf, tiff
from tests.core.pictures.specimens import mangled

TEN = [f"Page {number}" for number in range(1, 11)]


def shade(image: Image) -> int:
    """Of the corner, 0 to 9 in tenths below white: the page's number in our documents."""
    pixel = Pillow.open(io.BytesIO(image.data)).getpixel((3, 3))
    assert isinstance(pixel, tuple)
    return round((255 - pixel[0]) / 25.5)


async def test_the_pages_of_a_pdf_become_pictures() -> None:
    document = await open_document(pdf(["One", "Two"]))
    assert (document.pages, document.page_count) == ((1, 2), 2)
    assert [shade(image) for image in document.images] == [1, 2]
    page = document.images[0]
    assert page.original_size == (1653, 2339)  # A4 at 200 dpi
    assert abs(page.width / page.height - 210 / 297) < 0.05
    dark = sum(Pillow.open(io.BytesIO(page.data)).convert("L").histogram()[:64])
    assert dark > 500  # its letters
    assert document.note(Translator("en")) == ""


async def test_the_question_chooses_the_pages() -> None:
    document = await open_document(pdf(TEN[:9]), "What is on pages 7-8 and on page 2?")
    assert document.pages == (7, 8, 2)
    assert [shade(image) for image in document.images] == [7, 8, 2]
    assert document.note(Translator("en")).startswith("Pages looked at: 7-8, 2 of 9.")
    assert (await open_document(pdf(TEN), "最后两页")).pages == (9, 10)


async def test_a_long_document_is_cut_at_the_limit_and_says_so() -> None:
    document = await open_document(pdf(TEN), "What is it?", ImagesConfig(page_limit=3))
    assert document.pages == (1, 2, 3)
    assert document.note(Translator("en")) == (
        "Pages looked at: 1-3 of 10. For others, send it again and say “pages 4-5”, for example."
    )
    assert document.note(Translator("zh")) == "看了第 1-3 页（共 10 页）。要看其他页，请再发一次，并写上例如“第4-5页”。"
    assert (await open_document(pdf(TEN), "pages 2-9", ImagesConfig(page_limit=3))).pages == (2, 3, 4)


async def test_a_document_with_several_pages_comes_with_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    data, few = pdf(TEN), ImagesConfig(page_limit=3)
    document = await open_document(data, "What is it?", few)
    assert document.data == data
    kept = "Pages looked at: 1-3 of 10. For others, ask about “page 4”, for example."
    assert document.note(Translator("en"), kept=True) == kept
    assert (await open_document(pdf(TEN[:3]), "What is it?", few)).data == pdf(TEN[:3])
    assert (await open_document(pdf(TEN[:1]), "What is it?", few)).data is None
    monkeypatch.setattr("core.pictures.documents.KEPT_DOCUMENT_BYTES", len(data) - 1)
    large = await open_document(data, "What is it?", few)
    assert large.data is None
    assert "send it again" in large.note(Translator("en"), kept=True)


@pytest.mark.parametrize(
    ("question", "of", "shown", "others"),
    [
        ("What is it?", 3, "1-2", "page 3"),
        ("page 3", 3, "3", "pages 1-2"),
        ("page 2", 2, "2", "page 1"),
        ("page 2", 3, "2", "page 3"),
        ("pages 1 and 3", 3, "1, 3", "page 2"),
        ("pages 4, 2", 5, "4, 2", "page 3"),
        ("pages 4-5", 9, "4-5", "pages 6-7"),
        ("the last page", 9, "9", "pages 1-2"),
    ],
)
async def test_the_pages_left_out_are_offered_as_people_say_it(question: str, of: int, shown: str, others: str) -> None:
    document = await open_document(pdf(TEN[:of]), question, ImagesConfig(page_limit=2))
    note = f"Pages looked at: {shown} of {of}. For others, send it again and say “{others}”, for example."
    assert document.note(Translator("en")) == note
    assert "、".join(shown.split(", ")) in document.note(Translator("zh"))
    asked = page_ranges(others)
    assert asked == page_ranges(f"第{others.removeprefix('pages ').removeprefix('page ')}页")
    assert not {page for first, last in asked for page in range(first, last + 1)} & set(document.pages)


async def test_a_page_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadImage, match="has 2 pages"):
        await open_document(pdf(["One", "Two"]), "page 7")


STRIPS = [pdf(["One", "Two"], size=(9, 9000)), tiff([255, 200], (2, 2000))]  # no page of them can be drawn


@pytest.mark.parametrize("data", STRIPS, ids=["pdf", "tiff"])
async def test_a_chosen_page_that_does_not_exist_is_refused_before_others_are_drawn(data: bytes) -> None:
    with pytest.raises(BadImage, match="has 2 pages"):
        await open_document(data, chosen=(1, 9))
    with pytest.raises(BadImage, match="too long and narrow"):
        await open_document(data, "What is on pages 1 and 9?")


async def test_the_small_print_of_a_page_can_be_read() -> None:
    [page] = (await open_document(pdf(["One"]))).images
    assert page.original is not None
    fine = await make_image(page.original, ImagesConfig(image_tokens=4000))
    assert fine.width > 1.8 * page.width


async def test_a_tiff_with_several_pages_is_a_document_and_its_thumbnails_are_not_pages() -> None:
    document = await open_document(tiff([200, 150, 100]), "pages 2-3")
    assert (document.pages, document.page_count) == ((2, 3), 3)
    pixels = [Pillow.open(io.BytesIO(image.data)).getpixel((9, 9)) for image in document.images]
    assert pixels == [(150, 150, 150), (100, 100, 100)]
    document = await open_document(tiff([200, 150], thumbnail=True))
    assert [(image.width, image.height) for image in document.images] == [(300, 400)] * 2


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LAB", "I", "F"])
async def test_the_small_print_of_a_scan_can_be_read_whatever_its_colours_are(mode: str) -> None:
    [page, _] = (await open_document(tiff([255, 255], (1240, 1754), mode=mode))).images
    assert page.original is not None
    fine = await make_image(page.original, ImagesConfig(image_tokens=4000))
    assert (fine.width, fine.height) == (1240, 1754)
    assert shade(fine) == shade(page)


async def test_a_picture_is_a_document_of_one_page() -> None:
    data = encoded(plain(RED), "PNG")
    document = await open_document(data, "page 9")
    assert document.images == (await make_image(data),)
    assert document.note(Translator("en")) == ""
    assert len((await open_document(encoded(plain(RED), "GIF", save_all=True, append_images=[plain(RED)]))).images) == 1


MAIL = b"From: a@example.org\r\nSubject: Invoice\r\nContent-Type: application/pdf\r\n\r\n"


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", MAIL, b"\x1b%-12345X@PJL\r\n", b"\n" * 1015, b"junk " * 200])
async def test_a_pdf_may_begin_within_its_first_1024_bytes(before: bytes) -> None:
    document = await open_document(before + pdf(["One", "Two"]), "page 2")
    assert (document.pages, document.page_count, shade(document.images[0])) == ((2,), 2, 2)


async def test_a_picture_that_speaks_of_pdf_is_a_picture() -> None:
    info = PngInfo()
    info.add_text("Software", "%PDF-1.7 1 0 obj")
    [image] = (await open_document(encoded(plain(RED), "PNG", pnginfo=info))).images
    assert (image.width, image.height) == (60, 40)


@pytest.mark.parametrize(
    ("font", "text"),
    [
        ("STSong-Light", "发票号码总额"),
        ("MSung-Light", "發票號碼總額"),
        ("HeiseiMin-W3", "請求書の合計"),
        ("HYSMyeongJo-Medium", "청구서번호합"),
    ],
)
async def test_a_font_that_a_pdf_only_names_is_drawn_where_no_fonts_are_installed(font: str, text: str) -> None:
    options = {"ranges": [], "limit": 1, "image_tokens": 1000}
    inks = []
    for line in (text, text + " 5520"):
        job = "tests.core.jobs:pages_without_system_fonts"
        [(_, png), *_] = await workers.run(job, cjk_pdf([line]), options)
        page = Pillow.open(io.BytesIO(png)).convert("1")
        side = page.height * 24 // 130  # of a character
        first = page.width * 20 // 260, page.height * 50 // 130 - side
        boxes = [(first[0] + n * side, first[1], first[0] + (n + 1) * side, first[1] + side * 5 // 4) for n in range(6)]
        inks.append([page.crop(box).convert("L").histogram()[0] / side**2 for box in boxes])
        assert all(0.05 < ink < 0.5 for ink in inks[-1])
    assert inks[0] == inks[1]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pdf(["x"])[:200], "damaged"),
        (b"%PDF-1.7\n", "damaged"),
        (pdf([]), "damaged"),
        (locked_pdf(), "password"),
        (pdf(["x"], size=(100_000, 3)), "strip"),
        (tiff([1, 2])[:400], "incomplete"),
        (b"%PDF-1.7\n" + b"1 0 obj << /Kids [1 0 R] >> endobj\n" * 1000, "damaged"),
        (b"", "empty"),
    ],
    ids=["cut", "head", "no pages", "locked", "strip", "cut tiff", "circle", "empty"],
)
async def test_a_broken_document_is_refused_with_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(BotError, match=words):
        await open_document(data)


async def test_documents_with_damage_anywhere_get_pages_or_a_sentence() -> None:
    random, pages, refused = Random(1), 0, 0
    for data in [
        mangled(whole, random) for whole in (pdf(["One", "Two"], size=(90, 120)), tiff([9, 99])) for _ in range(60)
    ]:
        try:
            pages += len((await open_document(data)).images)
        except BadImage:
            refused += 1
    assert pages > 20
    assert refused > 20


async def test_a_poster_is_drawn_within_the_pixel_budget() -> None:
    [page] = (await open_document(pdf(["Poster"], size=(14_000, 14_000)))).images
    assert page.original_size[0] * page.original_size[1] <= 16_100_000


async def test_a_document_has_the_byte_limit_of_pictures() -> None:
    with pytest.raises(TooLarge):
        await open_document(pdf(TEN), config=ImagesConfig(file_limit_mb=0.001))

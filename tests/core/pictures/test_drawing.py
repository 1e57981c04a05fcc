"""Labels of drawn boxes stand where nothing else does."""

import io

import pytest
from PIL import Image, ImageChops, ImageDraw

from core.pictures import drawing, fonts

SIZE = (800, 600)
BOX = (400, 400, 600, 600)  # in thousandths: 320, 240 to 480, 360 in pixels


def page(*ink: tuple[int, int, int, int]) -> Image.Image:
    """White paper with rows of print in these areas."""
    image = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(image)
    for left, top, right, bottom in ink:
        for x in range(left, right, 6):
            pen.rectangle((x, top, x + 2, bottom), fill="black")
    return image


def drawn(image: Image.Image, *boxes: tuple[tuple[int, int, int, int], str]) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "PNG")
    [(_, png)] = drawing.boxes(file.getvalue(), [[*corners, label] for corners, label in boxes])
    return Image.open(io.BytesIO(png)).convert("RGB")


ABOVE, BELOW, LEFT, RIGHT = (300, 180, 620, 225), (300, 375, 620, 420), (150, 200, 310, 400), (490, 200, 650, 400)


@pytest.mark.parametrize(
    "ink",
    [[ABOVE], [ABOVE, BELOW], [ABOVE, BELOW, LEFT], [BELOW, LEFT, RIGHT], [ABOVE, BELOW, RIGHT]],
    ids=["above", "above and below", "all but right", "all but above", "all but left"],
)
def test_a_label_covers_no_print_where_there_is_an_empty_side(ink: list[tuple[int, int, int, int]]) -> None:
    before = page(*ink)
    after = drawn(before, (BOX, "total"))
    for area in ink:
        assert ImageChops.difference(before.crop(area), after.crop(area)).getbbox() is None
    assert len(after.getcolors(1 << 20) or []) > len(before.getcolors(1 << 20) or [])


def test_a_label_has_no_plate_where_print_is_all_around() -> None:
    before = page((0, 0, *SIZE))
    after = drawn(before, (BOX, "total"))
    inside = (325, 245, 475, 355)
    assert ImageChops.difference(before.crop(inside), after.crop(inside)).getbbox() is None
    plate = drawn(page(), (BOX, "total"))
    colour = tuple(bytes.fromhex(drawing.COLOURS[0][1:]))
    assert count(after, colour) < count(plate, colour)


def count(image: Image.Image, colour: tuple[int, ...]) -> int:
    return sum(number for number, found in image.getcolors(1 << 20) or [] if found == colour)


def test_labels_of_neighbours_do_not_cover_each_other_or_a_box() -> None:
    row = [((100 + 250 * column, 300, 300 + 250 * column, 500), f"label {column}") for column in range(3)]
    together = drawn(page(), *row)
    for index, one in enumerate(row):
        colour = tuple(bytes.fromhex(drawing.COLOURS[index][1:]))
        assert count(together, colour) == count(drawn(page(), *row[:index], one), colour)


@pytest.mark.parametrize("corners", [(0, 0, 1000, 1000), (0, 0, 50, 50), (950, 950, 1000, 1000), (500, 500, 500, 500)])
def test_a_label_stays_inside_the_picture(corners: tuple[int, int, int, int]) -> None:
    assert fonts.PATH
    after = drawn(page(), (corners, "a label"))
    assert ImageChops.difference(page(), after).getbbox() is not None

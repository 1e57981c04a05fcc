"""Tall and wide pictures are cut into tiles where nothing is printed, so that each line is in one of them."""

from itertools import pairwise

import pytest
from PIL import Image, ImageDraw, ImageFont

from core.pictures import fonts
from core.pictures.images import ImagesConfig, make_image
from core.pictures.parts import cut as cut_out
from core.pictures.sizes import TOKEN_PIXELS, Box
from core.pictures.tiling import TILED_TOKENS, tile_boxes, tile_count, tiled_tokens
from core.regions import Region
from tests.core.files import busy, encoded
from tests.core.pictures.tall import items, tall_print
from tests.core.prints import turned

LINE = 53  # pixels from one line to the next: no cut in equal parts falls between lines
INK = 36


def printed(lines: int = 40, width: int = 480) -> Image.Image:
    picture = Image.new("RGB", (width, lines * LINE), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.truetype(fonts.PATH, INK)
    for number in range(lines):
        pen.text((24, number * LINE), f"Line {number} gjpqy 发票", font=font, fill="black")
    return picture


def lines_in(box: Box, lines: int = 40) -> list[int]:
    """Return the lines that are whole in a box. None may be in part."""
    found = []
    for number in range(lines):
        top, bottom = number * LINE + INK // 3, number * LINE + INK
        if box[1] <= top and bottom <= box[3]:
            found.append(number)
        else:
            assert bottom <= box[1] or box[3] <= top
    return found


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_each_line_is_in_one_tile(count: int) -> None:
    boxes = tile_boxes(printed(), count)
    assert [line for box in boxes for line in lines_in(box)] == list(range(40))
    assert len(boxes) == count and {(box[0], box[2]) for box in boxes} == {(0, 480)}


def test_a_wide_picture_is_cut_from_left_to_right() -> None:
    upright = printed()
    boxes = tile_boxes(upright.transpose(Image.Transpose.TRANSPOSE), 4)
    assert boxes == [(top, 0, bottom, 480) for _, top, _, bottom in tile_boxes(upright, 4)]


def test_the_frame_of_a_table_is_no_print() -> None:
    table = printed()
    pen = ImageDraw.Draw(table)
    for left in (2, 16, 420):
        pen.line((left, 0, left, table.height), fill="black", width=2)
    assert [line for box in tile_boxes(table, 4) for line in lines_in(box)] == list(range(40))


def test_a_wide_gap_is_better_than_a_near_one() -> None:
    picture = printed()
    near = tile_boxes(picture, 4)[0][3]
    ImageDraw.Draw(picture).rectangle((0, 8 * LINE, 480, 9 * LINE), fill="white")
    wide = tile_boxes(picture, 4)[0][3]
    assert abs(near - 10 * LINE) < LINE
    assert 8 * LINE < wide < 9 * LINE


def test_where_no_row_is_free_two_tiles_share_a_strip() -> None:
    boxes = tile_boxes(busy((300, 1600)), 4)
    assert (boxes[0][1], boxes[-1][3]) == (0, 1600)
    assert [upper[3] - lower[1] for upper, lower in pairwise(boxes)] == [50, 50, 50]


def test_one_tile_is_the_picture_itself() -> None:
    assert tile_boxes(printed(), 1) == []


@pytest.mark.parametrize(
    ("size", "count"),
    [
        ((1080, 12000), 4),
        ((12000, 1080), 4),
        ((1080, 3240), 3),  # as often as its sides ask for
        ((800, 2100), 2),  # and as its tokens need
        ((1080, 2400), 1),  # a phone's screen
        ((700, 2000), 1),  # which is hardly shrunk
        ((300, 900), 1),  # which is not shrunk
        ((4000, 4000), 1),
    ],
)
def test_only_tall_and_wide_pictures_that_would_be_shrunk_are_cut(size: tuple[int, int], count: int) -> None:
    assert tile_count(*size, image_tokens=1000, most=4) == count
    assert tile_count(*size, image_tokens=1000, most=1) == 1


def test_all_tiles_together_leave_room_for_an_answer() -> None:
    assert [tiled_tokens(count, 1000) for count in (1, 2, 4, 8)] == [1000, 2000, 4000, TILED_TOKENS]
    assert tiled_tokens(4, 8000) == 8000  # not fewer than for a picture that stays whole


async def test_the_parts_of_a_file_are_shrunk_less_than_the_whole() -> None:
    sent = encoded(tall_print(items(1)), "PNG")
    cut, whole = [await make_image(sent, ImagesConfig(tiles=most)) for most in (4, 1)]
    assert (len(cut.tiles), len(whole.tiles)) == (4, 0)
    assert cut.id != whole.id == (await make_image(sent, ImagesConfig(tiles=1))).id
    assert 3 * whole.width * whole.height < cut.width * cut.height <= 4 * 1000 * TOKEN_PIXELS**2
    assert [(view.width, view.height) for view in cut.views] == [(b[2] - b[0], b[3] - b[1]) for b in cut.tiles]
    assert whole.views == (whole,) and len({view.id for view in (cut, *cut.views)}) == 5


@pytest.mark.parametrize("orientation", [1, 6, 8])
async def test_a_tall_picture_that_lies_in_its_file_is_cut_upright(orientation: int) -> None:
    image = await make_image(turned("JPEG", orientation, tall_print(items(1))))
    assert len(image.tiles) == 4 and image.tiles[0][2] == image.width


async def test_a_tall_region_that_somebody_chose_stays_whole() -> None:
    whole = await make_image(encoded(tall_print(items(1), width=2160), "PNG"))
    part = await cut_out(whole, Region(0, 0, 500, 1000))
    assert part.original_size == (1080, 4368) and part.tiles == ()


def test_a_picture_of_one_column_is_cut_too() -> None:
    assert len(tile_boxes(Image.new("RGB", (1, TOKEN_PIXELS)), 2)) == 2

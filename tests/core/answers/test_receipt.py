from dataclasses import replace

from core.answer import Answer, Ending, Figures
from core.answers.receipt import made_room, receipt
from core.conversation import Picture, Turn
from core.i18n import Translator
from core.image import Image
from core.regions import Part, Region


def turn(*sizes: tuple[int, int], seconds: float = 2.0, shrunk: bool = False) -> Turn:
    pictures = [
        Picture(number, Image(str(number), b"", w, h, (4000, 3000) if shrunk else (w, h)))
        for number, (w, h) in enumerate(sizes, 1)
    ]
    return Turn("?", tuple(pictures), Answer("yes", Ending.DONE, Figures(decode_s=seconds)))


def test_nothing_worth_saying_is_not_said() -> None:
    assert receipt(turn((640, 480)), Translator("en")) == ""
    assert receipt(turn(), Translator("en"), ["", ""]) == ""
    assert receipt(Turn("?"), Translator("en")) == ""


def test_a_shrunk_picture_is_told_with_both_sizes() -> None:
    line = receipt(turn((1152, 864), shrunk=True), Translator("en"))
    assert line == "Looked at picture 1 (1152×864, shrunk from 4000×3000) · 2 s"


def test_a_tall_picture_is_told_with_its_parts_and_how_much_it_was_shrunk() -> None:
    tiles = tuple((0, top, 600, top + 1600) for top in range(0, 6400, 1600))
    tall = Picture(1, Image("1", b"", 600, 6400, (1080, 11520), tiles=tiles))
    asked = replace(turn(), pictures=(tall,))
    assert receipt(asked, Translator("en")) == "Looked at picture 1 (1080×11520, seen in 4 parts, shrunk to 56 %) · 2 s"
    assert receipt(asked, Translator("zh")) == "看了图片 1（1080×11520，分 4 段查看，缩小到 56%） · 2 秒"
    sharp = replace(asked, pictures=(replace(tall, image=replace(tall.image, original_size=(600, 6400))),))
    assert receipt(sharp, Translator("en")) == "Looked at picture 1 (600×6400, seen in 4 parts) · 2 s"


def test_a_tall_picture_for_whose_parts_there_was_no_room_is_told_as_it_was_shown() -> None:
    tiles = tuple((0, top, 600, top + 1600) for top in range(0, 6400, 1600))
    tall = Picture(1, Image("1", b"", 600, 6400, (1080, 11520), tiles=tiles))
    answer = Answer("yes", Ending.DONE, Figures(decode_s=2, shown_whole=1))
    line = receipt(Turn("?", (tall,), answer), Translator("en"))
    assert line == "Looked at picture 1 (300×3200, shrunk from 1080×11520) · 2 s"


def test_a_part_is_told_with_its_place() -> None:
    [whole] = turn((640, 480)).pictures
    part = replace(whole, number=3, part=Part(1, Region(455, 0, 1000, 500)))
    line = receipt(replace(turn(), pictures=(part,)), Translator("en"))
    assert line == (
        "Looked at picture 3 (640×480, cut out of picture 1: 46–100 % from the left, 0–50 % from the top) · 2 s"
    )


def test_several_pictures_are_told_by_number() -> None:
    assert (
        receipt(turn((64, 48), (32, 32), seconds=0.2), Translator("en"))
        == "Looked at picture 1 (64×48), picture 2 (32×32)"
    )
    assert receipt(turn(*[(64, 48)] * 5), Translator("en")) == "Looked at pictures 1, 2, 3, 4, 5 · 2 s"


def test_a_long_wait_is_told_even_without_pictures() -> None:
    assert receipt(turn(seconds=61.6), Translator("en")) == "62 s"


def test_pictures_are_told_in_the_order_of_their_numbers_and_listed_as_the_language_does() -> None:
    asked = turn((64, 48), (32, 32))
    turned = replace(asked, pictures=asked.pictures[::-1])
    assert receipt(turned, Translator("en")) == receipt(asked, Translator("en"))
    assert receipt(turned, Translator("zh")) == "看了图片 1（64×48）、图片 2（32×32） · 2 秒"
    assert "1、2、3、4、5" in receipt(turn(*[(64, 48)] * 5), Translator("zh"))
    assert made_room([1, 2], Translator("zh")) == "为腾出位置已移除图片 1、2。一个对话最多保留 24 张。"


def test_what_was_left_out_is_told() -> None:
    note = "Page 5 was left out."
    assert receipt(turn((64, 48)), Translator("en"), [note]) == f"Looked at picture 1 (64×48) · 2 s · {note}"


def test_it_speaks_chinese() -> None:
    assert (
        receipt(turn((1152, 864), shrunk=True), Translator("zh")) == "看了图片 1（1152×864，由 4000×3000 缩小） · 2 秒"
    )


def test_pictures_that_had_to_go_are_told() -> None:
    assert (
        made_room([1, 2], Translator("en")) == "Removed to make room: picture 1, 2. A conversation keeps 24 pictures."
    )
    assert made_room([3], Translator("zh")) == "为腾出位置已移除图片 3。一个对话最多保留 24 张。"

import time

import pytest

from core.pictures.page_ranges import Range, page_ranges


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("What is the total?", []),
        ("What is in picture 3?", []),
        ("What is on page 3?", [(3, 3)]),
        ("Summarise pages 2-4.", [(2, 4)]),
        ("summarise PAGES 2 to 4", [(2, 4)]),
        ("see pp. 10–12", [(10, 12)]),
        ("compare pages 1, 3 and 5-6", [(1, 1), (3, 3), (5, 6)]),
        ("compare page 1 and page 7", [(1, 1), (7, 7)]),
        ("page 5 and picture 2", [(5, 5)]),
        ("page 3 of 10", [(3, 3)]),
        ("pages 4-2", [(2, 4)]),
        ("the first page and the last page", [(1, 1), (-1, -1)]),
        ("the last two pages", [(-2, -1)]),
        ("the first 3 pages", [(1, 3)]),
        ("the 2nd page", [(2, 2)]),
        ("第3页写了什么?", [(3, 3)]),
        ("第三页写了什么?", [(3, 3)]),
        ("请看第2到4页", [(2, 4)]),
        ("请看第 2 页至第 4 页", [(2, 4)]),
        ("看2-4页", [(2, 4)]),
        ("第1、3页", [(1, 1), (3, 3)]),
        ("比较第一页和第十二页", [(1, 1), (12, 12)]),
        ("第二十三页", [(23, 23)]),
        ("第3页,第二张图", [(3, 3)]),
        ("前三页", [(1, 3)]),
        ("最后一页", [(-1, -1)]),
        ("最后两页", [(-2, -1)]),
        ("共10页,总价多少?", []),
        ("第二张图片里是什么?", []),
        ("第一、第二张图，第 3\n页", [(3, 3)]),
    ],
)
def test_pages_are_found_in_words(text: str, ranges: list[Range]) -> None:
    assert page_ranges(text) == ranges


@pytest.mark.parametrize("text", ["第一、" * 20_000, "第一," + " " * 40_000 + "x", "第一" + " " * 40_000 + "页"])
def test_a_long_text_takes_no_longer_than_its_length(text: str) -> None:
    begin = time.process_time()
    assert page_ranges(text) in ([], [(1, 1)])
    assert time.process_time() - begin < 5  # half a minute with the square of its length

import io
import json
import time
from dataclasses import replace

import pytest
from PIL import Image as Pillow

from core.answer import Answer, Ending
from core.answers.boxes import Box, Grounding, draw, find_boxes, mark, moved, placed, pointed_at, visible
from core.conversation import Conversation, Picture, Question, Turn
from core.i18n import Translator
from core.image import Image
from core.pictures.images import make_image
from tests.core.files import GREEN, RED, WHITE, encoded, plain

CAT = {"bbox_2d": [100, 200, 500, 700], "label": "a cat"}
POINT = {"point_2d": [250, 750], "label": "its nose"}
CAT_BOX = Box((100, 200, 500, 700), "a cat")
NOSE = Box((250, 750, 250, 750), "its nose")


def fenced(*objects: object) -> str:
    return f"```json\n{json.dumps(objects, indent=4)}\n```"


@pytest.mark.parametrize(
    ("answer", "text", "boxes"),
    [
        ("There is no cat.", "There is no cat.", ()),
        (fenced(CAT), "", (CAT_BOX,)),
        (json.dumps([CAT, POINT]), "", (CAT_BOX, NOSE)),
        (json.dumps(CAT), "", (CAT_BOX,)),
        (f"Here it is:\n{fenced(CAT, POINT)}\nIt sleeps.", "Here it is:\nIt sleeps.", (CAT_BOX, NOSE)),
        ('[{"bbox_2d": [100, 200, 500, 700], "label": "a cat"}, {"bbox_2d": [1, 2', "", (CAT_BOX,)),
        ('```json\n[{"bbox_2d": [100, 200, 500, 700], "label": "a c', "", (Box((100, 200, 500, 700)),)),
        ('```json\n[\n\t{"bbox_2d": [100, 200, 500', "", ()),
        ("[{'bbox_2d': [100, 200, 500, 700], 'label': 'a cat'}]", "", (CAT_BOX,)),
        ('{"label": "a cat", "bbox_2d": [100, 200, 500, 700]}', "", (CAT_BOX,)),
        ('[{"bbox_2d": [500, 700, 100, 200], "label": "a cat"}]', "", (CAT_BOX,)),
        ('[{"bbox_2d": [-5, 0, 2000, 1000], "label": "\\u732b"}]', "", (Box((0, 0, 1000, 1000), "猫"),)),
        ('[{"bbox_2d": [0, 0, 9, 9], "label": "half \\ud83d"}]', "", (Box((0, 0, 9, 9), "half ?"),)),
        ('[{"bbox_2d": [1, 2, 3], "label": "three"}, {"bbox_2d": [1.2.3, 4, 5, 6]}]', "", ()),
    ],
)
def test_boxes_are_read_and_their_json_is_not_shown(answer: str, text: str, boxes: tuple[Box, ...]) -> None:
    assert find_boxes(answer) == Grounding(text, boxes)


@pytest.mark.parametrize("loop", [" ", "\n", "[ ", "``` ", '{"bbox_2d": [', '"bbox_2d"'])
def test_an_answer_that_repeats_itself_takes_no_longer_than_its_length(loop: str) -> None:
    begin = time.process_time()
    assert find_boxes(f"Here:{loop * 5_000}x {json.dumps([CAT])}").boxes == (CAT_BOX,)
    assert time.process_time() - begin < 0.5


def test_other_json_is_left_alone() -> None:
    answer = 'Here you are:\n```json\n{"total": 42, "items": [{"name": "tea"}]}\n```'
    assert find_boxes(answer) == Grounding(answer)
    assert visible(answer) == answer


def test_boxes_of_several_pictures_know_theirs() -> None:
    boxes = find_boxes(f"Picture 1:\n{fenced(CAT)}\nIn picture 3: {json.dumps([POINT])}").boxes
    assert [box.picture for box in boxes] == [1, 3]


@pytest.mark.parametrize(
    "answer", [f"Here it is:\n{fenced(CAT, POINT)}\nIt sleeps.", json.dumps([CAT]), json.dumps(POINT)]
)
def test_a_growing_answer_never_shows_a_piece_of_its_json(answer: str) -> None:
    words = find_boxes(answer).text
    for length in range(len(answer) + 1):
        shown = visible(answer[:length])
        assert not set('{}[]`"') & set(shown)
        assert words.startswith(shown.strip()) or shown.strip() == "Here it is:"


def test_a_growing_answer_shows_everything_else_at_the_latest_when_it_is_clear() -> None:
    answer = 'The list [1, 2] and `code`:\n```python\nprint({"a": 1})\n```\nend.'
    assert visible(answer) == answer
    assert visible(answer[:-4]).startswith(answer[:30])


def test_an_answer_of_boxes_only_gets_words() -> None:
    assert find_boxes(fenced(CAT, POINT)).words(Translator("en")) == "Marked in the picture: a cat, its nose."
    assert find_boxes(fenced(CAT, POINT)).words(Translator("zh")) == "已在图片中标出：a cat、its nose。"
    assert find_boxes('[{"bbox_2d": [1, 2, 3, 4]}]').words(Translator("en")) == "Marked in the picture."
    assert find_boxes("Just words").words(Translator("en")) == "Just words"


def pixel(png: bytes, x: int, y: int) -> tuple[int, ...]:
    value = Pillow.open(io.BytesIO(png)).getpixel((x, y))
    assert isinstance(value, tuple)
    return tuple(value)


async def white() -> Image:
    return await make_image(encoded(plain(WHITE, (400, 300)), "PNG"))


async def test_boxes_are_drawn_where_they_are() -> None:
    png = await draw(await white(), [Box((250, 500, 750, 900), "cat"), Box((0, 0, 1000, 1000), "all")])
    colour = pixel(png, 98, 200)
    assert colour != WHITE
    assert [pixel(png, x, y) for x, y in ((301, 200), (200, 148), (200, 270))] == [colour] * 3
    assert [pixel(png, x, y) for x, y in ((101, 200), (298, 200), (200, 200), (50, 200))] == [WHITE] * 4
    assert pixel(png, 0, 150) not in (WHITE, colour)


@pytest.mark.parametrize("label", ["", "a cat", "发票总额", "a very long label " * 10])
@pytest.mark.parametrize("size", [(400, 300), (40, 4), (1, 1)])
async def test_every_label_fits_on_every_picture(label: str, size: tuple[int, int]) -> None:
    image = await make_image(encoded(plain(RED, size), "PNG"))
    png = await draw(image, [Box((0, 0, 500, 500), label), Box((999, 999, 999, 999), label)])
    assert Pillow.open(io.BytesIO(png)).size == size


async def test_a_label_is_written_in_any_alphabet_and_what_has_no_sign_becomes_a_number() -> None:
    image = await white()

    async def labelled(label: str) -> bytes:
        return await draw(image, [Box((250, 500, 750, 900), label)])

    drawn = {
        label: await labelled(label) for label in ("", "发票", "票发", "счёт", "σύνολο", "ラベル", "라벨", "total")
    }
    assert len(set(drawn.values())) == len(drawn)
    assert await labelled("🙂 🙃") == await labelled("\U0010ffff") == drawn[""] == await labelled("1")
    assert await labelled("发票🙂") == drawn["发票"]


async def test_the_picture_that_an_answer_points_into_comes_back_marked() -> None:
    first, second = [await make_image(encoded(plain(colour, (400, 300)), "PNG")) for colour in (RED, GREEN)]
    asked = Conversation("t:1").ask(Question("Where is it?", (first, second))).turns[-1]

    def answered(text: str) -> Turn:
        return replace(asked, answer=Answer(text, Ending.DONE))

    assert await mark(asked) == []
    assert await mark(answered("Nowhere.")) == []
    [marked] = await mark(answered(fenced(CAT)))
    assert (marked.number, pixel(marked.png, 399, 299)) == (2, GREEN)
    [marked] = await mark(answered(f"In picture 1: {fenced(CAT)}"))
    assert (marked.number, pixel(marked.png, 399, 299)) == (1, RED)
    assert [m.number for m in await mark(answered(f"Picture 1: {fenced(CAT)} Picture 2: {fenced(CAT)}"))] == [1, 2]


async def test_a_follow_up_points_into_the_last_picture_that_its_conversation_had() -> None:
    known = await conversation_of(2)
    turn = Turn("And where is that?", (), Answer(fenced(CAT), Ending.DONE))
    assert [picture.number for picture in pointed_at(turn, known)] == [2]
    for question in ("Where is that in picture 1?", "图1中的总额在哪里？", "第1张图中的总额在哪里？"):
        assert [picture.number for picture in pointed_at(replace(turn, text=question), known)] == [1]
    assert pointed_at(turn) == {}


async def conversation_of(pictures: int) -> Conversation:
    """A question about each of so many pictures."""
    turns = [Turn("?", (Picture(number, await white()),)) for number in range(1, pictures + 1)]
    return Conversation("t:1", tuple(turns))


async def test_what_pointed_into_a_removed_picture_points_into_no_other() -> None:
    known = (await conversation_of(3)).without({2})
    answer = Answer(fenced(CAT), Ending.DONE)
    asked = replace(known.turns[1], answer=answer)
    assert asked.removed == (2,)
    assert pointed_at(asked, known.until(2)) == {}
    follow_up = Turn("And where is that?", (), answer)
    assert pointed_at(follow_up, known.until(2)) == {}
    assert [picture.number for picture in pointed_at(follow_up, known)] == [3]
    assert pointed_at(replace(follow_up, text="Where is that in picture 2?"), known) == {}
    both = replace(follow_up, answer=Answer(f"Picture 1: {fenced(CAT)} Picture 2: {fenced(CAT)}", Ending.DONE))
    assert [picture.number for picture in pointed_at(both, known)] == [1]
    assert [number for number, _ in placed(both, known)] == [1, 2]


def test_a_box_of_endless_digits_stays_as_it_was_written() -> None:
    answer = '{"bbox_2d": [' + "9" * 400 + ", 1, 2, 3]}"
    assert moved(answer, (0, 0, 500, 500)) == answer

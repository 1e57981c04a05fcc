"""A tall picture is shown to the model in its tiles, and stays one picture."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.answer import Answer, Ending, Figures
from core.conversation import Conversation
from core.engine.cache import Cache
from core.engine.prompt import Prompter, picture_keys
from core.engine.tile_by_tile import answer_by_tiles
from core.engine.tokenizer import Tokenizer
from core.errors import BadQuestion, QueueFull
from core.events import Event, Looking, Piece
from core.image import Image, tile_id
from core.model.patches import Grid
from core.pictures.views import view_png
from core.sampling import Sampling
from tests.core.engine.conftest import Start
from tests.core.engine.reference import Reference
from tests.core.engine.test_cache import make_kv, rows
from tests.core.engine.tiny import ask, make_image, read

GREEDY = Sampling(max_new_tokens=12)


def tall(seed: int = 1) -> Image:
    image = make_image(seed, 64, 320)
    return replace(image, id=f"{image.id[:-1]}t", tiles=((0, 0, 64, 96), (0, 96, 64, 224), (0, 224, 64, 320)))


async def test_an_answer_about_tiles_equals_transformers_generate(start: Start, reference: Reference) -> None:
    first = ask("Compare.", make_image(2), tall())
    async with start() as engine:
        answer, events = await read(engine, first, GREEDY)
        assert answer.text == reference.generate(first, 12)
        assert answer.figures.shown_whole == 0
        assert [event for event in events if isinstance(event, Looking)] == [Looking(1, 2), Looking(2, 2)]
        second = ask("And now?", after=first, answer=answer)
        answer, _ = await read(engine, second, GREEDY)
        assert answer.figures.reused_tokens > 20
        assert answer.text == reference.generate(second, 12)


async def test_tiles_encoded_ahead_are_not_encoded_again(start: Start) -> None:
    async with start() as engine:
        await engine.encode_ahead(tall())
        await read(engine, ask("What is it?", tall()), GREEDY)
        await read(engine, ask("And this?", replace(tall(), data=b"is not read")), GREEDY)


def test_one_numbered_picture_has_numbered_parts_that_count(tiny: Path) -> None:
    tokenizer = Tokenizer(tiny)
    prompter = Prompter(tokenizer, Grid(32, 1024, 262144), 256)
    prompt = prompter.write(ask("What is it?", make_image(2), tall()), 10)
    text = tokenizer.decode(prompt.ids.tolist())
    assert [label for label in ("Picture 1: ", *(f"Picture 2, part {n} of 3: " for n in (1, 2, 3))) if label in text]
    assert [(span.height, span.width) for span in prompt.spans] == [(3, 4), (3, 2), (4, 2), (3, 2)]


def test_where_tiles_leave_no_room_pictures_are_shown_whole(tiny: Path) -> None:
    conversation = ask("What is it?", *map(tall, range(1, 6)))
    prompt = Prompter(Tokenizer(tiny), Grid(32, 1024, 262144), 256).write(conversation, 130)
    assert [(span.height, span.width) for span in prompt.spans] == [(6, 1)] * 5
    assert {span.image.id for span in prompt.spans} == {tile_id(tall(seed).id, 0) for seed in range(1, 6)}
    with pytest.raises(BadQuestion):
        Prompter(Tokenizer(tiny), Grid(32, 1024, 262144), 256).write(conversation, 220)


async def test_an_answer_about_tall_pictures_shown_whole_equals_transformers_generate(
    start: Start, reference: Reference
) -> None:
    conversation = ask("Compare.", *map(tall, range(1, 10)))
    shrunk = [shown_whole(picture.image) for picture in conversation.turns[0].pictures]
    async with start(context_tokens=256) as engine:
        answer, _ = await read(engine, conversation, GREEDY)
    assert answer.text == reference.generate(ask("Compare.", *shrunk), 12)
    assert answer.figures.shown_whole == 9


def shown_whole(image: Image) -> Image:
    return replace(image.untiled, data=view_png(image.untiled))


def test_what_was_computed_of_tiles_is_forgotten_with_their_picture(tmp_path: Path) -> None:
    forgets: list[Callable[[Cache], None]] = [
        lambda cache: cache.forget(None, ["cat"]),
        lambda cache: cache.keep_only(["t:1"], ["dog"]),
    ]
    for forget in forgets:
        cache = Cache(1 << 20, None)
        shown = np.concatenate([rows(1, 2), picture_keys(tile_id("cat", 2), 4), rows(3)])
        cache.keep("t:1", shown, make_kv(7))
        for name in ("dog", *(tile_id(name, 2) for name in ("cat", "dog"))):
            cache.keep_picture(name, torch.zeros(1, 2, 2))
        forget(cache)
        assert cache.reusable(np.append(shown, 9)) <= 2
        assert [cache.has_picture(name) for name in ("dog", tile_id("dog", 2), tile_id("cat", 2))] == [
            True,
            True,
            False,
        ]


# Tile by tile


def says(
    *texts: str, ending: Ending = Ending.DONE, asked: list[Conversation] | None = None
) -> Callable[..., Awaitable[Answer]]:
    """Return what answers each next question with the next text, in pieces of three characters."""
    left = list(texts)

    async def answer(conversation: Conversation, sampling: Sampling, tell: Callable[[Event], None]) -> Answer:
        text = left.pop(0)
        if asked is not None:
            asked.append(conversation)
        tell(Looking(1, 1))
        for first in range(0, len(text), 3):
            tell(Piece(text[first : first + 3]))
        return Answer(text, ending if not left else Ending.DONE, Figures(prompt_tokens=10, answer_tokens=5))

    return answer


async def joined(*texts: str, image: Image | None = None, doubt: str | None = None) -> tuple[str, str]:
    """Return the answer about a picture's tiles, and what was told of it."""
    events: list[Event] = []
    conversation = ask("Read it.", image or tall())
    answer = await answer_by_tiles(conversation, Sampling(), events.append, says(*texts), doubt)
    return answer.text, "".join(event.text for event in events if isinstance(event, Piece))


async def test_each_tile_is_asked_about_alone_and_the_answer_is_one() -> None:
    asked: list[Conversation] = []
    events: list[Event] = []
    ask_each = says("a\nb", "c", "d\ne", asked=asked)
    answer = await answer_by_tiles(ask("Read it.", tall()), Sampling(), events.append, ask_each)
    assert answer == Answer("a\nb\nc\nd\ne", Ending.DONE, Figures(prompt_tokens=30, answer_tokens=15))
    shown = [[picture.image.tiles for picture in each.turns[-1].pictures] for each in asked]
    assert shown == [[(tile,)] for tile in tall().tiles]
    assert "".join(event.text for event in events if isinstance(event, Piece)) == answer.text
    assert sum(isinstance(event, Looking) for event in events) == 1


async def test_what_two_overlapping_tiles_show_is_said_once() -> None:
    shared = replace(tall(), tiles=((0, 0, 64, 120), (0, 90, 64, 230), (0, 230, 64, 320)))
    text, _ = await joined("one\ntwo\nthree\nfo", "ree\nthree\nfour\nfive", "five\nsix", image=shared)
    assert text == "one\ntwo\nthree\nfour\nfive\nfive\nsix"  # the last two tiles share nothing: it is printed twice


async def test_boxes_are_those_of_the_whole_picture_also_while_they_are_told() -> None:
    box = '{"bbox_2d": [0, 500, 1000, 1000], "label": "cat"}'
    text, told = await joined("None.", f"It is here: {box}", "None.")
    assert text == 'None.\nIt is here: {"bbox_2d": [0, 500, 1000, 700], "label": "cat"}'
    assert told.startswith(text)


async def test_a_doubt_is_said_only_if_no_tile_has_an_answer() -> None:
    assert (await joined("Not sure.", "318.20", "Not sure.", doubt="Not sure."))[0] == "318.20"
    assert (await joined("Not sure.", "Not sure.", "Not sure.", doubt="Not sure."))[0] == "Not sure."


async def test_the_length_limit_is_that_of_the_whole_answer() -> None:
    sampling = Sampling(max_new_tokens=8)
    asked: list[Conversation] = []
    answer = await answer_by_tiles(ask("Read it.", tall()), sampling, lambda _: None, says("a", "b", "c", asked=asked))
    assert (answer.text, answer.ending, len(asked)) == ("a\nb", Ending.LENGTH, 2)


async def test_a_line_that_fills_up_between_two_tiles_keeps_what_was_said_of_the_first() -> None:
    ask_first = says("a")

    async def ask_each(conversation: Conversation, sampling: Sampling, tell: Callable[[Event], None]) -> Answer:
        try:
            return await ask_first(conversation, sampling, tell)
        except IndexError:
            raise QueueFull from None

    answer = await answer_by_tiles(ask("Read it.", tall()), Sampling(), lambda _: None, ask_each)
    assert (answer.text, answer.ending) == ("a", Ending.LENGTH)
    with pytest.raises(QueueFull):
        await answer_by_tiles(ask("Read it.", tall()), Sampling(), lambda _: None, ask_each)


async def test_an_answer_in_json_is_about_all_tiles_at_once() -> None:
    asked: list[Conversation] = []
    conversation = replace(ask("Read it.", tall()), answer_schema="{}")
    await answer_by_tiles(conversation, Sampling(), lambda _: None, says("{}", asked=asked))
    assert asked == [conversation]

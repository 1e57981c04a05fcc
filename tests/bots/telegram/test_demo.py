"""End to end: what people send on Telegram is answered by the demo model that comes with the code."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image as PilImage

from core.engine import Config as EngineConfig
from core.engine.engine import Engine
from tests.bots.telegram.conftest import Chatting, service
from tests.bots.telegram.server import BotApi, Person

pytestmark = pytest.mark.timeout(300)
SAMPLES = Path(__file__).parents[3] / "core" / "demo" / "samples"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.png").read_bytes()


def as_photo(name: str) -> bytes:
    """As Telegram's apps send photos."""
    data = io.BytesIO()
    PilImage.open(SAMPLES / f"{name}.png").convert("RGB").save(data, "JPEG", quality=87)
    return data.getvalue()


@pytest.fixture
async def answering(telegram: BotApi, tmp_path: Path) -> AsyncIterator[BotApi]:
    demo = await Engine.start(EngineConfig(model="demo", threads=1, cache=tmp_path / "cache", cache_limit=0))
    try:
        async with service(telegram, tmp_path, demo):
            yield telegram
    finally:
        await demo.close()


async def test_a_captioned_photo_and_its_follow_ups_in_a_private_chat(answering: BotApi, ann: Chatting) -> None:
    assert "8,600.00" in await ann.answer(ann.person.shows(as_photo("invoice"), "What is the total?"))
    assert "2026年1月18日" in await ann.answer(ann.person.says("What is the date?"))
    assert "13%" in await ann.answer(ann.person.says("税率是多少？"))


async def test_an_album_of_two_in_a_private_chat(answering: BotApi, ann: Chatting) -> None:
    captioned = ann.person.shows(as_photo("product"), "What is the price in picture 1?", album="a")
    ann.person.shows(as_photo("invoice"), album="a")
    assert "129.00" in await ann.answer(captioned)
    assert "8,600.00" in await ann.answer(ann.person.says("What is the total in picture 2?"))


async def test_a_picture_sent_as_a_file_in_a_group(answering: BotApi) -> None:
    team = Chatting(Person(answering, answering.world.chat(-100), user_id=7))
    question = team.person.sends_file(sample("product"), "product.png", "image/png", "@picture_bot What is the price?")
    [answer] = await team.answers(question)
    assert "129.00" in answer["text"]
    follow_up = team.person.says("What is the name of the product?", reply_to=answer)
    assert "Nova Headphones Pro 7" in await team.answer(follow_up)


async def test_a_reply_to_somebody_elses_picture_in_a_topic(answering: BotApi) -> None:
    chat = answering.world.chat(-200, forum=True)
    picture = Person(answering, chat, user_id=8, topic=5).shows(as_photo("chart"))
    team = Chatting(Person(answering, chat, user_id=7, topic=5))
    question = team.person.says("@picture_bot Which quarter is the highest?", reply_to=picture)
    assert "Q4" in await team.answer(question)


async def test_a_reply_to_an_earlier_picture_after_another_one(answering: BotApi, ann: Chatting) -> None:
    first = ann.person.shows(as_photo("invoice"), "What is the total?")
    await ann.answer(first)
    assert "129.00" in await ann.answer(ann.person.shows(as_photo("product"), "What is the price?"))
    assert "NO.20260118" in await ann.answer(ann.person.says("What is the invoice number?", reply_to=first))


async def test_where_something_is_gets_drawn(answering: BotApi, ann: Chatting) -> None:
    question = ann.person.shows(as_photo("product"), "Where is the price?")
    words, drawn = await ann.answers(question, count=2)
    assert "bbox" not in words["text"]
    assert drawn["photo"]


async def test_a_page_of_a_pdf_is_read(answering: BotApi, ann: Chatting) -> None:
    page = io.BytesIO()
    PilImage.open(SAMPLES / "invoice.png").convert("RGB").save(page, "PDF", resolution=200)
    question = ann.person.sends_file(page.getvalue(), "invoice.pdf", "application/pdf", "What is the total?")
    assert "8,600.00" in await ann.answer(question)

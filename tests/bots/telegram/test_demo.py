"""End to end: what people send on Telegram is answered by the demo model, in the words it says when asked directly."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image as PilImage

from core.documents import open_document
from core.engine import Config as EngineConfig
from core.engine.engine import Engine
from core.images import Config as ImagesConfig
from tests.bots.telegram.conftest import Chatting, service
from tests.bots.telegram.server import BotApi, Person
from tests.demo import SAMPLES, as_photo, directly, sample, shows

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = await Engine.start(EngineConfig(model="demo", threads=1, cache=tmp_path / "cache", cache_limit=0))
    yield engine
    await engine.close()


@pytest.fixture
async def answering(telegram: BotApi, tmp_path: Path, demo: Engine) -> AsyncIterator[BotApi]:
    async with service(telegram, tmp_path, demo):
        yield telegram


async def test_a_captioned_photo_and_its_follow_ups_in_a_private_chat(
    answering: BotApi, ann: Chatting, demo: Engine
) -> None:
    photo = as_photo("invoice")
    expected = await directly(demo, ("What is the total?", (photo,)), ("What is the date?", ()), ("税率是多少？", ()))
    assert shows(await ann.answer(ann.person.shows(photo, "What is the total?")), expected[0])
    assert shows(await ann.answer(ann.person.says("What is the date?")), expected[1])
    assert shows(await ann.answer(ann.person.says("税率是多少？")), expected[2])


async def test_an_album_of_two_in_a_private_chat(answering: BotApi, ann: Chatting, demo: Engine) -> None:
    photos = as_photo("product"), as_photo("invoice")
    first, second = "What is the price in picture 1?", "What is the total in picture 2?"
    expected = await directly(demo, (first, photos), (second, ()))
    captioned = ann.person.shows(photos[0], first, album="a")
    ann.person.shows(photos[1], album="a")
    assert shows(await ann.answer(captioned), expected[0])
    assert shows(await ann.answer(ann.person.says(second)), expected[1])


async def test_a_picture_sent_as_a_file_in_a_group(answering: BotApi, demo: Engine) -> None:
    file = sample("product")
    first, second = "What is the price?", "What is the name of the product?"
    expected = await directly(demo, (first, (file,)), (second, (file,)))
    team = Chatting(Person(answering, answering.world.chat(-100), user_id=7))
    [answer] = await team.answers(team.person.sends_file(file, "product.png", "image/png", f"@picture_bot {first}"))
    assert shows(answer["text"], expected[0])
    assert shows(await team.answer(team.person.says(second, reply_to=answer)), expected[1])


async def test_a_reply_to_somebody_elses_picture_in_a_topic(answering: BotApi, demo: Engine) -> None:
    [expected] = await directly(demo, ("Which quarter is the highest?", (as_photo("chart"),)))
    chat = answering.world.chat(-200, forum=True)
    picture = Person(answering, chat, user_id=8, topic=5).shows(as_photo("chart"))
    team = Chatting(Person(answering, chat, user_id=7, topic=5))
    question = team.person.says("@picture_bot Which quarter is the highest?", reply_to=picture)
    assert shows(await team.answer(question), expected)


async def test_a_reply_to_an_earlier_picture_after_another_one(answering: BotApi, ann: Chatting, demo: Engine) -> None:
    invoice, product = as_photo("invoice"), as_photo("product")
    questions = "What is the total?", "What is the price?", "What is the invoice number?"
    pictures = (invoice,), (product,), (invoice,)
    expected = await directly(demo, *zip(questions, pictures, strict=True))
    first = ann.person.shows(invoice, questions[0])
    assert shows(await ann.answer(first), expected[0])
    assert shows(await ann.answer(ann.person.shows(product, questions[1])), expected[1])
    assert shows(await ann.answer(ann.person.says(questions[2], reply_to=first)), expected[2])


async def test_where_something_is_gets_drawn(answering: BotApi, ann: Chatting) -> None:
    question = ann.person.shows(as_photo("product"), "Where is the price?")
    words, drawn = await ann.answers(question, count=2)
    assert "bbox" not in words["text"]
    assert drawn["photo"]


async def test_a_page_of_a_pdf_is_read(answering: BotApi, ann: Chatting, demo: Engine) -> None:
    page = io.BytesIO()
    PilImage.open(SAMPLES / "invoice.png").convert("RGB").save(page, "PDF", resolution=200)
    document = await open_document(page.getvalue(), "What is the total?", ImagesConfig())
    [expected] = await directly(demo, ("What is the total?", tuple(image.data for image in document.images)))
    question = ann.person.sends_file(page.getvalue(), "invoice.pdf", "application/pdf", "What is the total?")
    assert shows(await ann.answer(question), expected)

"""End to end: what people send on Telegram is answered by the demo model, in the words it says when asked directly.

Every kind of question in every kind of place.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image as PilImage

from core.engine import EngineConfig
from core.engine.engine import Engine
from core.pictures.documents import open_document
from core.pictures.images import ImagesConfig
from tests.bots.telegram.conftest import Chatting, service
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.world import Json
from tests.demo import SAMPLES, as_photo, directly, sample, shows

PLACES: dict[str, dict[str, int]] = {
    "private": {"chat_id": 7},
    "group": {"chat_id": -100},
    "topic": {"chat_id": -200, "topic": 5},
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One for all tests here; it has a thread of its own and belongs to no event loop."""
    folder = tmp_path_factory.mktemp("cache")
    engine = asyncio.run(Engine.start(EngineConfig(model="demo", threads=1, cache=folder, cache_limit_gb=0)))
    yield engine
    asyncio.run(engine.close())


@dataclass
class Scene:
    """Somebody in a place; in a group they mention the bot each time."""

    telegram: BotApi
    engine: Engine
    place: str

    def person(self, user_id: int = 7) -> Person:
        chat_id, topic = PLACES[self.place]["chat_id"], PLACES[self.place].get("topic")
        return Person(self.telegram, self.telegram.world.chat(chat_id, forum=bool(topic)), user_id, topic=topic)

    def asks(self, question: str) -> str:
        return question if self.place == "private" else f"@picture_bot {question}"

    async def check(self, question: Json, expected: str) -> Json:
        """The answer stands below the question, in the same place, and says what the model says."""
        [answer] = await Chatting(self.person()).answers(question)
        assert shows(answer["text"], expected)
        assert answer.get("message_thread_id") == PLACES[self.place].get("topic")
        return answer


@pytest.fixture(params=PLACES)
async def scene(telegram: BotApi, tmp_path: Path, demo: Engine, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    async with service(telegram, tmp_path, demo):
        yield Scene(telegram, demo, request.param)


async def test_a_captioned_photo(scene: Scene) -> None:
    photo, question = as_photo("invoice"), "What is the total?"
    [expected] = await directly(scene.engine, (question, (photo,)))
    await scene.check(scene.person().shows(photo, scene.asks(question)), expected)


async def test_an_album_of_two(scene: Scene) -> None:
    photos = as_photo("product"), as_photo("invoice")
    question = "What is the total in picture 2?"
    [expected] = await directly(scene.engine, (question, photos))
    person = scene.person()
    captioned = person.shows(photos[0], scene.asks(question), album="a")
    person.shows(photos[1], album="a")
    await scene.check(captioned, expected)


async def test_a_picture_sent_as_a_file(scene: Scene) -> None:
    file, question = sample("product"), "What is the price?"
    [expected] = await directly(scene.engine, (question, (file,)))
    await scene.check(scene.person().sends_file(file, "product.png", "image/png", scene.asks(question)), expected)


async def test_a_reply_to_an_earlier_picture(scene: Scene) -> None:
    """Another picture was asked about since."""
    invoice, chart = as_photo("invoice"), as_photo("chart")
    questions = "What is the total?", "Which quarter is the highest?", "What is the invoice number?"
    expected = await directly(scene.engine, *zip(questions, ((invoice,), (chart,), (invoice,)), strict=True))
    person = scene.person()
    first = person.shows(invoice, scene.asks(questions[0]))
    await scene.check(first, expected[0])
    await scene.check(person.shows(chart, scene.asks(questions[1])), expected[1])
    await scene.check(person.says(scene.asks(questions[2]), reply_to=first), expected[2])


async def test_follow_ups(scene: Scene) -> None:
    """One in plain words, one as a reply to the bot's first answer, which needs no mention and is about its picture."""
    photo = as_photo("invoice")
    questions = "What is the total?", "What is the date?", "税率是多少？"
    expected = await directly(scene.engine, *zip(questions, ((photo,), (), (photo,)), strict=True))
    person = scene.person()
    answer = await scene.check(person.shows(photo, scene.asks(questions[0])), expected[0])
    await scene.check(person.says(scene.asks(questions[1])), expected[1])
    await scene.check(person.says(questions[2], reply_to=answer), expected[2])


async def test_a_reply_to_somebody_elses_picture_in_a_topic(telegram: BotApi, tmp_path: Path, demo: Engine) -> None:
    [expected] = await directly(demo, ("Which quarter is the highest?", (as_photo("chart"),)))
    async with service(telegram, tmp_path, demo):
        scene = Scene(telegram, demo, "topic")
        picture = scene.person(user_id=8).shows(as_photo("chart"))
        await scene.check(scene.person().says("@picture_bot Which quarter is the highest?", reply_to=picture), expected)


async def test_where_something_is_gets_drawn(telegram: BotApi, tmp_path: Path, demo: Engine, ann: Chatting) -> None:
    async with service(telegram, tmp_path, demo):
        question = ann.person.shows(as_photo("product"), "Where is the price?")
        words, drawn = await ann.answers(question, count=2)
    assert "bbox" not in words["text"]
    assert drawn["photo"]


async def test_a_page_of_a_pdf_is_read(telegram: BotApi, tmp_path: Path, demo: Engine, ann: Chatting) -> None:
    page = io.BytesIO()
    PilImage.open(SAMPLES / "invoice.png").convert("RGB").save(page, "PDF", resolution=200)
    document = await open_document(page.getvalue(), "What is the total?", ImagesConfig())
    [expected] = await directly(demo, ("What is the total?", tuple(image.data for image in document.images)))
    async with service(telegram, tmp_path, demo):
        question = ann.person.sends_file(page.getvalue(), "invoice.pdf", "application/pdf", "What is the total?")
        assert shows(await ann.answer(question), expected)

"""transformers' own engine behind Telegram, with the demo model and with another architecture."""

from pathlib import Path

from core.engine.engine import Engine
from tests.bots.telegram.conftest import Chatting, service
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.demo import as_photo, directly, shows


async def test_the_reference_engine_answers(telegram: BotApi, tmp_path: Path, reference: Engine) -> None:
    photo, question = as_photo("invoice"), "What is the total?"
    [expected] = await directly(reference, (question, (photo,)))
    async with service(telegram, tmp_path, reference):
        person = Person(telegram, telegram.world.chat(7), 7)
        [answer] = await Chatting(person).answers(person.shows(photo, question))
    assert shows(answer["text"], expected)

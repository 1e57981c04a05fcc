"""Every row of the table of commands on Telegram: in its menus, and in work."""

from pathlib import Path

import pytest

from bots.conversing.commands import COMMANDS, allowed
from bots.telegram.platform import TELEGRAM
from core.i18n import Translator
from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine

ANN = 7


@pytest.mark.parametrize("language", ["", "zh"])
async def test_the_menus_have_every_command_for_whom_it_is(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, language: str
) -> None:
    async with service(telegram, tmp_path, engine, admins=[ANN]):
        await until(lambda: f"zh{ANN}" in telegram.commands)
        translator = Translator(language)
        expected = [
            {"command": row.name, "description": row.described(TELEGRAM, translator)}
            for row in allowed(TELEGRAM, admin=True)
        ]
        assert telegram.commands[f"{language}{ANN}"] == expected
        everybodys = [{command["command"] for command in telegram.commands[language]}]
        assert everybodys == [{row.name for row in allowed(TELEGRAM, admin=False)}]


@pytest.mark.parametrize("addressed", ["", "@picture_bot"])
@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_is_carried_out(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting, name: str, addressed: str
) -> None:
    async with service(telegram, tmp_path, engine, admins=[ANN]):
        help_ = await ann.answer(ann.person.says("/help"))
        await ann.answer(ann.person.shows(photo(), "One"))
        word, _, example = COMMANDS[name].spelled(TELEGRAM, Translator("en")).partition(" ")
        if name == "remove":
            example = "1"
        [answer, *_] = await ann.answers(ann.person.says(f"{word}{addressed} {example}".strip()))
    said = answer.get("text", "")
    assert (said == help_) == (name == "help")
    assert not said.startswith(("Something went wrong", "Say "))


@pytest.mark.parametrize(
    ("language", "group", "private", "both"),
    [
        ("en", "@picture_bot What is the total?", "Then you can simply ask more", "If you edit a question"),
        ("zh", "@picture_bot 合计是多少？", "之后可以直接接着问", "编辑了问题"),
    ],
)
async def test_the_help_says_how_the_bot_is_asked_in_this_chat(
    running: BotApi, language: str, group: str, private: str, both: str
) -> None:
    alone, team = (Chatting(Person(running, running.world.chat(id_), ANN, language)) for id_ in (ANN, -100))
    said, said_there = await alone.answer(alone.person.says("/help")), await team.answer(team.person.says("/help"))
    assert private in said and group not in said and "@" not in said
    assert group in said_there and "/pictures@picture_bot" in said_there and private not in said_there
    assert both in said and both in said_there and "/new – " in said and "/new – " in said_there
    picture = team.person.shows(photo(), f"{group}")  # as the help says
    assert "about [1]" in await team.answer(picture)
    assert (await team.answer(team.person.says("/pictures@picture_bot"))).startswith(("Picture 1", "图片 1"))


@pytest.mark.parametrize("word", ["/start", "/help", "/nobody_knows_this"])
async def test_who_begins_a_chat_or_orders_what_nobody_knows_gets_the_help(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting, word: str
) -> None:
    async with service(telegram, tmp_path, engine):
        assert "/new – Begin a new conversation" in await ann.answer(ann.person.says(word))

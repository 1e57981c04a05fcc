"""The bot's own sentences are in the language of the question where that is clear, else in the client's."""

import pytest

from tests.bots.telegram.conftest import Chatting, photo, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine


@pytest.mark.parametrize("client", ["en", "ru", ""])
async def test_a_chinese_question_gets_chinese_sentences(running: BotApi, client: str) -> None:
    ann = Chatting(Person(running, running.world.chat(7), language=client))
    assert (await ann.answer(ann.person.says("总金额是多少？"))).startswith("请发一张图片")
    refused = ann.person.sends_file(b"no picture", "scan.png", "image/png", "这是什么？")
    assert (await ann.answer(refused)).startswith("这是文本文件")
    assert (await ann.answer(ann.person.shows(photo()))).startswith("Got picture 1.")


async def test_an_english_question_gets_english_sentences_whatever_the_client_says(running: BotApi) -> None:
    li = Chatting(Person(running, running.world.chat(7), language="zh-hans"))
    assert (await li.answer(li.person.says("What is the total?"))).startswith("Send a picture")
    assert (await li.answer(li.person.says("Total"))).startswith("请发一张图片")


async def test_the_buttons_follow_the_question_too(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    engine.script, engine.pause = lambda _: "word " * 1000, 0.05
    question = ann.person.shows(photo(), "请描述这张图片")
    await until(lambda: any("word" in message["text"] for message in ann.chat.answers_to(question["message_id"])))
    [growing] = ann.chat.answers_to(question["message_id"])
    assert ann.chat.states[growing["message_id"]][0][1] == "请稍候 …"
    ann.person.presses(growing, "停止")
    [stopped] = await ann.answers(question)
    assert stopped["text"].endswith("（已停止）")
    assert stopped["reply_markup"]["inline_keyboard"][0][0]["text"] == "重试"
    await until(lambda: running.callback_answers)
    assert running.callback_answers[-1]["text"] == "正在停止 …"

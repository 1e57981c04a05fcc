"""Print in a Telegram chat, also while it is being written."""

import asyncio

from tests.bots.telegram.conftest import Chatting, photo, until
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine

PRINT = "Balance 500\n- 320\n- 45\n2*3*4 __init__\nC:\\_tmp\\(new)\n# 5520\n1) one  @somebody"


async def test_a_transcription_is_shown_character_for_character(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script, engine.gate = lambda _: PRINT, asyncio.Event()
    question = ann.person.shows(photo(), "Extract all text")
    await until(lambda: any("Balance" in message["text"] for message in ann.chat.by_bot()))
    engine.gate.set()
    [answer] = await ann.answers(question)
    assert answer["text"] == PRINT
    assert {entity["type"] for entity in answer["entities"]} == {"pre"}
    grown = [text for _, text in ann.chat.states[answer["message_id"]] if text not in ("One moment …", PRINT)]
    assert any(PRINT.startswith(text) for text in grown)
    assert "- 320" in (await ann.answer(ann.person.says("请继续")))


async def test_print_in_another_answer_keeps_its_marks_and_emphasis_stays(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: f"**It says:**\n{PRINT}\n\n- a list"
    [answer] = await ann.answers(ann.person.shows(photo(), "What is wrong here?"))
    assert answer["text"] == f"It says:\n{PRINT}\n\n• a list"
    assert answer["entities"][0] == {"type": "bold", "offset": 0, "length": 8}

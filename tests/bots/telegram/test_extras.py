"""What comes with an answer: receipt, drawn boxes, files, documents, small print."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from bots.telegram import draft
from core.conversation import Conversation
from core.errors import Busy
from tests.bots.telegram.conftest import Chatting, is_finished, photo, service, until
from tests.bots.telegram.server import BotApi, Fault
from tests.bots.telegram.world import Json
from tests.fakes import ScriptedEngine

TABLE = "| item | price |\n|---|---|\n| tea | 3 |\n| =1+1 | 4 |"


def pdf(pages: int) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for number in range(pages):
        document.new_page(200 + 10 * number, 100)
    data = io.BytesIO()
    document.save(data)
    document.close()
    return data.getvalue()


def content(telegram: BotApi, message: Json) -> bytes:
    media: Any = message["photo"][0] if "photo" in message else message["document"]
    return telegram.world.files[media["file_id"]]


def files(ann: Chatting) -> list[Json]:
    return [message for message in ann.chat.by_bot() if "photo" in message or "document" in message]


def labels(message: Json) -> list[str]:
    return [button["text"] for [button] in message.get("reply_markup", {}).get("inline_keyboard", [])]


async def test_a_receipt_says_which_picture_was_shrunk_unless_it_is_switched_off(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path
) -> None:
    engine.script = lambda _: "well"
    async with service(telegram, tmp_path, engine, receipt=True):
        text = await ann.answer(ann.person.shows(photo(size=(3000, 2000)), "What is this?"))
        assert text.startswith("well\n\nLooked at picture 1 (")
        assert text.endswith("shrunk from 3000×2000)")
        assert await ann.answer(ann.person.says("And now?")) == "well"
    async with service(telegram, tmp_path, engine, receipt=False):
        assert await ann.answer(ann.person.shows(photo("blue", (3000, 2000)), "What is this?")) == "well"


async def test_a_long_answer_can_be_had_as_a_text_file(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    engine.script = lambda _: "a long answer\n\n" * 300
    question = ann.person.shows(photo(), "Tell me everything")
    messages = await ann.answers(question, count=2)
    assert labels(messages[-1]) == ["As a text file"]
    ann.person.presses(messages[-1])
    await until(lambda: files(ann))
    assert content(running, files(ann)[0]).decode() == "a long answer\n\n" * 300


async def test_one_broken_picture_of_an_album_spoils_only_itself(running: BotApi, ann: Chatting) -> None:
    captioned = ann.person.sends_file(photo(), "good.png", "image/png", "Compare", album="a")
    ann.person.sends_file(b"not a picture", "bad.png", "image/png", album="a")
    text = await ann.answer(captioned)
    assert text.startswith("Answer to 'Compare' about [1] after 0 turns.")
    assert "picture" in text.split("\n\n")[1]


async def test_a_conversation_can_be_exported(running: BotApi, ann: Chatting) -> None:
    assert await ann.answer(ann.person.says("/export")) == "There is nothing in this conversation yet."
    await ann.answer(ann.person.shows(photo(), "One"))
    ann.person.says("/export")
    await until(lambda: files(ann))
    with zipfile.ZipFile(io.BytesIO(content(running, files(ann)[0]))) as archive:
        assert "pictures/1.png" in archive.namelist()
        assert "One" in archive.read("transcript.md").decode()


BOXES = '[{"bbox_2d": [100, 100, 900, 900], "label": "a line"}]'


async def test_a_drawn_strip_too_long_for_a_photo_comes_as_a_file(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: BOXES
    ann.person.sends_file(photo(size=(1600, 32), kind="PNG"), "strip.png", "image/png", "Where?")
    await until(lambda: files(ann))
    assert files(ann)[0]["document"]["file_name"] == "picture-1.png"


async def test_a_file_that_telegram_does_not_take_leaves_a_word_and_no_stop_button(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: BOXES
    running.world.refused_media = {"photo", "document"}
    _, lost = await ann.answers(ann.person.shows(photo(), "Where?"), count=2)
    assert lost["text"] == "picture-1.png could not be sent: Telegram does not take it."
    assert "reply_markup" not in lost


async def test_a_file_too_large_for_telegram_is_not_uploaded(
    running: BotApi, ann: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    monkeypatch.setattr(draft, "LARGEST_FILE_BYTES", 100)
    assert (await ann.answer(ann.person.says("/export"))).endswith("could not be sent: Telegram does not take it.")
    assert not files(ann)


async def test_a_file_is_shown_once_through_trouble(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    left: list[Fault] = ["drop after", "500"]
    running.trouble = lambda method: left.pop(0) if method == "editMessageMedia" and left else None
    ann.person.says("/export")
    await until(lambda: not left and files(ann))
    await ann.answer(ann.person.says("Two"))
    assert len(files(ann)) == 1


async def test_a_refused_look_at_the_small_print_is_tried_again_as_one(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    def pixels(conversation: Conversation) -> str:
        image = conversation.turns[-1].pictures[-1].image
        return f"{image.width * image.height} pixels"

    engine.script = pixels
    picture = photo("white", size=(4000, 3000), kind="PNG")
    [answer] = await ann.answers(ann.person.sends_file(picture, "page.png", "image/png", "Read"))
    engine.script = lambda _: Busy("Too many questions are waiting already. Please ask again in a minute.")
    ann.person.presses(answer, "Read the small print")
    await until(lambda: len(ann.chat.by_bot()) == 2 and is_finished(ann.chat.by_bot()[-1]))
    ann.person.presses(ann.chat.by_bot()[-1], "Try again")
    await until(lambda: len(ann.chat.by_bot()) == 3 and is_finished(ann.chat.by_bot()[-1]))
    engine.script = pixels
    ann.person.presses(ann.chat.by_bot()[-1], "Try again")
    await until(lambda: len(ann.chat.by_bot()) == 4 and "pixels" in ann.chat.by_bot()[-1]["text"])
    assert int(ann.chat.by_bot()[-1]["text"].split()[0]) > 3 * int(answer["text"].split()[0])

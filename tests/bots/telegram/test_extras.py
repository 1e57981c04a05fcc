"""What comes with an answer: receipt, drawn boxes, files, documents, small print."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image as PilImage

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


async def test_where_something_is_gets_drawn_and_its_json_is_never_shown(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: 'Here it is:\n```json\n[{"bbox_2d": [100, 100, 500, 500], "label": "cup"}]\n```'
    engine.pause = 0.1
    question = ann.person.shows(photo(size=(320, 240)), "Where is the cup?")
    await until(lambda: files(ann))
    assert await ann.answer(question) == "Here it is:"
    [drawn] = files(ann)
    assert drawn["caption"] == "Picture 1"
    assert PilImage.open(io.BytesIO(content(running, drawn))).size == (320, 240)
    shown = [text for states in ann.chat.states.values() for _, text in states]
    assert not [text for text in shown if "bbox" in text or "{" in text]


async def test_a_table_can_be_had_as_a_csv_file(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    engine.script = lambda _: TABLE
    [answer] = await ann.answers(ann.person.shows(photo(), "Read the table"))
    assert labels(answer) == ["Table as CSV"]
    ann.person.presses(answer, "Table as CSV")
    await until(lambda: files(ann))
    [file] = files(ann)
    assert file["document"]["file_name"] == "table.csv"
    assert content(running, file).decode("utf-8-sig") == "item,price\r\ntea,3\r\n'=1+1,4\r\n"


async def test_a_long_answer_can_be_had_as_a_text_file(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    engine.script = lambda _: "a long answer\n\n" * 300
    question = ann.person.shows(photo(), "Tell me everything")
    messages = await ann.answers(question, count=2)
    assert labels(messages[-1]) == ["As a text file"]
    ann.person.presses(messages[-1])
    await until(lambda: files(ann))
    assert content(running, files(ann)[0]).decode() == "a long answer\n\n" * 300


async def test_small_print_is_read_from_the_picture_as_it_was_sent(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    [answer] = await ann.answers(ann.person.shows(photo(size=(3000, 2000)), "What does it say?"))
    ann.person.presses(answer, "Read the small print")
    await until(lambda: len(engine.asked) == 2)
    quick, sharp = (conversation.turns[-1].pictures[0].image for conversation in engine.asked)
    assert sharp.width > 1.9 * quick.width
    assert engine.asked[1].turns[-1].text == "What does it say?"
    await until(lambda: is_finished(ann.chat.by_bot()[-1]))
    assert labels(ann.chat.by_bot()[-1]) == []  # there is nothing closer than that


async def test_pages_of_a_pdf_become_pictures(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    question = ann.person.sends_file(pdf(12), "report.pdf", "application/pdf", "What do pages 2-4 say?")
    text = await ann.answer(question)
    assert text.startswith("Answer to 'What do pages 2-4 say?' about [1, 2, 3] after 0 turns.")
    assert "Pages looked at: 2-4 of 12." in text


async def test_one_broken_picture_of_an_album_spoils_only_itself(running: BotApi, ann: Chatting) -> None:
    captioned = ann.person.sends_file(photo(), "good.png", "image/png", "Compare", album="a")
    ann.person.sends_file(b"not a picture", "bad.png", "image/png", album="a")
    text = await ann.answer(captioned)
    assert text.startswith("Answer to 'Compare' about [1] after 0 turns.")
    assert "picture" in text.split("\n\n")[1]


async def test_pictures_shows_a_contact_sheet(running: BotApi, ann: Chatting) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    assert await ann.answer(ann.person.says("/pictures")) == "Picture 1: 64 × 48"
    await until(lambda: files(ann))
    assert PilImage.open(io.BytesIO(content(running, files(ann)[0]))).format == "PNG"


async def test_a_conversation_can_be_exported(running: BotApi, ann: Chatting) -> None:
    assert await ann.answer(ann.person.says("/export")) == "There is nothing in this conversation yet."
    await ann.answer(ann.person.shows(photo(), "One"))
    ann.person.says("/export")
    await until(lambda: files(ann))
    with zipfile.ZipFile(io.BytesIO(content(running, files(ann)[0]))) as archive:
        assert "pictures/1.png" in archive.namelist()
        assert "One" in archive.read("transcript.md").decode()


async def test_a_file_is_shown_once_through_trouble(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    left: list[Fault] = ["drop after", "500"]
    running.trouble = lambda method: left.pop(0) if method == "editMessageMedia" and left else None
    ann.person.says("/export")
    await until(lambda: not left and files(ann))
    await ann.answer(ann.person.says("Two"))
    assert len(files(ann)) == 1

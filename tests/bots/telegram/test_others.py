"""What is no picture, and who is no person: each gets its word, and nothing is passed over in silence."""

from pathlib import Path
from typing import Any

import pytest

from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.world import Json
from tests.fakes import ScriptedEngine

VIDEO = {"file_id": "v", "file_unique_id": "v", "width": 10, "height": 10, "duration": 1}
NOTE = {"file_id": "n", "file_unique_id": "n", "length": 10, "duration": 1}
RICH = {"blocks": [{"type": "paragraph", "text": "What is this?"}]}
CHECKLIST = {"title": "To do", "tasks": [{"id": 1, "text": "milk"}]}
ONLY_PICTURES = "I can only look at pictures"
CHANNEL_BOT: Json = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}


@pytest.mark.parametrize(
    "content",
    [{"rich_message": RICH}, {"checklist": CHECKLIST}, {"video_note": NOTE}, {"dice": {"emoji": "🎲", "value": 1}}],
    ids=["rich message", "checklist", "video note", "dice"],
)
async def test_what_shows_no_picture_gets_a_sentence(running: BotApi, ann: Chatting, content: dict[str, Any]) -> None:
    assert (await ann.answer(ann.person.sends(**content))).startswith(ONLY_PICTURES)
    team = Chatting(Person(running, running.world.chat(-100), user_id=7))
    [answer] = await team.answers(team.person.shows(photo(), "@picture_bot one"))
    reply = team.person.sends(**content, reply_to_message=answer)
    assert (await team.answer(reply)).startswith(ONLY_PICTURES)


async def test_what_is_no_picture_is_called_what_it_is(reached: BotApi, ann: Chatting) -> None:
    kinds = {
        "letter.docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "a Word file"),
        "ACCOUNTS.XLSX": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "an Excel file"),
        "slides.ppt": ("application/vnd.ms-powerpoint", "a PowerPoint file"),
        "notes.txt": ("text/plain", "a text file"),
        "a.b.zip": ("application/zip", "an archive"),
        "unknown.bin2": ("application/x-unknown", None),
    }
    for name, (kind, called) in kinds.items():
        answer = await ann.answer(ann.person.sends_file(b"PK", name, kind, "What does it say?"))
        assert answer.startswith(f"This is {called}" if called else ONLY_PICTURES), name
    assert (await ann.answer(ann.person.sends(video=VIDEO))).startswith("This is a video.")
    letter = ann.person.sends_file(b"PK", "信.docx", kinds["letter.docx"][0], "写了什么？")
    assert "Word" in await ann.answer(letter)


async def test_what_stands_beside_a_picture_is_named_in_the_receipt(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, receipt=True):
        captioned = ann.person.shows(photo(), "What is this?", album="a")
        ann.person.sends(video=VIDEO, media_group_id="a")
        ann.person.sends_file(b"PK", "letter.docx", "application/msword", album="a")
        answer = await ann.answer(captioned)
        assert answer.startswith("Answer to 'What is this?' about [1]")
        assert "Not looked at: the video, letter.docx." in answer
        alone = ann.person.shows(photo("blue"), album="b")
        ann.person.sends(video=VIDEO, media_group_id="b")
        assert await ann.answer(alone) == "Got picture 2. What would you like to know? Not looked at: the video."


async def test_a_live_photo_is_a_picture(running: BotApi, ann: Chatting) -> None:
    still = ann.person.shows(photo(), "")["photo"]
    live = {**VIDEO, "photo": still}
    assert (await ann.answer(ann.person.sends(live_photo=live, caption="What is this?"))).startswith("Answer to")


async def test_members_who_write_as_a_channel_are_answered_and_blocked_by_its_id(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    chat = telegram.world.chat(-100)
    boss = Chatting(Person(telegram, chat, user_id=9))
    news, other = ({"id": id_, "type": "channel", "title": title} for id_, title in ((-1001, "News"), (-1002, "Other")))
    writer = Chatting(Person(telegram, chat, user_id=CHANNEL_BOT["id"], is_bot=True))
    async with service(telegram, tmp_path, engine, admins=[9], allow=[-1001, -1002], channels=True):
        said = writer.person.shows(photo(), "@picture_bot one", sender_chat=news)
        assert (await writer.answer(said)).startswith("Answer to 'one'")
        assert "-1001 is blocked" in await boss.answer(boss.person.says("/block", reply_to=said))
        ignored = writer.person.shows(photo(), "@picture_bot two", sender_chat=news)
        three = writer.person.shows(photo(), "@picture_bot three", sender_chat=other)
        assert (await writer.answer(three)).startswith("Answer to 'three'")
        await until(lambda: telegram.unconfirmed == 0)
        assert not chat.answers_to(ignored["message_id"])

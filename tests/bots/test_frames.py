"""Between the engine, which tells of an event, and the reply that shows it there is little code of ours."""

import traceback
from pathlib import Path
from typing import Any

import pytest

from bots.conversing.streamed_reply import StreamedReply
from bots.web.broadcast import Broadcast
from core.events import Piece
from tests.bots.telegram.conftest import Chatting, photo
from tests.bots.telegram.conftest import service as telegram_service
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.web.conftest import service as web_service
from tests.fakes import ScriptedEngine

ROOT = Path(__file__).parents[2]
MOST_FRAMES = 3  # the one that takes the event in included


def frames_of(kind: type[StreamedReply[Any]] | type[Broadcast], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """For each piece that is told: the functions of ours that it came through since it left the engine."""
    found: list[list[str]] = []
    tell = kind.tell

    def hear(self: Any, event: Any) -> None:
        if isinstance(event, Piece):
            stack = traceback.extract_stack()[:-1]
            engine = max(index for index, frame in enumerate(stack) if frame.filename.endswith("tests/fakes.py"))
            passed = [frame for frame in stack[engine + 1 :] if Path(frame.filename).is_relative_to(ROOT)]
            found.append([frame.name for frame in passed] + ["tell"])
        tell(self, event)

    monkeypatch.setattr(kind, "tell", hear)
    return found


async def test_a_chats_reply_hears_of_a_piece_through_three_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = frames_of(StreamedReply, monkeypatch)
    async with BotApi(strict=False) as telegram, telegram_service(telegram, tmp_path, ScriptedEngine()):
        ann = Chatting(Person(telegram, telegram.world.chat(7)))
        assert await ann.answer(ann.person.shows(photo(), "What is it?"))
    assert frames
    assert max(map(len, frames)) <= MOST_FRAMES, max(frames, key=len)


async def test_readers_on_the_web_hear_of_a_piece_through_three_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = frames_of(Broadcast, monkeypatch)
    async with web_service(tmp_path, ScriptedEngine()) as web:
        assert (await web.ask("What?", "red", stream="true")).status_code == 200
    assert frames
    assert max(map(len, frames)) <= MOST_FRAMES, max(frames, key=len)

from typing import Any

from bots.web.api.sse import Stream
from bots.web.draft import Broadcast
from core.conversation import Piece


async def test_what_comes_while_a_late_reader_is_told_the_text_so_far_is_not_lost() -> None:
    nobody: Any = object()
    broadcast = Broadcast("web:1", "web:k")
    broadcast.tell(Piece("one "))
    events = Stream(nobody, broadcast, nobody, html=False).events()
    assert b"web:1" in await anext(events)
    assert b'"one "' in await anext(events)
    broadcast.tell(Piece("two"))
    assert b'"two"' in await anext(events)

from typing import Any

from bots.web.api.sse import Stream
from bots.web.broadcast import Broadcast
from core.events import BeganAgain, Piece


async def test_what_comes_while_a_late_reader_is_told_the_text_so_far_is_not_lost() -> None:
    nobody: Any = object()
    broadcast = Broadcast("web:1", "web:k")
    broadcast.tell(Piece("one "))
    events = Stream(nobody, broadcast, nobody, html=False).events()
    assert b"web:1" in await anext(events)
    assert b'"one "' in await anext(events)
    broadcast.tell(Piece("two"))
    assert b'"two"' in await anext(events)


async def test_an_answer_that_begins_again_is_said_to_and_a_late_reader_hears_only_its_new_words() -> None:
    nobody: Any = None
    broadcast = Broadcast("web:1", "web:k")
    broadcast.tell(Piece("gr"))
    early = Stream(nobody, broadcast, nobody, html=False).events()
    told = [await anext(early) for _ in range(2)]
    broadcast.tell(BeganAgain())
    broadcast.tell(Piece("red"))
    told += [await anext(early) for _ in range(2)]
    assert b"event: again" in told[2] and b'"red"' in told[3]
    late = Stream(nobody, broadcast, nobody, html=False).events()
    assert b'"red"' in [await anext(late) for _ in range(2)][1]

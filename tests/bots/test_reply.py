import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import pytest

from bots.draft import File, Gone, Later, Refused
from bots.reply import reply
from core.conversation import Answer, Ending, Event, Looking, Piece, Waiting
from core.errors import BadImage, StoreDown
from core.voice import Voice


@dataclass
class Board:
    """A platform of notes that hold ten characters each; `trouble` is raised by the next calls, in order."""

    interval: float = 0.0
    keeps: bool = False
    notes: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    trouble: list[Exception | None] = field(default_factory=list)
    endings: dict[str, Ending | None] = field(default_factory=dict)

    def split(self, text: str) -> list[str]:
        return [text[start : start + 10] for start in range(0, len(text), 10)]

    async def status(self, sentence: str) -> bool:
        return False

    async def preview(self, text: str) -> bool:
        return False

    async def attach(self, sent: str, file: File) -> None:
        self._meet_trouble()
        self.notes[sent] = f"[{file.name}]"

    async def remove(self, sent: str) -> None:
        del self.notes[sent]

    async def post(self) -> str:
        self._meet_trouble()
        name = f"n{len(self.notes)}"
        self.notes[name] = "…"
        return name

    async def edit(self, sent: str, part: str, answer: Answer | None, last: bool) -> None:
        self._meet_trouble()
        assert len(part) <= 10
        self.notes[sent] = part
        self.history.append(part)
        self.endings[sent] = answer.ending if answer and last else None

    def _meet_trouble(self) -> None:
        if self.trouble and (error := self.trouble.pop(0)):
            raise error


class Record:
    def __init__(self) -> None:
        self.sent: list[str] = []

    async def __call__(self, sent: Sequence[str]) -> None:
        self.sent = list(sent)


async def stream(*events: Event | File | Exception, pause: float = 0.0) -> AsyncGenerator[Event | File]:
    for event in events:
        await asyncio.sleep(pause)
        if isinstance(event, Exception):
            raise event
        yield event


def words(text: str) -> list[Event]:
    return [*(Piece(letter) for letter in text), Answer(text, Ending.DONE)]


async def test_the_whole_answer_stands_in_as_many_messages_as_it_needs() -> None:
    board, record = Board(), Record()
    text = "abcdefghijklmnopqrstuvwxyz"
    answer = await reply(stream(*words(text), pause=0.001), board, Voice("en"), (), record)
    assert answer == Answer(text, Ending.DONE)
    assert list(board.notes.values()) == ["abcdefghij", "klmnopqrst", "uvwxyz"]
    assert record.sent == ["n0", "n1", "n2"]
    assert board.endings == {"n0": None, "n1": None, "n2": Ending.DONE}


async def test_the_answer_grows_in_place_and_not_with_every_piece() -> None:
    board = Board(interval=0.02)
    await reply(stream(*words("abcdefghi"), pause=0.005), board, Voice("en"), (), Record())
    assert 2 <= len(board.history) < 9
    assert board.history[-1] == "abcdefghi"


async def test_messages_that_a_longer_earlier_try_left_are_taken_away() -> None:
    board, record = Board(notes={"n0": "abcdefghij", "n1": "klm"}), Record()
    await reply(stream(*words("short")), board, Voice("en"), ("n0", "n1"), record)
    assert board.notes == {"n0": "short"}
    assert record.sent == ["n0"]


async def test_files_follow_the_text_and_come_once_also_after_a_rate_limit() -> None:
    board = Board(trouble=[None, None, None, Later(0.01)])
    events = [File("table.csv", b"a,b"), *words("hello")]
    await reply(stream(*events), board, Voice("en"), (), Record())
    assert list(board.notes.values()) == ["hello", "[table.csv]"]


async def test_messages_of_an_earlier_run_are_edited_and_none_is_sent_again() -> None:
    board, record = Board(notes={"n0": "abc…"}), Record()
    await reply(stream(*words("abcdefghijklm")), board, Voice("en"), ("n0",), record)
    assert board.notes == {"n0": "abcdefghij", "n1": "klm"}
    assert record.sent == ["n0", "n1"]


async def test_the_last_edit_arrives_after_a_rate_limit() -> None:
    board = Board(trouble=[None, Later(0.01), Later(0.01), Later(0.01)])
    await reply(stream(*words("hello")), board, Voice("en"), (), Record())
    assert board.notes == {"n0": "hello"}


async def test_a_message_that_somebody_deleted_is_replaced() -> None:
    board, record = Board(notes={"n0": "old"}, trouble=[Gone()]), Record()
    await reply(stream(*words("hello")), board, Voice("en"), ("n0",), record)
    assert board.notes == {"n0": "old", "n1": "hello"}
    assert record.sent == ["n1"]


async def test_a_chat_that_is_gone_ends_the_work_and_frees_the_model() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[Event | File]:
        try:
            while True:
                await asyncio.sleep(0.001)
                yield Piece("x")
        finally:
            closed.set()

    with pytest.raises(Refused):
        await reply(endless(), Board(trouble=[None, Refused()]), Voice("en"), (), Record())
    assert closed.is_set()


async def test_waiting_and_looking_are_shown_until_there_is_text() -> None:
    class Wide(Board):
        def split(self, text: str) -> list[str]:
            return [text]

        async def edit(self, sent: str, part: str, answer: Answer | None, last: bool) -> None:
            self.history.append(part)

    board = Wide()
    events = [Waiting(2, 12.4), Waiting(1, None), Looking(1, 2), *words("ok")]
    await reply(stream(*events, pause=0.002), board, Voice("zh-hans"), (), Record())
    assert "您排在第 2 位，大约还要 12 秒 …" in board.history
    assert "正在看第 1 张图片（共 2 张）…" in board.history
    assert board.history[-1] == "ok"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (BadImage("Too {size}.", size="big"), "Too big."),
        (KeyError("secret"), "Something went wrong on my side. Please"),
    ],
)
async def test_an_error_becomes_its_sentence_below_what_was_written(error: Exception, sentence: str) -> None:
    board = Board()
    answer = await reply(stream(Piece("half"), error), board, Voice("en"), (), Record())
    assert answer.ending is Ending.FAILED
    assert "".join(board.notes.values()).startswith(f"half\n\n{sentence}")
    assert "secret" not in "".join(board.notes.values())


async def test_a_database_that_is_down_is_no_answer_but_a_reason_to_try_again() -> None:
    board, record = Board(), Record()
    with pytest.raises(StoreDown):
        await reply(stream(Piece("half"), StoreDown("no memory")), board, Voice("en"), (), record)
    assert "no memory" not in "".join(board.notes.values())


async def test_a_placeholder_that_cannot_be_written_down_is_taken_away_again() -> None:
    async def record(_: Sequence[str]) -> None:
        raise StoreDown("no memory")

    board = Board()
    with pytest.raises(StoreDown):
        await reply(stream(Piece("half"), pause=0.001), board, Voice("en"), (), record)
    assert not board.notes


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Answer("ab", Ending.STOPPED), "ab\n\n(stopped)"),
        (Answer("", Ending.STOPPED), "(stopped)"),
        (Answer(" ", Ending.DONE), "(the model had nothing to say)"),
        (Answer("", Ending.FAILED), "Something went wrong on my side. Please try again."),
        (Answer("Half", Ending.FAILED), "Half\n\nSomething went wrong on my side. Please try again."),
        (Answer("ab", Ending.LENGTH), "ab\n\n(cut at the length limit; ask me to go on)"),
    ],
)
async def test_an_answer_that_is_not_whole_says_so(answer: Answer, shown: str) -> None:
    board = Board()
    await reply(stream(answer), board, Voice("en"), (), Record())
    assert "".join(board.notes.values()).strip() == shown

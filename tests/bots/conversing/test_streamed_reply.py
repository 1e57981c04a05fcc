import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest

from bots.conversing.answer_action import AnswerAction
from bots.conversing.delivery import MOST_GROWING_WRITES, PATIENCE_SECONDS
from bots.conversing.delivery_errors import Gone, Refused, RetryLater, WriteFailed
from bots.conversing.events import File, Tell
from bots.conversing.streamed_reply import StreamedReply
from core.answer import Answer, Ending
from core.errors import BadImage, StoreDown
from core.events import BeganAgain, Event, Looking, Piece, Waiting
from core.i18n import Translator
from tests.telling import Told, reply
from tests.virtual import run


@dataclass
class Board:
    """A platform of notes that hold ten characters each; `trouble` is raised by the next calls, in order."""

    interval: float = 0.0
    keeps_old_answer: bool = False
    scarce: bool = False
    notes: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    trouble: list[Exception | None] = field(default_factory=list)
    edits: Callable[[], Exception | None] = lambda: None  # what goes wrong with each edit
    names: Iterator[int] = field(default_factory=count)
    writes: int = 0
    endings: dict[str, Ending | None] = field(default_factory=dict)

    async def __aenter__(self) -> "Board":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        pass

    def split(self, text: str) -> list[str]:
        return [text[start : start + 10] for start in range(0, len(text), 10)]

    async def status(self, sentence: str) -> bool:
        return False

    async def preview(self, text: str) -> bool:
        return False

    async def attach(self, sent: str, file: File) -> None:
        self._meet_trouble()
        self.writes += 1
        if error := self.edits():
            raise error
        self.notes[sent] = f"[{file.name}]"

    async def remove(self, sent: str) -> None:
        self.notes.pop(sent, None)

    async def post(self, part: str | None = None) -> str:
        self._meet_trouble()
        return self._add(part or "…")

    async def send(self, content: str | File, answer: Answer, last: bool) -> str:
        self._meet_trouble()
        return self._add(f"[{content.name}]" if isinstance(content, File) else content)

    def _add(self, text: str) -> str:
        name = next(name for number in self.names if (name := f"n{number}") not in self.notes)
        self.notes[name] = text
        return name

    async def edit(self, sent: str, part: str, answer: Answer | None, last: bool) -> None:
        self._meet_trouble()
        self.writes += 1
        if error := self.edits():
            raise error
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


async def stream(*events: Event | File | Answer | Exception, pause: float = 0.0) -> Told:
    for event in events:
        await asyncio.sleep(pause)
        if isinstance(event, Exception):
            raise event
        yield event


def words(text: str) -> list[Event | Answer]:
    return [*(Piece(letter) for letter in text), Answer(text, Ending.DONE)]


async def test_the_whole_answer_stands_in_as_many_messages_as_it_needs() -> None:
    board, record = Board(), Record()
    text = "abcdefghijklmnopqrstuvwxyz"
    answer = await reply(stream(*words(text), pause=0.001), board, Translator("en"), (), record)
    assert answer == Answer(text, Ending.DONE)
    assert list(board.notes.values()) == ["abcdefghij", "klmnopqrst", "uvwxyz"]
    assert record.sent == ["n0", "n1", "n2"]
    assert board.endings == {"n0": None, "n1": None, "n2": Ending.DONE}


def test_the_answer_grows_in_place_and_not_with_every_piece() -> None:
    board = Board(interval=0.02)
    run(reply(stream(*words("abcdefghi"), pause=0.005), board, Translator("en"), (), Record()))
    assert 2 <= len(board.history) < 9
    assert board.history[-1] == "abcdefghi"


async def test_messages_that_a_longer_earlier_try_left_are_taken_away() -> None:
    board, record = Board(notes={"n0": "abcdefghij", "n1": "klm"}), Record()
    await reply(stream(*words("short")), board, Translator("en"), ("n0", "n1"), record)
    assert board.notes == {"n0": "short"}
    assert record.sent == ["n0"]


async def test_files_follow_the_text_and_come_once_also_after_a_rate_limit() -> None:
    board = Board(trouble=[None, None, None, RetryLater(0.01)])
    events = [File("table.csv", b"a,b"), *words("hello")]
    await reply(stream(*events), board, Translator("en"), (), Record())
    assert list(board.notes.values()) == ["hello", "[table.csv]"]


async def test_messages_of_an_earlier_run_are_edited_and_none_is_sent_again() -> None:
    board, record = Board(notes={"n0": "abc…"}), Record()
    await reply(stream(*words("abcdefghijklm")), board, Translator("en"), ("n0",), record)
    assert board.notes == {"n0": "abcdefghij", "n1": "klm"}
    assert record.sent == ["n0", "n1"]


async def test_the_last_edit_arrives_after_a_rate_limit() -> None:
    board = Board(trouble=[None, RetryLater(0.01), RetryLater(0.01), RetryLater(0.01)])
    await reply(stream(*words("hello")), board, Translator("en"), (), Record())
    assert board.notes == {"n0": "hello"}


async def test_a_message_that_somebody_deleted_is_replaced() -> None:
    board, record = Board(notes={"n0": "old"}, trouble=[Gone()]), Record()
    await reply(stream(*words("hello")), board, Translator("en"), ("n0",), record)
    assert list(board.notes.values()) == ["hello"]
    assert record.sent == list(board.notes)


async def test_a_chat_that_is_gone_ends_the_work_and_frees_the_model() -> None:
    closed = asyncio.Event()

    async def endless() -> Told:
        try:
            while True:
                await asyncio.sleep(0.001)
                yield Piece("x")
        finally:
            closed.set()

    with pytest.raises(Refused):
        await reply(endless(), Board(trouble=[None, Refused()]), Translator("en"), (), Record())
    assert closed.is_set()


def test_waiting_and_looking_are_shown_until_there_is_text() -> None:
    class Wide(Board):
        def split(self, text: str) -> list[str]:
            return [text]

        async def edit(self, sent: str, part: str, answer: Answer | None, last: bool) -> None:
            self.history.append(part)

    board = Wide()
    events = [Waiting(2, 12.4), Waiting(1, None), Looking(1, 2), *words("ok")]
    run(reply(stream(*events, pause=0.002), board, Translator("zh-hans"), (), Record()))
    assert "您排在第 2 位，大约还要 12 秒 …" in board.history
    assert "正在看第 1 张图片（共 2 张）…" in board.history
    assert board.history[-1] == "ok"


def test_an_answer_that_begins_again_says_so_and_shows_none_of_its_first_words() -> None:
    board = Board()
    events = [Piece("It is gr"), BeganAgain(), *words("It is red.")]
    run(reply(stream(*events, pause=0.002), board, Translator("en"), (), Record()))
    shown = "".join(board.history)
    assert shown.index("It is gr") < shown.index("The model ")
    assert "".join(board.notes.values()) == "It is red."


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (BadImage("Too {size}.", size="big"), "Too big."),
        (KeyError("secret"), "Something went wrong on my side. Please"),
    ],
)
async def test_an_error_becomes_its_sentence_below_what_was_written(error: Exception, sentence: str) -> None:
    board = Board()
    answer = await reply(stream(Piece("half"), error), board, Translator("en"), (), Record())
    assert answer.ending is Ending.FAILED
    assert "".join(board.notes.values()).startswith(f"half\n\n{sentence}")
    assert "secret" not in "".join(board.notes.values())


async def test_a_database_that_is_down_is_no_answer_but_a_reason_to_try_again() -> None:
    board, record = Board(), Record()
    with pytest.raises(StoreDown):
        await reply(stream(Piece("half"), StoreDown("no memory")), board, Translator("en"), (), record)
    assert "no memory" not in "".join(board.notes.values())


async def test_a_placeholder_that_cannot_be_written_down_is_taken_away_again() -> None:
    async def record(_: Sequence[str]) -> None:
        raise StoreDown("no memory")

    board = Board()
    with pytest.raises(StoreDown):
        await reply(stream(Piece("half"), pause=0.001), board, Translator("en"), (), record)
    assert not board.notes


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Answer("ab", Ending.STOPPED), "ab\n\n(stopped)"),
        (
            Answer("ab", Ending.REPEATED),
            "ab\n\n(I began to repeat myself, so I stopped. Please ask in other words.)",
        ),
        (Answer("", Ending.STOPPED), "(stopped)"),
        (Answer(" ", Ending.DONE), "(No answer came. Please ask in other words.)"),
        (Answer("", Ending.FAILED), "Something went wrong on my side. Please try again."),
        (Answer("Half", Ending.FAILED), "Half\n\nSomething went wrong on my side. Please try again."),
        (Answer("ab", Ending.LENGTH), "ab\n\n(This is as long as one answer can be. Say “go on” for the rest.)"),
    ],
)
async def test_an_answer_that_is_not_whole_says_so(answer: Answer, shown: str) -> None:
    board = Board()
    await reply(stream(answer), board, Translator("en"), (), Record())
    assert "".join(board.notes.values()).strip() == shown


async def test_where_no_message_can_be_edited_the_answer_comes_once_it_is_whole() -> None:
    """Two messages at most are tried and taken away again; a restart does not begin with another two each."""
    board, record = Board(edits=Gone), Record()
    text = "abcdefghijklm"
    await reply(stream(File("table.csv", b"a,b"), *words(text), pause=0.001), board, Translator("en"), (), record)
    assert list(board.notes.values()) == ["abcdefghij", "klm", "[table.csv]"]
    assert record.sent == list(board.notes)
    assert board.writes == 2


async def test_a_lost_message_that_cannot_be_taken_away_at_once_goes_when_the_answer_stands() -> None:
    class Busy(Board):
        refusals = 3

        async def remove(self, sent: str) -> None:
            if self.refusals:
                self.refusals -= 1
                raise RetryLater(0.001)
            await super().remove(sent)

    board, record = Busy(edits=Gone), Record()
    await reply(stream(*words("hello")), board, Translator("en"), (), record)
    assert list(board.notes.values()) == ["hello"]
    assert record.sent == list(board.notes)


def test_a_file_that_cannot_be_uploaded_is_given_up_after_minutes_with_a_sentence() -> None:
    async def scene() -> tuple[list[str], float]:
        class NoFiles(Board):
            def split(self, text: str) -> list[str]:
                return [text]

            async def edit(self, sent: str, part: str, answer: Answer | None, last: bool) -> None:
                self.notes[sent] = part

        board = NoFiles(edits=lambda: WriteFailed(10.0))
        await reply(stream(File("table.csv", b"a,b"), *words("hello")), board, Translator("en"), (), Record())
        return list(board.notes.values()), asyncio.get_running_loop().time()

    notes, seconds = run(scene())
    assert notes == ["hello", "table.csv could not be sent. Please ask for it again later."]
    assert PATIENCE_SECONDS <= seconds < PATIENCE_SECONDS + 30


def test_where_no_message_can_be_edited_a_file_is_given_up_too() -> None:
    async def scene() -> tuple[list[str], float]:
        class NoFiles(Board):
            def split(self, text: str) -> list[str]:
                return [text]

            async def send(self, content: str | File, answer: Answer, last: bool) -> str:
                if isinstance(content, File):
                    raise WriteFailed(10.0)
                return await super().send(content, answer, last)

        board = NoFiles(edits=Gone)
        await reply(stream(File("table.csv", b"a,b"), *words("hello")), board, Translator("en"), (), Record())
        return list(board.notes.values()), asyncio.get_running_loop().time()

    notes, seconds = run(scene())
    assert notes == ["hello", "table.csv could not be sent. Please ask for it again later."]
    assert PATIENCE_SECONDS <= seconds < PATIENCE_SECONDS + 30


def test_where_writes_are_scarce_each_answer_takes_as_few_as_it_needs() -> None:
    """No placeholder; one write where the answer is whole by then, else its first words and its end."""
    for pause, whole in ((0.0, True), (0.05, False)):
        board, said = Board(scarce=True, interval=0.05), list[str]()
        add = board._add

        def adds(text: str, add: Callable[[str], str] = add, said: list[str] = said) -> str:
            said.append(text)
            return add(text)

        board._add = adds  # type: ignore[method-assign]
        record = Record()
        run(reply(stream(*words("hello"), pause=pause), board, Translator("en"), (), record))
        [first] = said
        assert (first == "hello") is (board.writes == 0) is whole
        assert "hello".startswith(first)
        assert list(board.notes.values()) == ["hello"]
        assert record.sent == list(board.notes)


def test_a_last_write_that_fails_for_minutes_is_tried_in_another_message() -> None:
    """A platform that asks to wait is no failure: that is obeyed for as long as it takes."""

    async def scene(trouble: Exception) -> list[str]:
        board = Board()
        board.edits = lambda: trouble if "n0" in board.notes and asyncio.get_running_loop().time() < 3600 else None
        await reply(stream(*words("hello")), board, Translator("en"), (), Record())
        return list(board.notes)

    assert run(scene(WriteFailed(30.0))) == ["n1"]
    assert run(scene(RetryLater(30.0))) == ["n0"]


def test_a_growing_answer_is_written_a_bounded_number_of_times() -> None:
    async def scene() -> tuple[int, str]:
        class Long(Board):
            def split(self, text: str) -> list[str]:
                return [text]

            async def edit(self, sent: str, part: str, answer: Answer | None, last: bool) -> None:
                self.writes += 1
                self.notes[sent] = part

        board = Long(interval=1.0)
        text = "x" * 3000
        await reply(stream(*words(text), pause=1.0), board, Translator("en"), (), Record())
        return board.writes, board.notes["n0"]

    writes, shown = run(scene())
    assert MOST_GROWING_WRITES <= writes <= MOST_GROWING_WRITES + 1
    assert shown == "x" * 3000


@pytest.mark.parametrize("ticks", range(12))
async def test_an_answer_that_is_cancelled_as_it_becomes_whole_is_not_shown(ticks: int) -> None:
    board, whole, shown = Board(interval=60.0), asyncio.Event(), asyncio.Event()

    async def edit(sent: str, part: str, answer: Answer | None, last: bool) -> None:
        if answer is not None:
            shown.set()
            await asyncio.Event().wait()

    async def ask(tell: Tell) -> Answer:
        await whole.wait()
        return Answer("Old words", Ending.DONE)

    board.edit = edit  # type: ignore[method-assign]
    writing = asyncio.create_task(StreamedReply(board, Translator("en"), (), Record()).write(ask))
    for _ in range(50):  # until it waits for the answer
        await asyncio.sleep(0)
    whole.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    before = shown.is_set()
    writing.cancel()
    await asyncio.wait({writing}, timeout=5)
    assert writing.cancelled()
    assert shown.is_set() == before

"""The storm's own eyes: what it would have to see is put before them."""

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from telegram import Bot, ReplyParameters
from telegram.error import NetworkError

from core.image import tile_ids
from tests.bots.telegram.server import TOKEN
from tests.bots.telegram.test_delivery import once
from tests.chaos.crowd import Crowd
from tests.chaos.kinds import forwards
from tests.chaos.nursery import Life
from tests.chaos.on_telegram import OnTelegram
from tests.chaos.on_the_web import FORGOTTEN as CONFIRMED
from tests.chaos.people import Book, Person, Talk, Turn, anything, begins, exactly, own
from tests.chaos.plan import Plan
from tests.chaos.platforms import Platforms
from tests.chaos.points import Points
from tests.chaos.records import Record, computed, differences, left_in_database, orphans
from tests.chaos.report import Report
from tests.chaos.site import Site

ANSWER = "The total is 8."
NO_PICTURE = "Send a picture with your question, or reply to a picture and ask about it."
GOT_ONE = "Got picture 1. What would you like to know?"
TALK = Talk((b"one", b"two"), ("Total?", "Date?"))


class Reader(Person):
    """Somebody who sees what a test puts there."""

    platform = "telegram"

    def __init__(self) -> None:
        super().__init__(1, "asks twice", Book(images={b"one": "1" * 64, b"two": "2" * 64}), random.Random(1))
        self.stands: dict[str, list[str]] = {}
        self.besides: list[str] = []
        self.ids = ["7:1"]
        self.lost: dict[str, int] = {}
        self.done = True

    async def ask(self, text: str, pictures: Sequence[bytes] = (), who: int = 0) -> str:
        return text

    async def order(self, command: str) -> str:
        return command

    async def set(self, name: str) -> str:
        return name

    async def rate(self, place: str) -> bool:
        return False

    async def stop(self, place: str) -> None: ...

    def found(self, place: str) -> list[str]:
        return self.stands.get(place, [])

    def untold(self, place: str) -> int:
        return self.lost.get(place, 0)

    def file(self, place: str) -> bytes:
        return b""

    def everything(self) -> list[str]:
        return [*super().everything(), *self.besides]

    def shown(self) -> list[str]:
        return self.ids

    @property
    def conversation(self) -> str:
        return "telegram:7:0"


class Forwarder(Reader):
    """Somebody who forwards on a Telegram that a test moves."""

    def forward(self, comment: str, pictures: Sequence[bytes]) -> tuple[str, ...]:
        return "comment", "picture"

    def truth(self, talk: Talk) -> list[str]:
        return [ANSWER]


@pytest.fixture
def reader() -> Reader:
    reader = Reader()
    reader.wants("first", exactly(ANSWER), Turn(("Total?",), TALK.pictures))
    reader.stands["first"] = [ANSWER]
    return reader


def _judged(reader: Reader) -> dict[str, int]:
    report = Report()
    report.judge(reader)
    assert report.good == (report.counts["telegram"] == {"questions": 1, "answered once, whole": 1})
    return {verdict: count for verdict, count in report.counts["telegram"].items() if verdict != "questions"}


def test_a_whole_answer_is_right_and_nothing_else_is(reader: Reader) -> None:
    assert _judged(reader) == {"answered once, whole": 1}
    reader.stands["first"] = []
    assert _judged(reader) == {"lost": 1}
    reader.stands["first"] = [ANSWER, ANSWER]
    assert _judged(reader) == {"doubled": 1}
    reader.stands["first"] = [ANSWER[:5]]
    assert _judged(reader) == {"other words": 1}


def test_an_answer_that_stands_where_nobody_asked_is_doubled(reader: Reader) -> None:
    reader.besides = [ANSWER]
    assert _judged(reader) == {"answered once, whole": 1, "doubled": 1}


def test_who_could_not_go_on_has_lost_something(reader: Reader) -> None:
    reader.done = False
    assert _judged(reader) == {"answered once, whole": 1, "lost": 1}


def test_what_the_model_says_without_a_picture_is_invented(reader: Reader) -> None:
    reader.wants("first", own)
    assert _judged(reader) == {"invented": 1}
    reader.stands["first"] = [CONFIRMED]
    assert _judged(reader) == {"answered once, whole": 1}
    reader.stands["first"] = ["Something went wrong on my side. Please try again."]
    assert _judged(reader) == {"other words": 1}


def test_a_stopped_answer_is_its_beginning() -> None:
    assert begins(ANSWER)("The to\n\n(stopped)")
    assert begins(ANSWER)("(stopped)")
    assert begins(ANSWER)(ANSWER)
    assert not begins(ANSWER)("A total")


def test_what_is_remembered_is_what_was_seen(reader: Reader) -> None:
    good = Record("Total?", "The *total* is 8.", ("1" * 64, "2" * 64))
    assert differences(reader, [good], reader.book) == []
    assert differences(reader, [Record("Total?", ANSWER, None)], reader.book) == []
    for bad in (
        [],
        [good, good],
        [Record("Date?", ANSWER, good.pictures)],
        [Record("Total?", "The total", good.pictures)],
        [Record("Total?", ANSWER, ("2" * 64, "1" * 64))],
        [Record("Total?", ANSWER, ("1" * 8,))],
    ):
        assert differences(reader, bad, reader.book), bad


def test_an_answer_that_was_stopped_is_kept_as_such_and_no_other_one_is(reader: Reader) -> None:
    reader.wants("first", begins(ANSWER), Turn(("Total?",)))
    for shown, stopped in (("The total (stopped)", True), ("The total", False)):
        reader.stands["first"] = [shown]
        read = [[Record("Total?", "The total", (), stopped=kept)] for kept in (stopped, None, not stopped)]
        assert [bool(differences(reader, each, reader.book)) for each in read] == [False, False, True]


def test_a_thumb_the_pages_of_a_document_and_what_was_removed_are_read_again(reader: Reader) -> None:
    here = [Record("Total?", ANSWER, ("1" * 64, "2" * 64), 1)]
    for turn, read in (
        (Turn(("Total?",), TALK.pictures, rating=1), Record("Total?", ANSWER, here[0].pictures, 0)),
        (Turn(("Total?",), pages=2), Record("Total?", ANSWER, ("3" * 64,))),
        (Turn(("Total?",), pages=2), Record("Total?", "The date is 8.", here[0].pictures)),
        (Turn(("Total?",), pages=2), Record("Total?", "The total", here[0].pictures)),
        (Turn(("Total?",), pages=2), Record("Total?", "", here[0].pictures)),
    ):
        reader.wants("first", exactly(ANSWER), turn)
        assert differences(reader, here, reader.book) == []
        assert differences(reader, [read], reader.book), turn
    reader.wants("first", exactly(ANSWER), Turn(("Total?",), TALK.pictures, removed=True))
    assert differences(reader, here, reader.book)
    assert differences(reader, [Record("Total?", ANSWER, ("", ""))], reader.book) == []


@pytest.mark.parametrize(
    "note",
    [
        "\n\n*Pages looked at: 1-4 of 5. For others, ask about “page 5”, for example.*",
        "\n\n已看第 1、3-4 页（共 5 页）。要看其他页，请在提问时写明页码，例如“第5页”。",
    ],
)
def test_an_answer_is_read_without_the_note_on_pages_and_whole(reader: Reader, note: str) -> None:
    reader.wants("first", anything, Turn(("Total?",), pages=2))
    reader.stands["first"] = [ANSWER + note]
    pictures = ("1" * 64, "2" * 64)
    assert differences(reader, [Record("Total?", ANSWER, pictures)], reader.book) == []
    for answer in ("", "The total", "8", ANSWER + note):
        assert differences(reader, [Record("Total?", answer, pictures)], reader.book), answer


def test_where_nothing_is_to_be_kept_no_turn_is(reader: Reader) -> None:
    reader.keeps = False
    assert differences(reader, [], reader.book) == []
    assert differences(reader, [Record("Total?", ANSWER, None)], reader.book)


def test_what_was_forgotten_is_remembered_nowhere(reader: Reader) -> None:
    reader.forgot = True
    assert differences(reader, [], reader.book) == []
    assert differences(reader, [Record("Total?", ANSWER, None)], reader.book)


def test_the_store_has_every_answers_id_and_no_open_message(reader: Reader, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.executescript(
            """CREATE TABLE conversations (id); CREATE TABLE images (id);
            CREATE TABLE messages (id, key, conversation_id, finished);
            CREATE TABLE deliveries (message_id, sent); INSERT INTO messages VALUES (1, 'k', 'telegram:7:0', 1.0)"""
        )
    assert left_in_database(tmp_path / "answers.db", reader) == [("ids", "nobody wrote down that 7:1 is an answer")]
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.execute("INSERT INTO deliveries VALUES (1, '7:1')")
    assert left_in_database(tmp_path / "answers.db", reader) == []
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.execute("UPDATE messages SET finished = NULL")
    assert left_in_database(tmp_path / "answers.db", reader) == [("unfinished", "k is not finished")]


def test_the_store_has_the_settings_that_were_set(reader: Reader, tmp_path: Path) -> None:
    reader.ids, reader.settings = [], {"keep": False}
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.executescript(
            """CREATE TABLE conversations (id, settings); CREATE TABLE images (id);
            CREATE TABLE messages (id, key, conversation_id, finished); CREATE TABLE deliveries (message_id, sent);
            INSERT INTO conversations VALUES ('telegram:7:0', '{"length": "short"}')"""
        )
    [(check, _)] = left_in_database(tmp_path / "answers.db", reader)
    assert check == "settings"
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.execute("""UPDATE conversations SET settings = '{"length": "short", "keep": false}'""")
    assert left_in_database(tmp_path / "answers.db", reader) == []


def test_a_reaction_may_stay_where_a_kill_came_beside_its_end_and_nowhere_else() -> None:
    def stays(marks: int, beside: str = "", failed: int = 0, weather: str = "") -> bool:
        report = Report(kills=Counter({"at random": 3}), points=Counter([beside]), weather=Counter([weather]))
        report.marks["slack"] = marks
        report.judge_marks(failed)
        return report.good

    assert stays(0)
    assert not stays(1)
    assert not stays(1, beside="after INSERT messages")
    assert not stays(1, beside="after reactions.add")
    for step in ("before UPDATE messages", "after setMessageReaction", "before reactions.remove"):
        assert stays(1, beside=step)
        assert not stays(2, beside=step)
    assert stays(2, failed=2)
    assert stays(1, weather="network cut")
    assert not stays(1, weather="database busy")
    assert not stays(4, failed=100), "more than there were kills"


async def test_who_gives_up_waiting_for_the_end_of_a_life_leaves_it_to_others() -> None:
    life = Life(0, asyncio.get_running_loop().create_future())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(life.wait(), 0.01)
    life.ended.set_result(-9)
    assert await life.wait() == -9


def test_kills_are_aimed_at_the_step_that_was_met_least(tmp_path: Path) -> None:
    points = Points()
    (tmp_path / "diary").write_text("saw INSERT turns\nsaw INSERT messages\ndied before INSERT turns\n", "utf-8")
    points.learn(tmp_path / "diary")
    aimed = [points.aim("before", points.commits, random.Random(seed)) for seed in range(10)]
    assert next(step for step in aimed if step) == "INSERT messages"
    assert set(aimed) == {"INSERT messages", "INSERT turns", None}, "where it never comes, others are tried"
    assert points.all({"sendMessage"}) >= {"before sendMessage", "after sendMessage", "after INSERT turns"}


def test_an_answer_may_stand_there_as_often_again_as_replies_to_its_posts_got_lost(reader: Reader) -> None:
    reader.wants("first", exactly(ANSWER))
    reader.stands["first"], reader.lost["first"] = [ANSWER, ANSWER], 1
    assert [asked.verdict for asked in reader.asked()] == ["answered once, whole"]
    reader.stands["first"] = [ANSWER, ANSWER, ANSWER]
    assert [asked.verdict for asked in reader.asked()] == ["doubled"]
    reader.stands["first"], reader.lost["first"] = [ANSWER], 0
    assert [asked.verdict for asked in reader.asked()] == ["answered once, whole"]


async def test_only_what_was_posted_whole_and_never_told_of_may_be_a_copy() -> None:
    """A lost reply excuses its own message, and a death what was posted just before."""
    async with (
        Platforms(["telegram"], random.Random(1)) as platforms,
        Bot(TOKEN, f"{platforms.telegram.url}/bot") as bot,
    ):
        person = OnTelegram(platforms.telegram, 1, "asks twice", Book(), random.Random(1), 1, platforms.is_untold)
        place, chat_id = await person.ask("Total?"), person.chat.id

        async def post() -> int:
            parameters = ReplyParameters(int(place))
            return (await bot.send_message(chat_id, ANSWER, reply_parameters=parameters)).message_id

        async def lose() -> None:
            with pytest.raises(NetworkError):
                await post()

        platforms.telegram.world.strict = False
        await post()
        assert (len(person.found(place)), person.untold(place)) == (1, 0)
        platforms.telegram.trouble = once("sendMessage", "drop after")
        await lose()
        assert (len(person.found(place)), person.untold(place)) == (2, 1)
        await bot.edit_message_text("Other words.", chat_id, person.chat.by_bot()[-1]["message_id"])
        assert person.untold(place) == 0, "who edits it knows of it"
        platforms.excuse()
        assert person.untold(place) == 1, "the first one may have been posted by who died now"
        await post()
        assert (len(person.found(place)), person.untold(place)) == (3, 1), "nobody died after the last one"


def test_where_an_answer_may_be_shown_again_the_store_knows_the_last_one(reader: Reader, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.executescript(
            """CREATE TABLE images (id); CREATE TABLE messages (id, key, conversation_id, finished);
            CREATE TABLE deliveries (message_id, sent);
            INSERT INTO messages VALUES (1, 'k', 'telegram:7:0', 1.0); INSERT INTO deliveries VALUES (1, '7:2')"""
        )
    reader.ids, reader.stands["first"] = ["7:1", "7:2"], [ANSWER, ANSWER]
    assert left_in_database(tmp_path / "answers.db", reader) == [("ids", "nobody wrote down that 7:1 is an answer")]
    reader.wants("first", exactly(ANSWER))
    reader.lost["first"] = 1
    assert left_in_database(tmp_path / "answers.db", reader) == []
    reader.ids = ["7:0", "7:1", "7:2"]
    assert len(left_in_database(tmp_path / "answers.db", reader)) == 2


def test_the_report_says_beside_which_steps_the_service_was_killed_and_which_were_left_out() -> None:
    report = Report(seed=7)
    steps = ("INSERT turns", "chat.update")
    report.points_there_are = {f"{moment} {step}" for moment in ("before", "after") for step in steps}
    report.points["before INSERT turns"] = 3
    text = str(report)
    assert "Seed 7" in text
    assert "| INSERT turns | 3 | 0 |" in text
    assert "| chat.update | 0 | 0 |" in text
    assert (
        "3 of the 4 points at steps that were seen: after INSERT turns, after chat.update, before chat.update" in text
    )


def test_a_forgotten_picture_and_one_that_no_conversation_shows_are_seen(reader: Reader, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.executescript(
            """CREATE TABLE conversations (id); CREATE TABLE images (id); CREATE TABLE pictures (image_id);
            CREATE TABLE turn_pictures (image_id); CREATE TABLE messages (id, key, conversation_id, finished);
            CREATE TABLE deliveries (message_id, sent); INSERT INTO images VALUES ('one'), ('two');
            INSERT INTO pictures VALUES ('one')"""
        )
    reader.forgot, reader.forgotten_pictures = True, ["one", "three"]
    assert left_in_database(tmp_path / "answers.db", reader) == [("forgotten", "the picture one is still there")]
    assert orphans(tmp_path / "answers.db") == [("forgotten", "no conversation shows the picture two")]


def test_what_was_computed_from_a_picture_that_is_gone_is_seen(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.executescript("CREATE TABLE images (id); INSERT INTO images VALUES ('one')")
    (tmp_path / "cache" / "a model").mkdir(parents=True)
    for name in ("picture-one", f"picture-{tile_ids('one')[1]}", "rows-one-two", "picture-two"):
        (tmp_path / "cache" / "a model" / f"{name}.safetensors").touch()
    assert computed(tmp_path) == [("forgotten", "the cache still has picture-two")]


async def test_all_talks_come_as_often() -> None:
    told = Counter[Talk]()

    async def tell(_: Person, talk: Talk) -> None:
        told[talk] += 1

    crowd = Crowd(cast(Site, SimpleNamespace(person=lambda *_: Reader())), Plan(talks=3), random.Random(1))
    for _ in range(6):
        crowd.bring("telegram", tell)
    await asyncio.sleep(0)
    assert list(told.values()) == [2, 2, 2]


@pytest.mark.parametrize(
    ("then", "counted"),
    [
        ({"comment": [ANSWER]}, True),  # after a restart the sentence became the answer to both
        ({"comment": [NO_PICTURE], "picture": [GOT_ONE], TALK.questions[0]: [ANSWER]}, False),
    ],
)
async def test_who_forwards_awaits_one_answer_or_two_sentences(then: dict[str, list[str]], counted: bool) -> None:
    forwarder = Forwarder()
    forwarder.stands["comment"] = [NO_PICTURE]
    story = asyncio.create_task(forwards(cast(OnTelegram, forwarder), TALK))
    await asyncio.sleep(0)
    assert not story.done()
    forwarder.stands = then
    await asyncio.wait_for(story, 60)
    assert forwarder.counted == counted
    assert all(asked.verdict == "answered once, whole" for asked in forwarder.asked())

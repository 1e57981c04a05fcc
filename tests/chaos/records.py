"""Reads again, at the end of a storm, what was answered in it: in every way that people and operators have.

What is read must be what they saw: each question once, each answer whole, the pictures in order.
"""

import io
import json
import re
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
from playwright.async_api import TimeoutError

from core.i18n import LANGUAGES, Translator
from core.image import tile_ids
from tests.bots.web.browser import CHROMIUM, started, visit
from tests.chaos.crowd import Crowd
from tests.chaos.people import STOPPED, Book, Person, Turn, words
from tests.chaos.site import Site

Complaint = tuple[str, str]  # the check, and what it saw

ARCHIVE = "conversation.zip"
PAGES = 4  # conversations that are opened in a browser; it is slow
ENDS = "stopped"  # how the store calls it
BOX = "bbox"  # in an answer with it, a box is drawn and the words are others
PAGES_NOTE = "Pages looked at: {shown} of {of}. For others, ask about “page {example}”, for example."


@dataclass(frozen=True)
class Record:
    """One turn as it was read; `pictures` are how their ids begin, "" where one was removed; None is what cannot be
    read. `stopped` is whether it ended so."""

    question: str
    answer: str
    pictures: tuple[str, ...] | None
    rating: int | None = None
    stopped: bool | None = None


def in_database(path: Path, person: Person) -> list[Record]:
    query = """SELECT turns.id, text, answer, rating, ending
        FROM turns JOIN conversations ON conversations.id = conversation_id
        WHERE conversation_id = ? AND turns.chapter = conversations.chapter AND NOT replaced ORDER BY position"""
    pictures = """SELECT pictures.image_id FROM turn_pictures JOIN pictures ON pictures.id = picture_id
        WHERE turn_id = ? ORDER BY place"""
    with _opened(path) as database:
        rows = database.execute(query, (person.conversation,)).fetchall()
        return [
            Record(
                text,
                said,
                tuple(id or "" for (id,) in database.execute(pictures, (turn,))),
                rating or 0,
                ending == ENDS,
            )
            for turn, text, said, rating, ending in rows
        ]


def left_in_database(path: Path, person: Person) -> list[Complaint]:
    """What the store should not have any more, or never should have had."""
    here, found = (person.conversation,), list[Complaint]()
    with _opened(path) as database:
        if person.forgot and database.execute("SELECT 1 FROM conversations WHERE id = ?", here).fetchone():
            found.append(("forgotten", "the conversation was forgotten and is still there"))
        kept = {id for (id,) in database.execute("SELECT id FROM images")}
        found += [("forgotten", f"the picture {id} is still there") for id in person.forgotten_pictures if id in kept]
        waiting = "SELECT key FROM messages WHERE conversation_id = ? AND finished IS NULL"
        found += [("unfinished", f"{key} is not finished") for (key,) in database.execute(waiting, here)]
        sent = "SELECT sent FROM messages JOIN deliveries ON message_id = messages.id WHERE conversation_id = ?"
        recorded = {id for (id,) in database.execute(sent, here)}
        if person.settings:
            stored = database.execute("SELECT settings FROM conversations WHERE id = ?", here).fetchone()
            if not stored or person.settings.items() - json.loads(stored[0] or "{}").items():
                found.append(("settings", f"{person.settings} was set, and {stored and stored[0]} is there"))
    if not person.forgot and person.keeps:
        unknown = [id for id in person.shown() if id not in recorded]
        if len(unknown) > person.shown_again():
            found += [("ids", f"nobody wrote down that {id} is an answer") for id in unknown]
    return found


def recorded(path: Path) -> set[str]:
    """The platforms' ids of messages that the store knows, those of answers in work, too."""
    if not path.exists():
        return set()
    with _opened(path) as database:
        return {sent for (sent,) in database.execute("SELECT sent FROM deliveries")}


def orphans(path: Path) -> list[Complaint]:
    """Pictures that no conversation shows."""
    query = """SELECT id FROM images WHERE NOT EXISTS (SELECT 1 FROM pictures WHERE image_id = images.id)
        AND NOT EXISTS (SELECT 1 FROM turn_pictures WHERE image_id = images.id)"""
    with _opened(path) as database:
        return [("forgotten", f"no conversation shows the picture {id}") for (id,) in database.execute(query)]


def computed(folder: Path) -> list[Complaint]:
    """What the cache still has of pictures that are gone. After a kill it may stay for an hour."""
    with _opened(folder / "answers.db") as database:
        kept = {id for (id,) in database.execute("SELECT id FROM images")}
    names = {f"picture-{each}" for id in kept for each in (id, *tile_ids(id))}
    left = [path.stem for path in (folder / "cache").rglob("picture-*.safetensors") if path.stem not in names]
    return [("forgotten", f"the cache still has {name}") for name in left]


async def over_rest(client: httpx.AsyncClient, person: Person) -> list[Record]:
    read = (await client.get(f"/api/v1/conversations/{person.conversation}")).raise_for_status().json()
    return [
        Record(
            turn["text"],
            turn["answer"]["text"],
            tuple(picture["url"].partition("?of=")[2] for picture in turn["pictures"]),
            turn["answer"]["rating"],
            turn["answer"]["ending"] == ENDS,
        )
        for turn in read["turns"]
    ]


def taken_along(data: bytes) -> list[Record]:
    """Out of the zip that a person gets; the pictures' own files are looked at, too."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        told = json.loads(packed.read("transcript.json"))
        ids = {picture["number"]: picture["sha256"] for picture in told["pictures"] if packed.read(picture["file"])}
        text = packed.read("transcript.md").decode()
    records = [
        Record(
            turn["question"],
            turn["answer"],
            tuple(ids[number] for number in turn["pictures"]),
            stopped=turn["ending"] == ENDS,
        )
        for turn in told["turns"]
    ]
    missing = [record.answer for record in records if words(record.answer) not in words(text)]
    return [*records, *[Record("transcript.md", answer, None) for answer in missing]]


async def exported(client: httpx.AsyncClient, person: Person) -> list[Record]:
    answer = await client.get(f"/api/v1/conversations/{person.conversation}/export")
    return taken_along(answer.raise_for_status().content)


async def on_the_page(url: str, people: Sequence[tuple[Person, int]]) -> list[tuple[Person, list[Record]]]:
    """Some of the conversations, which are known to have so many turns; in a real browser, where there is one."""
    found: list[tuple[Person, list[Record]]] = []
    if CHROMIUM is None or not people:
        return found
    async with started() as browser:
        for person, turns in people[:PAGES]:
            async with visit(browser, url, f"/#{person.conversation}") as page:
                with suppress(TimeoutError):
                    await page.locator(".turn .answered .prose").nth(turns - 1).wait_for()
                asked = await page.locator(".turn .asked").all_inner_texts()
                said = await page.locator(".turn .answered .prose").all_inner_texts()
                read = zip(asked, said, strict=False)
                found.append((person, [Record(question.strip(), answer, None) for question, answer in read]))
    return found


async def read_again(site: Site, crowd: Crowd, browser: bool) -> tuple[Counter[str], list[Complaint]]:
    """How many turns were read in which way, and what was not as it had been seen. The service is ended for it."""
    found: list[tuple[str, Person, list[Record]]] = []
    people = [person for person in crowd.people if not person.apart]
    done = [person for person in people if person.done]
    on_the_web = [person for person in done if person.platform == "web" and person.conversation and not person.forgot]
    if site.life.ended.done():
        on_the_web = []
    async with httpx.AsyncClient(base_url=site.url, timeout=60, trust_env=False) as client:
        for person in on_the_web:
            found.append(("over REST", person, await over_rest(client, person)))
            found.append(("exported", person, await exported(client, person)))
    lengths = [(person, len(records)) for way, person, records in found if way == "over REST" and records]
    found += [("on the page", *each) for each in await on_the_page(site.url, lengths if browser else [])]
    for person in done:
        for asked in person.asked():
            if asked.found == (ARCHIVE,):
                found.append(("taken along", person, taken_along(person.file(asked.wish.places[0]))))
    await site.end()
    database = site.folder / "answers.db"
    found += [("in the database", person, in_database(database, person)) for person in people]
    troubles = [
        (f"read {way}", f"{person.platform}, {person.kind}, {person.conversation}: {difference}")
        for way, person, records in found
        for difference in differences(person, records, crowd.book)
    ]
    troubles += [
        (check, f"{person.platform}, {person.kind}, {person.conversation}, in the database: {what}")
        for person in people
        for check, what in left_in_database(database, person)
    ]
    troubles += orphans(database)
    return Counter(way for way, _, records in found for _ in records), troubles


def differences(person: Person, read: Sequence[Record], book: Book) -> list[str]:
    """Between what somebody saw and what was read."""
    left, found = list(read), []
    for asked in person.asked():
        turn = asked.wish.turn
        if turn is None or person.forgot or not person.keeps:
            continue
        record = left[0] if left else None
        same = record is not None and record.question.endswith(turn.questions)
        if record is not None and same:
            left.pop(0)
            if turn.shown and not any(_says(record, text) for text in asked.found):
                found.append(f"{record.question!r} was answered {asked.found}, and read is {record.answer!r}")
            if turn.shown and asked.found and record.stopped is (STOPPED not in "".join(asked.found)):
                found.append(
                    f"{record.question!r} was answered {asked.found}, and read is that stopped={record.stopped}"
                )
            if turn.rating and record.rating not in (None, turn.rating):
                found.append(f"{record.question!r} was rated {turn.rating}, and read is {record.rating}")
            if record.pictures is not None and (wrong := _wrong_pictures(record.pictures, turn, book)):
                found.append(f"{record.question!r} was about {wrong}, and read is {record.pictures}")
        elif turn.sure:
            found.append(f"{turn.questions} is missing")
    return found + [f"{record.question!r} should not be there" for record in left]


def _says(record: Record, shown: str) -> bool:
    """Whether that was shown for it, but for what chats say below an answer."""
    return BOX in record.answer or words(_pages_note().sub("", shown.replace(STOPPED, ""))) == words(record.answer)


@cache
def _pages_note() -> re.Pattern[str]:
    """The note on a document's pages, which ends an answer in a chat."""
    notes = [re.split(r"\{\w+\}", Translator(language).say(PAGES_NOTE)) for language in LANGUAGES]
    either = "|".join(r"[\d, 、-]+".join(map(re.escape, parts)) for parts in notes)
    return re.compile(rf"\*?(?:{either})\*?$")


def _wrong_pictures(read: Sequence[str], turn: Turn, book: Book) -> str:
    """What should have been read; "" when it was."""
    if turn.pages:
        return "" if len(read) == turn.pages else f"{turn.pages} pages"
    if turn.removed:
        return "nothing that is left" if any(read) else ""
    ids = tuple(book.images[picture] for picture in turn.pictures)
    return "" if _same(read, ids) else f"{ids}"


def _same(read: Sequence[str], ids: Sequence[str]) -> bool:
    return len(read) == len(ids) and all(
        id.startswith(beginning) and bool(id) == bool(beginning) for beginning, id in zip(read, ids, strict=True)
    )


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)

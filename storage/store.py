"""Store what the service remembers: conversations, their pictures and the inbox. Rows do not leave this package."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field

from core.disk_space import free, reserve
from core.errors import NoRoom, NotAllowed
from core.image import Image
from core.pictures.kept_document import KeptDocument
from core.revision import Revision, Shown
from core.stored_message import StoredMessage
from core.tally import Counts, Result
from core.units import GIGABYTE
from storage import (
    allowance,
    chapters,
    conversation_settings,
    conversations,
    documents,
    edits,
    files,
    growing,
    images,
    leases,
    links,
    listing,
    messages,
    people,
    personal,
    pictures,
    questions,
    ratings,
    sessions,
    tallies,
    turns,
    versions,
)
from storage.allowance import Allowance
from storage.clock import Clock
from storage.database import Database
from storage.expiry import Expiry
from storage.operation import OpenDatabase, reading, removing, single, writing, writing_dated, writing_urgent
from storage.personal import AuthorOf, Traces
from storage.transfer import refuse_users

log = logging.getLogger(__name__)
NEARLY_FULL_SHARE = 0.9  # of the limit
PIECES_AT_ONCE = 4  # SQLite has the whole picture in memory while it reads a piece
PIECE_BYTES = 256 * 1024  # of a picture, read at once


class StoreConfig(BaseModel, extra="forbid", frozen=True):
    url: str = Field("sqlite+aiosqlite:///data/answers.db", description="SQLAlchemy address of the database.")
    expire_days: float = Field(
        30,
        ge=0,
        description="Conversations without a new message for so many days are removed with their pictures; 0: never.",
    )
    size_limit_gb: float = Field(
        20.0,
        ge=0,
        description="Gigabytes that the database may take; pictures as they were sent go first, then new ones are "
        "refused; 0: no limit.",
    )
    person_limit_gb: float = Field(
        2.0, ge=0, description="Gigabytes of that for the pictures of one person, in the same way; 0: no limit."
    )
    forgotten: Path = Field(
        Path("data/forgotten.txt"),
        description="List of the people whom `person delete` removed, as hashes; `restore` leaves them out.",
    )
    ratings: bool = Field(
        False, description="Let people rate answers; `python -m bots export-feedback` writes the rated ones out."
    )


class Store(OpenDatabase):
    """The service's storage. Each operation is declared and described in its own module.

    Implements `bots.conversing.store.Store`.
    """

    def __init__(self, database: Database, config: StoreConfig, clock: Clock) -> None:
        super().__init__(database, clock)
        self.ratings = config.ratings  # whether answers may be rated
        self.expiry = Expiry(self, config.expire_days)
        self._allowance = Allowance(int(config.size_limit_gb * GIGABYTE), int(config.person_limit_gb * GIGABYTE))
        self._disk_is_low = False
        self._reading = asyncio.Semaphore(PIECES_AT_ONCE)

    @classmethod
    async def open(cls, config: StoreConfig, clock: Clock | None = None, alone: bool = False) -> Self:
        """Open the database, making or upgrading it; `alone` as in `Database.open`. Raises `OperatorError`."""
        store = cls(await Database.open(config.url, alone), config, clock or Clock())
        try:
            await store.database.read(store.clock.start)
        except BaseException:
            await store.close()
            raise
        return store

    @property
    def doubt(self) -> asyncio.Event:
        """Set when something was written, and yet reported as failed. Whoever looks for it clears this."""
        return self.database.doubt

    def make_room_with(self, make_room: Callable[[], bool]) -> None:
        """Set what is called, in a thread, when the disk is full. It returns whether to try again."""
        self.database.make_room = make_room

    check = writing_dated(questions.try_out)

    # Conversations

    load = reading(conversations.load)
    outline = reading(conversations.outline)
    keys = reading(turns.keys)
    key_of_turn = reading(turns.key_of_turn)
    version_counts = reading(versions.counts)
    versions_of = reading(versions.of_turn)
    answered = reading(turns.answered)
    turn_of_posted = reading(turns.turn_of_posted)
    is_posted = reading(messages.is_posted)
    summaries = reading(listing.summaries)
    arrange = writing(listing.arrange)
    share = writing(links.share)
    unshare = writing(links.unshare)
    shared = reading(links.shared)
    last_pictured = reading(pictures.last_pictured)
    save = writing_dated(questions.save)
    restart = writing_dated(conversations.restart)
    settings = reading(conversation_settings.find)
    has_begun = reading(conversations.has_begun)
    change_settings = writing_dated(conversation_settings.change)

    async def answered_today(self) -> int:
        """Return how many questions were answered since midnight, local time, and not forgotten."""
        now = datetime.fromtimestamp(self.clock.certain())
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return await self.database.read(turns.answered_since, midnight.timestamp())

    async def forget(self, conversation_id: str, key: str | None = None) -> tuple[str, ...]:
        """Delete the conversation, its messages and every picture used nowhere else, overwriting them on disk.

        `key` is the message that asked for it. It stays to be answered, and takes over what was posted for others that
        will not be answered. Returns the platform's ids of those messages.
        """
        posted_ids, image_ids = await self.write(questions.forget, self.clock.now(), conversation_id, key)
        await self.removed(image_ids, conversation_id)
        return posted_ids

    async def forget_answered(self, conversation_id: str, key: str) -> bool:
        """Forget a conversation in which `key` was answered; see `questions.forget_answered`."""
        image_ids = await self.write(questions.forget_answered, self.clock.now(), conversation_id, key)
        if image_ids is not None:
            await self.removed(image_ids, conversation_id)
        return image_ids is not None

    async def move(self, conversation_id: str, new_id: str) -> bool:
        """Move a conversation when the platform renamed its place.

        Return False if the old id has no conversation, or the new id has one.
        """
        moved = await self.write(questions.move, conversation_id, new_id)
        if moved:
            self.forget_computed((), conversation_id)
        return moved

    # Pictures, and the platform's files that they came in

    picture = reading(images.find)
    original = reading(images.original)
    numbered_picture = reading(pictures.numbered)
    picture_size = reading(pictures.size)
    add_pictures = writing_dated(questions.add_pictures)
    remove_picture = removing(conversations.remove_picture)
    withdraw_picture = removing(conversations.withdraw_picture)
    discard_picture = removing(conversations.discard_picture)
    document = reading(documents.find)
    document_outline = reading(documents.outline)
    _keep_document = writing_dated(questions.keep_document)
    add_document_pages = writing(documents.add_pages)
    remember_file = writing(files.remember)
    known_files = reading(files.known)
    remove_file = removing(files.remove)

    async def picture_data(self, image_id: str) -> AsyncGenerator[bytes]:
        """Yield a picture in pieces, each read when it is asked for.

        Raises `NotFound`, also if it is removed meanwhile.
        """
        start = 0
        while True:
            async with self._reading:
                piece = await self.database.read(images.piece, image_id, start, PIECE_BYTES)
            if not piece:
                return
            yield piece
            start += len(piece)

    async def keep_document(
        self, conversation_id: str, person: str, document: KeptDocument, begins: bool = False
    ) -> None:
        """Put a document in the place of the one before, and keep it if there is room.

        See `questions.keep_document`.
        """
        await self._keep_document(conversation_id, person, await self.fitting(person, document), begins)

    async def fitting(self, person: str, document: KeptDocument) -> KeptDocument:
        """Return a document, without its data if that is more than this person, or all together, may still store."""
        excess = await self.database.read(allowance.excess_of, person, len(document.data), self._allowance)
        return document if excess.person <= 0 and excess.all <= 0 else replace(document, data=b"")

    async def make_room(self, person: str, images: Sequence[Image]) -> None:
        """Make room for a question with these pictures. Raises `NoRoom` if that is impossible."""
        excess = await self.database.read(allowance.excess, person, images, self._allowance)
        while excess.person > 0 or excess.all > 0:
            whose, wanted = (person, excess.person) if excess.person > 0 else (None, excess.all)
            if not await self.database.write(allowance.drop_spare, wanted, whose):
                raise _no_room(whose, bool(images))
            excess = await self.database.read(allowance.excess, person, images, self._allowance)

    # Messages

    put = writing_urgent(messages.put)
    put_question = writing_dated(questions.put)
    unfinished = reading(messages.unfinished)
    asking = reading(messages.asking)
    unfinished_in = reading(messages.unfinished_in)
    conversation_of = reading(messages.conversation_of)
    digest_of = reading(messages.digest_of)
    record_posted = writing(messages.record_posted)
    rewrite = writing(messages.rewrite)
    finish = writing_dated(messages.finish)
    wish = writing(messages.wish)
    revise = writing(edits.revise)
    rejoin = writing(edits.rejoin)

    async def supersede_answer(
        self, message: StoredMessage, revision: Revision, words: str, shown: Shown = Shown()
    ) -> str | None:
        """Take the answer to an edited message back; see `edits.replace_shown`. Return the key where it is kept."""
        aside, image_ids = await self.write(edits.replace_shown, message, revision, words, shown)
        if image_ids:
            await self.removed(image_ids)
        return aside

    async def take_back(self, message: StoredMessage, numbers: Sequence[int]) -> None:
        """Remove all of a refused question: its key, its pictures unless a question shows them, and an empty chat."""
        image_ids = await self.write(questions.take_back, message, numbers)
        if image_ids:
            await self.removed(image_ids)

    # What each replica works on, and what is read of it at others

    follow_answer = writing(growing.follow)
    grow_answer = writing(growing.grow)

    claim_lease = single(leases.claim)
    beat_leases = single(leases.beat)
    give_back_leases = single(leases.give_back)
    count_held = single(leases.count_held)
    open_messages = single(leases.open_messages)
    live_replicas = single(leases.live_replicas)

    # What is counted

    async def change_tally(self, name: str, seconds: float, change: Callable[[Counts, float], Result]) -> Result:
        """Change what is counted under a name; see `core.tally`."""
        return await self.database.write(tallies.change, self.clock.now(), name, seconds, change)

    async def tally(self, name: str) -> tuple[Counts, float]:
        """Return what is counted under a name, and the time."""
        return await self.database.read(tallies.find, name), self.clock.now()

    # People

    standings = reading(people.standings)
    known_people = reading(people.known_people)
    meet = writing_dated(people.meet)
    decide = writing_dated(people.decide)
    rated = reading(ratings.rated)
    is_ended = reading(sessions.is_ended)

    async def rate(self, key: str, rating: int) -> bool:
        """Rate a turn. Raises `NotAllowed` if the operator did not switch ratings on."""
        self._check_ratings()
        return await self.database.write(ratings.rate, key, rating)

    async def rate_posted(self, adapter: str, posted_id: str, rating: int, conversation_id: str | None = None) -> bool:
        """Rate the turn whose answer is in this message. Raises `NotAllowed` like `rate`."""
        self._check_ratings()
        return await self.database.write(ratings.rate_posted, adapter, posted_id, rating, conversation_id)

    async def end_session(self, session: str, until: float) -> None:
        """Store that a session ended. If an ended session were dropped too early, it could be used again."""
        await self.database.write(sessions.end, self.clock.certain(), session, until)

    def _check_ratings(self) -> None:
        if not self.ratings:
            raise NotAllowed("Ratings are switched off here.")

    # For the operator

    workspaces = reading(personal.workspaces)
    traces = reading(personal.find)
    chapters = reading(chapters.of)

    async def forget_person(self, names: Collection[str], author_of: AuthorOf) -> Traces:
        """Delete all that is kept of a person, and return what there was. No service may work with the database.

        Raises `OperatorError` if one does, as far as the database knows.
        """
        await self.database.read(refuse_users)
        traces, image_ids = await self.database.write(personal.forget, names, author_of)
        await self.removed(image_ids)
        return traces

    async def notices(self) -> dict[str, str]:
        """Return sentences for the operator about the disk and the limit, "" where all is well."""
        used, limit = await self.database.read(allowance.size), self._allowance.all
        nearly = limit and used > NEARLY_FULL_SHARE * limit
        full = (
            f"The database takes {used / GIGABYTE:.2f} of {limit / GIGABYTE:g} GB. At the limit pictures as they were "
            "sent go, the oldest first, then new ones are refused: raise size_limit_gb in [storage]."
        )
        return {"disk": self._disk_notice(), "limit": full if nearly else ""}

    def _disk_notice(self) -> str:
        if self.database.file is None:
            return ""
        folder = self.database.file.parent
        left, kept = free(folder), reserve(folder)
        self._disk_is_low = left < kept / 2 or (self._disk_is_low and left < 3 * kept / 4)
        advice = f"{left / 1e6:.1f} MB are free in {folder}. Make room, or lower cache_limit_gb in [core.engine]."
        return f"The disk is nearly full: {advice}" if self._disk_is_low else ""


def _no_room(person: str | None, of_pictures: bool) -> NoRoom:
    if person is None:
        log.error("the database has reached its limit, so nothing new is kept: raise size_limit_gb in [storage]")
        if of_pictures:
            return NoRoom("This server has no room for more pictures. Please tell the person who runs it.")
        return NoRoom("This server has no room for more questions. Please tell the person who runs it.")
    return NoRoom(
        "Your pictures have used up all the room that you have here. Please delete some that you no longer need."
    )

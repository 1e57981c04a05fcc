"""What the assistant and the inboxes remember with: conversations and messages on disk. Rows do not leave here."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol, Self

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from core.conversation import Conversation, Image, SummaryPage, Turn
from core.disk_space import free, reserve
from core.errors import NoRoom, NotAllowed, NotFound
from core.inbox import Message
from storage import allowance, blocks, conversations, files, messages, pictures, questions, sessions
from storage.allowance import Allowance
from storage.clock import DAY, Clock
from storage.database import Database
from storage.questions import Payload

log = logging.getLogger(__name__)
GIGABYTE = 1e9
LISTED = 200  # conversations at a time
NEARLY = 0.9  # of the limit
PIECES_AT_ONCE = 4  # SQLite has the whole picture in memory for the moment in which it reads a piece
PIECE_BYTES = 256 * 1024  # of a picture that is read while somebody takes it


class Config(BaseModel, extra="forbid", frozen=True):
    url: str = Field("sqlite+aiosqlite:///data/answers.db", description="SQLAlchemy address of the database.")
    expire_days: float = Field(
        30,
        ge=0,
        description="Conversations nobody wrote in for so many days are removed with their pictures; 0: never.",
    )
    limit: float = Field(
        20.0,
        ge=0,
        description="Gigabytes that the database may take; pictures as they were sent go first, then new ones are "
        "refused; 0: no limit.",
    )
    person_limit: float = Field(
        2.0, ge=0, description="Gigabytes of that for the pictures of one person, in the same way; 0: no limit."
    )
    ratings: bool = Field(
        False, description="Let people rate answers; `python -m bots export-feedback` writes the rated ones out."
    )


class Computed(Protocol):
    """What was computed of conversations and pictures: it must not outlive them."""

    def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
        """The conversation is gone, if it is one, and no conversation shows these images any more."""
        ...

    def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None:
        """There is nothing else."""
        ...


class Store:
    """Implements `core.assistant.History` and `core.inbox.Mailbox`. A method raises `StoreDown` when the disk fails."""

    def __init__(self, database: Database, config: Config, clock: Clock) -> None:
        self.ratings = config.ratings  # whether answers may be rated
        self.computed: Computed | None = None
        self._database = database
        self._expire_days = config.expire_days
        self._allowance = Allowance(int(config.limit * GIGABYTE), int(config.person_limit * GIGABYTE))
        self._clock = clock
        self._disk_is_low = False
        self._reading = asyncio.Semaphore(PIECES_AT_ONCE)

    @classmethod
    async def open(cls, config: Config, clock: Clock | None = None, alone: bool = False) -> Self:
        """Makes the database or brings it up to date; `alone` as in `Database.open`. Raises `OperatorError`."""
        store = cls(await Database.open(config.url, alone), config, clock or Clock())
        try:
            await store._database.read(store._clock.start)
        except BaseException:
            await store.close()
            raise
        return store

    def make_room_with(self, make_room: Callable[[], bool]) -> None:
        """When the disk is full, `make_room` is called in a thread; what it answers is whether to try again."""
        self._database.make_room = make_room

    async def close(self) -> None:
        await self._database.close()

    async def check(self) -> None:
        """Raises `StoreDown` when no question and no answer could be written down now."""
        await self._database.write(questions.try_out, self._clock.now())

    # What was said

    async def load(self, conversation_id: str) -> Conversation:
        """Its images come without `original`; `picture` has it."""
        return await self._database.read(conversations.load, conversation_id)

    async def outline(self, conversation_id: str) -> Conversation:
        """As `load`, with the data of its images left out, for who shows only numbers and words."""
        return await self._database.read(conversations.load, conversation_id, pictures.FACTS)

    async def answered(self, key: str) -> Turn | None:
        return await self._database.read(conversations.answered, key)

    async def save(
        self, conversation_id: str, turn: Turn, key: str, replaces: str | None = None, person: str | None = None
    ) -> None:
        now = self._clock.now()
        await self._database.write(questions.save, conversation_id, turn, key, replaces, person, now)

    async def last_key(self, conversation_id: str) -> str | None:
        return await self._database.read(conversations.last_key, conversation_id)

    async def keys(self, conversation_id: str) -> list[str]:
        """Of the turns that `load` gives, in the same order."""
        return await self._database.read(conversations.keys, conversation_id)

    async def turn_of_sent(self, adapter: str, sent: str, conversation_id: str | None = None) -> Turn | None:
        """The turn whose answer stands in the platform's message `sent`.

        Give the conversation where the platform's message ids are not unique beyond a chat.
        """
        return await self._database.read(conversations.turn_of_sent, adapter, sent, conversation_id)

    async def is_sent(self, adapter: str, sent: str) -> bool:
        """Whether the platform's message `sent` is known to carry (a part of) an answer."""
        return await self._database.read(messages.key_of_sent, adapter, sent, None) is not None

    async def conversations(
        self, prefix: str = "", after: str = "", untitled: Collection[str] = (), limit: int = LISTED
    ) -> SummaryPage:
        """Those whose id begins with `prefix` and in which something was asked, newest first; `after` is where the
        page before said that the next one begins. `untitled` are ids of some in which an answer is being written."""
        return await self._database.read(conversations.summaries, prefix, limit, after, untitled)

    async def answered_today(self) -> int:
        """How many questions that are not forgotten, since midnight of this machine's time zone."""
        now = datetime.fromtimestamp(self._clock.certain())
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return await self._database.read(conversations.answered_since, midnight.timestamp())

    async def begin(self, conversation_id: str) -> None:
        await self._database.write(conversations.begin, conversation_id, self._clock.now())

    async def forget(self, conversation_id: str, key: str | None = None) -> tuple[str, ...]:
        """The conversation, its messages' payloads and every picture that nobody else uses, overwritten on the disk.

        `key` is of the message that asked for it. That one stays to be answered, and takes over what was posted for
        the others that nobody answers any more: returned are the platform's ids of all that.
        """
        sent, image_ids = await self._database.write(_forget, conversation_id, key, self._clock.now())
        self._gone(conversation_id, image_ids)
        await self._database.tidy()
        return sent

    async def move(self, conversation_id: str, new_id: str) -> bool:
        """The platform gave the conversation's place another name; False when nothing was said there, or in both."""
        moved = await self._database.write(_move, conversation_id, new_id)
        if moved:
            self._gone(conversation_id, ())
        return moved

    async def expire(self) -> int:
        """Forget conversations and message keys older than `expire_days`; returns how many conversations.

        Nothing that waits for its answer, and nothing at all while the clock is in doubt. With them goes whatever was
        computed of anything that is not here.
        """
        await self._database.write(self._clock.look)
        expired = await self._expire() if self._expire_days and not self._clock.reading.doubtful else 0
        if self.computed:
            self.computed.keep_only(*await self._database.read(_known))
        return expired

    async def expire_now(self, unanswered: bool = False) -> int:
        """As `expire`, by the clock as it is: the operator says so. With `unanswered`, questions that old go, too."""
        await self._database.write(self._clock.believe)
        if unanswered and self._expire_days:
            await self._database.write(messages.expire_unanswered, self._oldest())
        return await self.expire()

    async def expirable(self) -> tuple[int, int]:
        """How many conversations would expire by the clock as it is, and how many unanswered questions are that old."""
        if not self._expire_days:
            return 0, 0
        moment = self._clock.said() - self._expire_days * DAY
        found = await self._database.read(conversations.older_than, moment)
        return len(found), await self._database.read(messages.unanswered, moment)

    async def notices(self) -> dict[str, str]:
        """What the operator should know of the disk and the limit, as sentences; empty ones when all is well."""
        used, limit = await self._database.read(allowance.size), self._allowance.all
        nearly = limit and used > NEARLY * limit
        full = (
            f"The database takes {used / GIGABYTE:.2f} of {limit / GIGABYTE:g} GB. At the limit pictures as they were "
            "sent go, the oldest first, then new ones are refused: raise limit in [storage]."
        )
        return {"disk": self._disk_notice(), "limit": full if nearly else ""}

    def _disk_notice(self) -> str:
        if self._database.file is None:
            return ""
        folder = self._database.file.parent
        left, kept = free(folder), reserve(folder)
        self._disk_is_low = left < kept / 2 or (self._disk_is_low and left < 3 * kept / 4)
        advice = f"{left / 1e6:.1f} MB are free in {folder}. Make room, or lower cache_limit in [core.engine]."
        return f"The disk is nearly full: {advice}" if self._disk_is_low else ""

    @property
    def doubt(self) -> str:
        """Why nothing expires at the moment, as a sentence for the operator; empty when all is well."""
        return str(self._clock.reading)

    def clock_jumped(self) -> bool:
        """Whether somebody moved the clock since `expire` looked at it."""
        return self._clock.jumped()

    async def _expire(self) -> int:
        moment, expired = self._oldest(), 0
        for conversation_id in await self._database.read(conversations.older_than, moment):
            image_ids = await self._database.write(_forget_old, conversation_id, moment)
            if image_ids is not None:
                self._gone(conversation_id, image_ids)
                expired += 1
        await self._database.write(messages.expire, moment)
        await self._database.write(files.drop_unused)
        if expired:
            await self._database.tidy()
        return expired

    def _oldest(self) -> float:
        return self._clock.certain() - self._expire_days * DAY

    # Pictures

    async def make_room(self, person: str, images: Sequence[Image]) -> None:
        """For a question with these pictures. Raises `NoRoom` where none can be made."""
        left = await self._database.read(allowance.excess, person, images, self._allowance)
        while left.person > 0 or left.all > 0:
            whose, wanted = (person, left.person) if left.person > 0 else (None, left.all)
            if not await self._database.write(allowance.drop_originals, wanted, whose):
                raise _no_room(whose, bool(images))
            left = await self._database.read(allowance.excess, person, images, self._allowance)

    async def add_pictures(
        self, conversation_id: str, images: Sequence[Image], person: str | None = None, first: int | None = None
    ) -> list[int]:
        """All of them or, where it raises, none."""
        now = self._clock.now()
        return await self._database.write(questions.add_pictures, conversation_id, images, person, now, first)

    async def picture(self, image_id: str) -> Image:
        """With `original`, if that was kept. Raises `NotFound`."""
        image = await self._database.read(pictures.image, image_id)
        if image is None:
            raise _gone()
        return image

    async def numbered_picture(self, conversation_id: str, number: int) -> Image | None:
        """One picture of a conversation; the others are not read for it."""
        return await self._database.read(pictures.numbered, conversation_id, number)

    async def picture_size(self, conversation_id: str, number: int) -> tuple[str, int] | None:
        """The id of a picture of a conversation, and how many bytes `picture_data` will give."""
        return await self._database.read(pictures.size, conversation_id, number)

    async def picture_data(self, image_id: str) -> AsyncGenerator[bytes]:
        """A picture in pieces, each read when it is asked for. Raises `NotFound`, also when it is removed meanwhile."""
        start = 0
        while True:
            async with self._reading:
                piece = await self._database.read(pictures.piece, image_id, start, PIECE_BYTES)
            if piece is None:
                raise _gone()
            if not piece:
                return
            yield piece
            start += len(piece)

    async def remove_picture(self, conversation_id: str, number: int) -> bool:
        image_ids = await self._database.write(conversations.remove_picture, conversation_id, number)
        return await self._removed(image_ids)

    async def withdraw_picture(self, conversation_id: str, number: int) -> bool:
        """It does not wait for the next question any more; one that no turn shows is removed. As `remove_picture`."""
        return await self._removed(await self._database.write(conversations.withdraw_picture, conversation_id, number))

    # Files of a platform

    async def remember_file(self, file: str, conversation_id: str, image_ids: Sequence[str]) -> None:
        """`file` is the platform's id of it with the platform's name in front; it became these images."""
        await self._database.write(files.remember, file, conversation_id, image_ids)

    async def known_files(self, conversation_id: str) -> set[str]:
        """Files whose images the conversation has, or had."""
        return await self._database.read(files.known, conversation_id)

    async def remove_file(self, file: str) -> bool:
        """Its images go from the conversations that it was sent to: its sender deleted it on the platform."""
        return await self._removed(await self._database.write(files.remove, file))

    # Sessions of the web page

    async def end_session(self, session: str, until: float) -> None:
        """Remember that a session was ended, at least until that moment in seconds since 1970."""
        await self._database.write(sessions.end, session, until, self._clock.certain())

    async def is_ended(self, session: str) -> bool:
        return await self._database.read(sessions.is_ended, session)

    # Thumbs

    async def rate(self, key: str, rating: int) -> bool:
        """1 is a thumb up, -1 down, 0 takes it back; False when no turn was saved under `key`.

        Raises `NotAllowed` where the operator did not switch ratings on.
        """
        if not self.ratings:
            raise NotAllowed("Ratings are switched off here.")
        return await self._database.write(conversations.rate, key, rating)

    async def rate_sent(self, adapter: str, sent: str, rating: int, conversation_id: str | None = None) -> bool:
        """As `rate`, for the turn whose answer stands in the platform's message `sent`; see `turn_of_sent`."""
        key = await self._database.read(messages.key_of_sent, adapter, sent, conversation_id)
        return key is not None and await self.rate(key, rating)

    async def rated(self) -> list[Turn]:
        return await self._database.read(conversations.rated)

    # Who may not ask

    async def block(self, person: str) -> bool:
        """`person` is a platform's id of somebody; False when they were blocked before."""
        return await self._database.write(blocks.block, person, self._clock.now())

    async def unblock(self, person: str) -> bool:
        """False when they were not blocked."""
        return await self._database.write(blocks.unblock, person)

    async def is_blocked(self, person: str) -> bool:
        return await self._database.read(blocks.is_blocked, person)

    # Messages

    async def put(
        self, adapter: str, key: str, conversation_id: str, payload: str, group: str | None = None
    ) -> Message | None:
        now = self._clock.now()
        return await self._database.note(messages.put, adapter, key, conversation_id, payload, group, now)

    async def put_question(
        self, adapter: str, key: str, conversation_id: str, images: Sequence[Image], payload: Payload, person: str
    ) -> Message | None:
        """As `put`, with pictures of its own; `payload` is told their numbers, and which of these are new."""
        now = self._clock.now()
        work = questions.put
        return await self._database.write(work, adapter, key, conversation_id, images, payload, person, now)

    async def take_back(self, message: Message, numbers: Sequence[int]) -> None:
        """A question that was refused leaves nothing: not its key, nor these pictures, if no other question shows them,
        nor a conversation in which there is nothing else."""
        image_ids = await self._database.write(questions.take_back, message, numbers)
        self._gone(None, image_ids)
        if image_ids:
            await self._database.tidy()

    async def conversation_of(self, key: str) -> str | None:
        """The conversation that a message was put into, also when it is finished."""
        return await self._database.read(messages.conversation_of, key)

    async def last_pictured(self, prefix: str) -> str | None:
        """Of the conversations whose id begins with `prefix`, the one with pictures that changed last."""
        return await self._database.read(pictures.last_pictured, prefix)

    async def unfinished(self, adapter: str) -> list[Message]:
        return await self._database.read(messages.unfinished, adapter)

    async def record_sent(self, message_id: int, sent: Sequence[str]) -> None:
        await self._database.write(messages.record_sent, message_id, sent)

    async def rewrite(self, message_id: int, payload: str) -> None:
        await self._database.write(messages.rewrite, message_id, payload)

    async def finish(self, message_ids: Sequence[int]) -> None:
        await self._database.write(messages.finish, message_ids, self._clock.now())

    async def _removed(self, image_ids: Collection[str] | None) -> bool:
        if image_ids is None:
            return False
        self._gone(None, image_ids)
        await self._database.tidy()
        return True

    def _gone(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
        if self.computed:
            self.computed.forget(conversation_id, image_ids)


def _gone() -> NotFound:
    return NotFound("This picture is not here any more.")


async def _known(connection: AsyncConnection) -> tuple[Sequence[str], Sequence[str]]:
    return await conversations.every_id(connection), await pictures.every_id(connection)


async def _forget(
    connection: AsyncConnection, conversation_id: str, key: str | None, now: float
) -> tuple[tuple[str, ...], Collection[str]]:
    image_ids = await conversations.forget(connection, conversation_id)
    await files.forget(connection, conversation_id)
    return await messages.forget(connection, conversation_id, key, now), image_ids


async def _forget_old(connection: AsyncConnection, conversation_id: str, moment: float) -> Collection[str] | None:
    """None when somebody came back to it while others were forgotten."""
    if not await conversations.is_older(connection, conversation_id, moment):
        return None
    _, image_ids = await _forget(connection, conversation_id, None, moment)
    return image_ids


def _no_room(person: str | None, of_pictures: bool) -> NoRoom:
    if person is None:
        log.error("the database has reached its limit, so nothing new is kept: raise limit in [storage]")
        if of_pictures:
            return NoRoom("This server has no room for more pictures. Please tell whoever runs it.")
        return NoRoom("This server has no room for more questions. Please tell whoever runs it.")
    return NoRoom(
        "Your pictures have used up all the room that you have here. Please delete some that you no longer need."
    )


async def _move(connection: AsyncConnection, conversation_id: str, new_id: str) -> bool:
    if not await conversations.move(connection, conversation_id, new_id):
        return False
    await messages.move(connection, conversation_id, new_id)
    await files.move(connection, conversation_id, new_id)
    return True

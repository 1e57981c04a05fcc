"""Stand in for other parts: an engine that answers from a script, a history, a mailbox."""

import asyncio
import io
import time
from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

from PIL import Image as PilImage

from core.answer import Answer, Ending
from core.conversation import Conversation, Picture, Turn
from core.errors import NotFound
from core.events import BeganAgain, Looking, Piece, Tell, Waiting
from core.image import Image
from core.pseudonym import pseudonym
from core.sampling import Sampling
from core.stored_message import StoredMessage
from core.tally import Counts, Result


def image(colour: str = "red", size: tuple[int, int] = (64, 48)) -> Image:
    """Return a safe picture of one colour. The same colour and size give the same id."""
    data = io.BytesIO()
    PilImage.new("RGB", size, colour).save(data, "PNG")
    return Image(f"{colour}-{size[0]}x{size[1]}", data.getvalue(), *size, original_size=size)


def describe(conversation: Conversation) -> str:
    """Return the question and its pictures, so that tests see what arrived. This is the default script."""
    turn = conversation.turns[-1]
    numbers = ", ".join(str(picture.number) for picture in turn.pictures)
    return f"Answer to '{turn.text}' about [{numbers}] after {len(conversation.turns) - 1} turns."


@dataclass
class ScriptedEngine:
    """Streams `script(conversation)` word by word, one question at a time, with a pause before each piece.

    An answer that begins while there is a `gate` waits at it before its last word, so that a test decides when it ends.
    """

    script: Callable[[Conversation], str | Exception] = describe
    pause: float = 0.0  # seconds before each piece
    gate: asyncio.Event | None = None
    asked: list[Conversation] = field(default_factory=list)
    samplings: list[Sampling] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    running: int = 0
    cancelled: int = 0
    ending: Ending = Ending.DONE

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        self.asked.append(conversation)
        self.samplings.append(sampling)
        script, gate = self.script(conversation), self.gate
        if isinstance(script, Exception):
            raise script
        self.running += 1
        text = ""
        try:
            tell(Waiting(1, 2.0))
            new = [
                picture.image.id for picture in conversation.turns[-1].pictures if picture.image.id not in self.looked
            ]
            for index, image_id in enumerate(new, 1):
                tell(Looking(index, len(new)))
                self.looked.append(image_id)
            words = script.split(" ")
            for number, word in enumerate(words, 1):
                await asyncio.sleep(self.pause)
                if gate is not None and number == len(words):
                    await gate.wait()
                piece = f" {word}" if text else word
                text += piece
                tell(Piece(piece))
            return Answer(text, self.ending)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def encode_ahead(self, image: Image) -> None:
        self.looked.append(image.id)


class Interrupted(ScriptedEngine):
    """Is lost in the middle of each answer, like an engine elsewhere, and writes it once more."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        tell(Piece("It is gr"))
        await asyncio.sleep(self.pause)
        tell(BeganAgain())
        return await super().answer(conversation, sampling, tell)


class Doubtful(ScriptedEngine):
    """Takes its answer back at the end, like the demo model about a picture that it cannot read."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        answer = await super().answer(conversation, sampling, tell)
        return replace(answer, text="I am not sure of this.")


@dataclass
class MemoryTallies:
    """`Tallies` in a dictionary."""

    clock: Callable[[], float] = time.time
    tallies: dict[str, Counts] = field(default_factory=dict)

    async def change_tally(self, name: str, seconds: float, change: Callable[[Counts, float], Result]) -> Result:
        counts, now = await self.tally(name)
        result = change(counts, now)
        self.tallies[name] = counts
        return result

    async def tally(self, name: str) -> tuple[Counts, float]:
        return deepcopy(self.tallies.get(name, {})), self.clock()


@dataclass
class MemoryHistory(MemoryTallies):
    """A `History` in a dictionary."""

    conversations: dict[str, Conversation] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)

    async def load(self, conversation_id: str) -> Conversation:
        return self.conversations.get(conversation_id, Conversation(conversation_id))

    async def outline(self, conversation_id: str) -> Conversation:
        return await self.load(conversation_id)

    async def answered(self, key: str) -> Turn | None:
        return self.turns.get(key)

    async def picture(self, image_id: str) -> Image:
        for conversation in self.conversations.values():
            if image_id in conversation.images:
                return conversation.images[image_id]
        raise NotFound("This picture is not here any more.")

    async def make_room(self, person: str, images: Sequence[Image]) -> None: ...

    async def save(
        self, conversation_id: str, turn: Turn, key: str, replaces: str | None = None, person: str | None = None
    ) -> None:
        known = await self.load(conversation_id)
        keys = self.keys.setdefault(conversation_id, [])
        turns, place = list(known.turns), len(keys)
        if replaces is not None:
            place = keys.index(replaces)
            del turns[place], keys[place], self.turns[replaces]
        highest = max((picture.number for picture in turn.pictures), default=0)
        waiting = tuple(p for p in known.waiting if p.number not in {q.number for q in turn.pictures})
        number = max(known.next_number, highest + 1)
        self.conversations[conversation_id] = Conversation(
            conversation_id, (*turns[:place], turn, *turns[place:]), waiting, number, settings=known.settings
        )
        self.turns[key] = turn
        keys.insert(place, key)

    async def add_pictures(
        self,
        conversation_id: str,
        images: Sequence[Image],
        person: str | None = None,
        first: int | None = None,
        *,
        begins: bool = True,
    ) -> list[int]:
        return [self._add_picture(conversation_id, image, person) for image in images]

    def _add_picture(self, conversation_id: str, image: Image, person: str | None) -> int:
        known = self.conversations.get(conversation_id, Conversation(conversation_id))
        numbers = {picture.image.id: picture.number for picture in known.pictures}
        picture = Picture(numbers.get(image.id, known.next_number), image, pseudonym(person) if person else None)
        waiting = (*(other for other in known.waiting if other.number != picture.number), picture)
        next_number = max(known.next_number, picture.number + 1)
        self.conversations[conversation_id] = replace(known, waiting=waiting, next_number=next_number)
        return picture.number

    async def remove_picture(self, conversation_id: str, number: int, keeps_document: bool = False) -> bool:
        known = await self.load(conversation_id)
        if number not in {picture.number for picture in known.pictures}:
            return False
        self.conversations[conversation_id] = known.without([number])
        return True

    async def restart(self, conversation_id: str) -> None:
        self.conversations.pop(conversation_id, None)
        self.keys.pop(conversation_id, None)

    async def forget(self, conversation_id: str, key: str | None = None) -> tuple[str, ...]:
        for saved in self.keys.pop(conversation_id, []):
            self.turns.pop(saved, None)
        self.conversations.pop(conversation_id, None)
        return ()

    async def key_of_turn(self, conversation_id: str, number: int) -> str | None:
        keys = self.keys.get(conversation_id, [])
        return keys[number - 1] if number <= len(keys) else None


@dataclass
class MemoryMailbox:
    """A `Mailbox` in a list. A second inbox over the same one is a restart."""

    messages: list[StoredMessage] = field(default_factory=list)
    finished: set[int] = field(default_factory=set)

    async def put(
        self,
        adapter: str,
        key: str,
        conversation_id: str,
        payload: str,
        group: str | None = None,
        digest: str | None = None,
    ) -> StoredMessage | None:
        if any(message.key == key for message in self.messages):
            return None
        message = StoredMessage(len(self.messages), adapter, key, conversation_id, payload, group, digest=digest)
        self.messages.append(message)
        return message

    async def unfinished(self, adapter: str) -> list[StoredMessage]:
        return [m for m in self.messages if m.adapter == adapter and m.id not in self.finished]

    async def unfinished_in(self, adapter: str, conversation_id: str) -> list[StoredMessage]:
        return [m for m in await self.unfinished(adapter) if m.conversation_id == conversation_id]

    async def record_posted(self, message_id: int, posted_ids: Sequence[str]) -> None:
        self.messages[message_id] = replace(self.messages[message_id], posted_ids=tuple(posted_ids))

    async def rewrite(self, message_id: int, payload: str, digest: str | None = None) -> None:
        self.messages[message_id] = replace(self.messages[message_id], payload=payload, digest=digest)

    async def finish(self, message_ids: Sequence[int], digests: Collection[str] | None = None) -> None:
        self.finished |= set(message_ids)

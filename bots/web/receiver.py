"""Receive questions from the web. One with a key is stored and outlives its reader; one without ends with it.

The client chooses the key. Sending it again, also after a lost connection or a restart, returns the same answer.
"""

import asyncio
import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from bots.conversing.actions import CLOSER_FACTOR, MOST_IMAGE_TOKENS
from bots.conversing.store import Store
from bots.web.draft import Broadcast
from bots.web.errors import Restarting
from bots.web.message import Asked
from core import asker, trace
from core.assistant import Assistant
from core.conversation import Answer, Conversation, Event, Image, Picture, Piece, Question, Tell, Turn
from core.errors import BadQuestion, BotError, Busy, Interrupted, NotFound
from core.inbox import Inbox, Message, TakenBack
from core.pictures.images import Config as ImagesConfig
from core.pictures.images import make_image

log = logging.getLogger(__name__)
PREFIX = "web:"
KEPT_SECONDS = 60.0  # an answer stays in memory for returning readers; later it is read from the store
PAUSES_SECONDS = (1, 5, 30)  # before a question is tried again whose answer could not be saved
WAITING_QUESTIONS = 4  # unanswered in one conversation


class AnswerGone(NotFound):
    retryable = True  # with another key


@dataclass(frozen=True, slots=True)
class Writing:
    """An answer being written. Its turn is saved under `key`; `task` writes an answer that belongs to one reader."""

    key: str
    broadcast: Broadcast
    task: asyncio.Task[None] | None = None

    def hang_up(self) -> None:
        """Stop an answer that only this reader would have read."""
        if self.task is not None:
            self.task.cancel()


class Receiver:
    def __init__(self, assistant: Assistant, store: Store, images: ImagesConfig) -> None:
        self.assistant = assistant
        self.store = store
        self._images = images
        self._inbox = Inbox(store, "web", self._work, pauses_s=PAUSES_SECONDS)
        self._broadcasts: dict[str, Broadcast] = {}
        self._submitting: dict[str, asyncio.Task[Broadcast]] = {}  # by key, while they are being stored
        self._asking: Counter[str] = Counter()  # questions that are being answered, by conversation
        self._forgotten: set[str] = set()  # conversations that a question being answered must not bring back

    async def open(self) -> None:
        """Take up the questions that the last run left open."""
        for message in await self.store.unfinished("web"):
            with suppress(ValueError, TypeError, KeyError):  # it is damaged, and the inbox says so
                self._broadcasts[message.key] = _broadcast(message.conversation_id, Asked.read(message.payload))
        await self._inbox.resume()

    async def close(self) -> None:
        """Keep running answers for after the restart, and tell their readers."""
        await asyncio.gather(*self._submitting.values(), return_exceptions=True)
        await self._inbox.close()
        for broadcast in self._broadcasts.values():
            if not broadcast.over:
                broadcast.fail(Restarting("The service is restarting. Your question is kept and will be answered."))

    async def conversation(self, conversation_id: str) -> Conversation:
        """Return the outline of a web conversation. Raises `NotFound` for unknown ids and those of other platforms."""
        own = conversation_id.startswith(PREFIX) and len(conversation_id) <= 100
        if own and conversation_id not in self._forgotten:
            conversation = await self.store.outline(conversation_id)
            if conversation.turns or conversation.waiting:
                return conversation
        raise NotFound("There is no such conversation. It was deleted or has expired.")

    async def picture(self, conversation_id: str, number: int) -> tuple[str, int]:
        """Return a picture's id and its size in bytes. Raises `NotFound`."""
        own = conversation_id.startswith(PREFIX) and conversation_id not in self._forgotten
        found = await self.store.picture_size(conversation_id, number) if own else None
        if found is None:
            raise NotFound("There is no picture {number} in this conversation.", number=number)
        return found

    async def forget(self, conversation_id: str) -> None:
        self._forgotten.add(conversation_id)
        await self._forget(conversation_id)

    def new_id(self, key: str | None = None) -> str:
        """Return an id that cannot be guessed. The same key gets the same id, so that a repeated question stays one."""
        if key is None:
            return PREFIX + secrets.token_hex(16)
        return PREFIX + hashlib.sha256(f"conversation:{key}".encode()).hexdigest()[:32]

    def open_questions(self, conversation_id: str) -> list[tuple[str, Broadcast]]:
        """Return keys and answers of a conversation's questions that are still being answered, oldest first."""
        return [
            (key.removeprefix(PREFIX), broadcast)
            for key, broadcast in self._broadcasts.items()
            if broadcast.conversation_id == conversation_id and not broadcast.over
        ]

    def asking(self) -> dict[str, str]:
        """Return the first question being answered, by conversation."""
        found: dict[str, str] = {}
        for broadcast in self._broadcasts.values():
            if not broadcast.over and broadcast.text:
                found.setdefault(broadcast.conversation_id, broadcast.text)
        return found

    def stop(self, conversation_id: str) -> bool:
        """Stop an answer. One that has not begun, because its pictures are being read, ends as soon as it begins."""
        if self.assistant.stop(conversation_id):
            return True
        for _, broadcast in self.open_questions(conversation_id)[:1]:
            broadcast.stopped = True
            return True
        return False

    def find(self, key: str) -> Broadcast | None:
        """Return the answer under a key, while it is being written and for a while after."""
        return self._broadcasts.get(PREFIX + key)

    async def resume(self, conversation_id: str, key: str) -> Writing | None:
        """Return the answer to a question that was asked under the key before."""
        broadcast = await self._known(conversation_id, key)
        if broadcast is None:
            return None
        return Writing(PREFIX + key, broadcast)

    async def take(
        self,
        conversation_id: str,
        asked: Asked,
        key: str | None,
        images: Sequence[Image] = (),
        notes: Sequence[str] = (),
    ) -> Writing:
        """Take a question, and return its answer.

        With a key it is on disk before this returns, with its `images`. Without one, hanging up stops it and nothing is
        kept.
        """
        if key is None:
            name = PREFIX + secrets.token_hex(16)
            broadcast = _broadcast(conversation_id, asked)
            broadcast.notes = notes
            return Writing(name, broadcast, asyncio.create_task(self._answer_once(name, asked, images, broadcast)))
        if (writing := await self.resume(conversation_id, key)) is not None:
            return writing
        broadcast = await self._submitted(conversation_id, asked, key, images)
        broadcast.notes = notes
        return Writing(PREFIX + key, broadcast)

    async def written(self, writing: Writing, answer: Answer) -> tuple[Conversation, int]:
        """Return the conversation and the number of the turn, from 1, that came of it.

        The number is 0 if the turn was deleted meanwhile.
        """
        conversation_id = writing.broadcast.conversation_id
        known = await self.store.outline(conversation_id)
        keys = await self.store.keys(conversation_id)
        if writing.key in keys[: len(known.turns)]:
            return known, keys.index(writing.key) + 1
        return Conversation(conversation_id, (Turn("", (), answer),)), 0

    async def _known(self, conversation_id: str, key: str) -> Broadcast | None:
        if (found := self.find(key)) is not None:
            return found
        turn = await self.store.answered(PREFIX + key)
        if turn is None or turn.answer is None:
            return None
        broadcast = Broadcast(conversation_id)
        broadcast.finish(turn.answer)
        return broadcast

    async def _submitted(self, conversation_id: str, asked: Asked, key: str, images: Sequence[Image]) -> Broadcast:
        """Store a question. Sent several times at once, it is one question, and all wait until it is on disk."""
        if (task := self._submitting.get(key)) is None:
            task = self._submitting[key] = asyncio.create_task(self._submit(conversation_id, asked, key, images))
            task.add_done_callback(lambda _: self._submitting.pop(key))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # all readers may have gone
        return await asyncio.shield(task)

    async def _submit(self, conversation_id: str, asked: Asked, key: str, images: Sequence[Image]) -> Broadcast:
        if (found := self.find(key)) is not None:
            return found  # the same question was a moment faster
        if self._inbox.waiting(conversation_id) >= WAITING_QUESTIONS:
            raise Busy("Please wait for the answers to your earlier questions first.", 10.0)
        name = PREFIX + key
        await self.store.make_room(asked.person, images)
        message = await self.store.put_question("web", name, conversation_id, images, asked.payload_with, asked.person)
        message = message or await self._left_over(name)
        if message is None:
            raise AnswerGone("This question was asked before, and its answer is gone. Please ask it again.")
        broadcast = self._broadcasts[name] = _broadcast(conversation_id, asked)
        broadcast.numbers = Asked.read(message.payload).pictures
        self._inbox.take_up(replace(message, arrived=asker.current().arrived))
        return broadcast

    async def _left_over(self, name: str) -> Message | None:
        """Take up a stored question that has no worker: it failed too often, or seemed not to be stored."""
        return next((message for message in await self.store.unfinished("web") if message.key == name), None)

    async def _work(self, batch: Sequence[Message]) -> None:
        for message in batch:
            name, asked = message.key, Asked.read(message.payload)
            trace.begin(name)
            asker.begin(asked.person, message.arrived)
            broadcast = self._broadcasts.get(name)
            if broadcast is None or broadcast.over:  # its readers were told that this may take long; new ones may come
                broadcast = self._broadcasts[name] = _broadcast(message.conversation_id, asked)
            try:
                await self._answer(message, asked, broadcast)
            except TakenBack:
                raise
            except Exception:  # it could not be saved; the inbox tries again, and keeps it at last
                broadcast.attempts += 1
                if broadcast.attempts > len(PAUSES_SECONDS):
                    broadcast.fail(Restarting("I cannot save answers at the moment. Your question is kept."))
                raise
            finally:
                if broadcast.over:
                    asyncio.get_running_loop().call_later(KEPT_SECONDS, self._drop, name, broadcast)

    def _drop(self, name: str, broadcast: Broadcast) -> None:
        if self._broadcasts.get(name) is broadcast:
            del self._broadcasts[name]

    async def _answer(self, message: Message, asked: Asked, broadcast: Broadcast) -> None:
        """Answer a question. Raises only if nothing can be stored, and `TakenBack`; other errors go to the readers."""
        name = message.key
        repeated = broadcast.attempts > 0  # readers have heard pieces already, so the whole answer comes at the end

        def tell(event: Event) -> None:
            if not (repeated and isinstance(event, Piece)):
                broadcast.tell(event)

        try:
            broadcast.finish(await self._ask(name, asked, broadcast, tell))
        except Interrupted:
            raise
        except BotError as error:  # sending it again, even with the same key, is a new question
            await self.store.take_back(message, asked.brought)
            self._drop(name, broadcast)
            broadcast.fail(error)
            raise TakenBack from error
        except Exception:
            if await self.store.answered(name) is None:
                raise
            log.exception("an answer failed")
            broadcast.fail(BotError("Something went wrong on my side. Please try again."))

    async def _answer_once(self, key: str, asked: Asked, images: Sequence[Image], broadcast: Broadcast) -> None:
        try:
            broadcast.finish(await self._ask(key, asked, broadcast, broadcast.tell, images))
        except Exception as error:
            broadcast.fail(error)

    async def _ask(
        self, key: str, asked: Asked, broadcast: Broadcast, tell: Tell, images: Sequence[Image] = ()
    ) -> Answer:
        conversation_id = broadcast.conversation_id
        self._asking[conversation_id] += 1
        try:
            return await self._asked(conversation_id, key, asked, images, tell, lambda: broadcast.stopped)
        finally:  # the conversation's lock is free
            self._asking -= Counter([conversation_id])
            if conversation_id in self._forgotten:
                await self._forget(conversation_id)

    async def _forget(self, conversation_id: str) -> None:
        """Forget a conversation's id once nothing is being asked there, so that it is unknown like any other."""
        await self.assistant.forget(conversation_id)
        if not self._asking[conversation_id]:
            self._forgotten.discard(conversation_id)

    async def _asked(
        self,
        conversation_id: str,
        key: str,
        asked: Asked,
        images: Sequence[Image],
        tell: Tell,
        is_stopped: Callable[[], bool],
    ) -> Answer:
        known = Conversation(conversation_id) if images else await self.conversation(conversation_id)
        if asked.again:
            return await self.assistant.retry(conversation_id, key, asked.person, tell, is_stopped)
        chosen = _chosen(known, asked.pictures)
        if asked.closer:
            self.assistant.check_question(asked.person)
            closer = [replace(picture, image=await self._sharper(picture.image)) for picture in chosen]
            question = Question(asked.query, alone=True, closer=tuple(closer))
        else:
            question = Question(asked.query, (*(picture.image for picture in chosen), *images))
        return await self.assistant.ask(conversation_id, question, key, asked.person, tell, is_stopped)

    async def _sharper(self, image: Image) -> Image:
        """Return the picture less shrunk, if its original is still there."""
        original = await self.store.original(image.id)
        tokens = min(MOST_IMAGE_TOKENS, CLOSER_FACTOR * self._images.image_tokens)
        closer = self._images.model_copy(update={"image_tokens": tokens})
        return await make_image(original, closer) if original else image


def _chosen(known: Conversation, numbers: Sequence[int]) -> list[Picture]:
    """Return the chosen pictures. Raises `BadQuestion` for a number that the conversation does not have."""
    pictures = {picture.number: picture for picture in known.pictures}
    for number in numbers:
        if number not in pictures:
            raise BadQuestion("There is no picture {number} in this conversation.", number=number)
    return [pictures[number] for number in numbers]


def _broadcast(conversation_id: str, asked: Asked) -> Broadcast:
    return Broadcast(conversation_id, asked.query, asked.pictures)

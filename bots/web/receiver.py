"""Take messages from the web: with an `Idempotency-Key` they are stored first, without one they end with their reader.

The key is the client's own: who sends it again, also after a lost connection or a restart, gets the same answer.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from bots.conversing.document_pages import document_to_keep
from bots.conversing.services import Services
from bots.web.broadcast import Broadcast
from bots.web.errors import KeyReused
from bots.web.message import FORGET, WebMessage, read
from bots.web.platform import WEB
from bots.web.submission import Submission
from bots.web.worker import Worker
from core import lease, work_context
from core.errors import BotError, EarlierQuestionsWait, NotFound
from core.pictures.images import ImagesConfig
from core.settings import ConversationSettings
from core.stored_message import StoredMessage

WAITING_LIMIT = 4  # unanswered questions in one conversation


class AnswerGone(NotFound):
    retryable = True  # under another key


class Receiver:
    def __init__(self, services: Services) -> None:
        self.services = services
        self.assistant = services.assistant
        self.store = services.store
        self.model = services.model
        self._worker = Worker(services, self._release)
        self._dispatcher = self._worker.dispatcher
        self.broadcasts = self._worker.broadcasts
        self.conversations = self._worker.conversations
        self._submitting: dict[str, asyncio.Task[Broadcast]] = {}  # by idempotency key, while they are written down

    async def open(self) -> None:
        """Take up the questions that the last run left open."""
        for message in await self.store.unfinished(WEB.name):
            with suppress(ValueError, TypeError, KeyError):  # it is damaged; the inbox says so
                self.broadcasts.add(message.conversation_id, message.key, read(message.payload))
        await self._dispatcher.inbox.resume()

    async def close(self) -> None:
        """End the work. Unanswered questions wait on disk for the next start."""
        await asyncio.gather(*self._submitting.values(), return_exceptions=True)
        await self._worker.close()

    async def limits(self, conversation_id: str, settings: ConversationSettings | None = None) -> ImagesConfig:
        """Return the limits of pictures that come for a conversation, or for a new one, "", with its `settings`."""
        if settings:
            return self.services.images.sharpened(settings.pixel_factor)
        return await self.services.limits(conversation_id) if conversation_id else self.services.images

    async def forget(self, conversation_id: str, person: str) -> None:
        """Return once nothing of the conversation is there any more."""
        key, web_message = WEB.id(secrets.token_hex(16)), WebMessage(person, command=FORGET)
        broadcast = self.broadcasts.add(conversation_id, key, web_message)
        broadcast.begun = True  # given up for another such order, it is carried out all the same
        try:
            await self._dispatcher.inbox.receive(key, conversation_id, web_message.payload())
        except BaseException:
            self.broadcasts.drop(broadcast)
            raise
        await broadcast.answer()

    def new_id(self, owner: str = "", idempotency_key: str | None = None) -> str:
        """Return an id that cannot be guessed: the same for the same key, so that a question sent twice stays one.

        `owner` is as in `bots.web.access.owner`.
        """
        unguessable = secrets.token_hex(16)
        if idempotency_key is not None:
            unguessable = hashlib.sha256(f"conversation:{idempotency_key}".encode()).hexdigest()[:32]
        return WEB.id(f"{owner}:{unguessable}" if owner else unguessable)

    async def stop(self, conversation_id: str) -> bool:
        return await self._dispatcher.running.stop(conversation_id)

    def hang_up(self, broadcast: Broadcast) -> None:
        """Stop writing an answer whose only reader has gone. A question that is on disk is answered all the same."""
        if broadcast.submission is None:
            return
        broadcast.abandoned = True
        if not self._dispatcher.inbox.withdraw(broadcast.key) and not broadcast.over:
            self._worker.background.start(self._dispatcher.withdraw(broadcast.key))

    def find(self, idempotency_key: str) -> Broadcast | None:
        """Return the answer to the question of that key, while it is being written and for a while after."""
        return self.broadcasts.find(WEB.id(idempotency_key))

    async def resume(self, conversation_id: str, web_message: WebMessage) -> Broadcast | None:
        """Return the answer to a question that was asked under its key before. Raises `KeyReused` for another one."""
        found = self.find(web_message.idempotency_key) or await self._answered(
            conversation_id, WEB.id(web_message.idempotency_key)
        )
        if found is not None:
            _check_same(found, conversation_id, web_message)
        return found

    async def _answered(self, conversation_id: str, key: str) -> Broadcast | None:
        turn = await self.store.answered(key)
        if turn is None or turn.answer is None:
            return None
        asked = WebMessage("", turn.text, digest=await self.store.digest_of(key))
        broadcast = Broadcast(await self.store.conversation_of(key) or conversation_id, key, asked)
        broadcast.finish(turn.answer)
        return broadcast

    async def take(self, submission: Submission, notes: Sequence[str] = ()) -> Broadcast:
        """Take a question, and return its answer.

        With an idempotency key it is on disk before this returns, its pictures too. Without one, hanging up stops it,
        and nothing is kept. Unless it begins a conversation, the answer is `ConversationGone` if that was deleted
        meanwhile, and with a key this is raised. Raises `KeyReused`.
        """
        conversation_id, web_message = submission.conversation_id, submission.web_message
        if not web_message.idempotency_key:
            broadcast = self._take_unwritten(submission)
        elif (known := await self.resume(conversation_id, web_message)) is not None:
            return known
        else:
            broadcast = await self._submitted(submission)
            _check_same(broadcast, conversation_id, web_message)
        for note in notes:
            broadcast.note(note)
        return broadcast

    def _take_unwritten(self, submission: Submission) -> Broadcast:
        conversation_id = submission.conversation_id
        self._check_waiting(conversation_id)
        broadcast = self.broadcasts.add_unwritten(WEB.id(secrets.token_hex(16)), submission)
        payload, arrived = submission.web_message.payload(), work_context.current().arrived
        message = StoredMessage(0, WEB.name, broadcast.key, conversation_id, payload, arrived=arrived)
        self._dispatcher.inbox.take_up(message)
        return broadcast

    def _check_waiting(self, conversation_id: str) -> None:
        if self._dispatcher.inbox.waiting(conversation_id) >= WAITING_LIMIT:
            raise EarlierQuestionsWait

    async def _submitted(self, submission: Submission) -> Broadcast:
        """Store a question once, also if it comes several times at the same moment. Every caller waits for that."""
        idempotency_key = submission.web_message.idempotency_key
        if (task := self._submitting.get(idempotency_key)) is None:
            task = self._submitting[idempotency_key] = asyncio.create_task(self._submit(submission))
            task.add_done_callback(lambda _: self._submitting.pop(idempotency_key))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # all who asked may have gone
        return await asyncio.shield(task)

    async def _submit(self, submission: Submission) -> Broadcast:
        conversation_id, idempotency_key = submission.conversation_id, submission.web_message.idempotency_key
        if (found := self.find(idempotency_key)) is not None:
            return found  # its twin was a moment faster
        self._check_waiting(conversation_id)
        key = WEB.id(idempotency_key)
        put = await self._put(key, submission)
        if (message := put or await self._left_over(key)) is None:
            raise AnswerGone("This question was asked before, and its answer is gone. Please ask it again.")
        # A reader of the conversation may have found it in the database a moment before.
        broadcast = self.find(idempotency_key) or self.broadcasts.add(conversation_id, key, read(message.payload))
        self._dispatcher.inbox.take_up(replace(message, arrived=work_context.current().arrived))
        return broadcast

    async def _put(self, key: str, submission: Submission) -> StoredMessage | None:
        """Store a question with all that came with it, in one step."""
        web_message = submission.web_message
        await self.store.make_room(web_message.person, submission.images)
        if (document := await document_to_keep(submission.documents)) is not None:
            document = await self.store.fitting(web_message.person, document)
        return await self.store.put_question(
            WEB.name,
            key,
            submission.conversation_id,
            submission.images,
            web_message.payload_with,
            web_message.person,
            web_message.digest,
            document,
            WAITING_LIMIT + self._dispatcher.inbox.kept(submission.conversation_id),
            submission.begins,
        )

    def _release(self, messages: Sequence[StoredMessage]) -> None:
        """Let the readers of questions follow what another replica answers."""
        for message in messages:
            broadcast = self.broadcasts.find(message.key)
            if broadcast is not None and message.id:
                self._worker.following.follow(broadcast)
            elif broadcast is not None and broadcast.submission is not None:
                self._worker.background.start(self._pass_on(broadcast, broadcast.submission))

    async def _pass_on(self, broadcast: Broadcast, submission: Submission) -> None:
        """Store a question that is on no disk, so that the replica that holds its conversation answers it."""
        lease.set_current(None)
        try:
            await self._put(broadcast.key, submission)
            if broadcast.abandoned:
                await self._dispatcher.withdraw(broadcast.key)
        except BotError as error:
            broadcast.fail(error)
            self.broadcasts.drop(broadcast)
        else:
            self._worker.following.follow(broadcast)

    async def _left_over(self, key: str) -> StoredMessage | None:
        """Return a stored question that is not being processed: it failed too often, or seemed not to be stored."""
        return next((message for message in await self.store.unfinished(WEB.name) if message.key == key), None)


def _check_same(known: Broadcast, conversation_id: str, web_message: WebMessage) -> None:
    """Raise `KeyReused` if the key's first question was another one."""
    if known.conversation_id != conversation_id or not web_message.is_same(known.web_message):
        raise KeyReused("This key was sent with another question before. Please send a new key with a new question.")

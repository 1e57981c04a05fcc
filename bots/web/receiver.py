"""Take messages from the web: with an `Idempotency-Key` they are stored first, without one they end with their reader.

The key is the client's own: who sends it again, also after a lost connection or a restart, gets the same answer.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from bots.conversing.allow_list import AllowList
from bots.conversing.answering import respond
from bots.conversing.asker import Asker
from bots.conversing.background import Background
from bots.conversing.dispatcher import Dispatcher
from bots.conversing.display import DisplayOptions
from bots.conversing.document_pages import document_to_keep, keep_document
from bots.conversing.events import Tell
from bots.conversing.platform import Platform
from bots.conversing.reply_hooks import ReplyHooks
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from bots.web.broadcast import Broadcast
from bots.web.broadcasts import Broadcasts
from bots.web.errors import ConversationGone, KeyReused, Restarting
from bots.web.following import Following
from bots.web.message import FORGET, WebMessage, read
from core import inbox, lease, work_context
from core.answer import Answer
from core.conversation import Conversation, Turn
from core.errors import BotError, EarlierQuestionsWait, Interrupted, NotFound
from core.i18n import Translator
from core.image import Image
from core.pictures.documents import Document
from core.pictures.images import ImagesConfig
from core.regions import Region
from core.settings import ConversationSettings
from core.stored_message import StoredMessage

log = logging.getLogger(__name__)
WAITING_LIMIT = 4  # unanswered questions in one conversation
ATTEMPTS = 1 + len(inbox.PAUSES_SECONDS)
WEB = Platform("web")
AS_IT_IS = DisplayOptions(markdown=False)


class AnswerGone(NotFound):
    retryable = True  # under another key


class Receiver:
    def __init__(self, services: Services) -> None:
        self.services = services
        self.assistant = services.assistant
        self.store = services.store
        self.model = services.model
        self._dispatcher = Dispatcher(
            services, WEB, self._work, _forgets, AllowList(), released=self._release, shows=self._show
        )
        self.broadcasts = Broadcasts()
        self._following = Following(self.store, self.broadcasts, self._dispatcher.inbox.find)
        self._background = Background()
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
        await self._dispatcher.inbox.close()
        await self._background.close()
        await self._following.close()
        self.broadcasts.close()

    async def conversation(self, conversation_id: str) -> Conversation:
        """Return the outline of a conversation of the web. Raises `ConversationGone`, also for other platforms'."""
        if WEB.owns(conversation_id):
            conversation = await self.store.outline(conversation_id)
            if conversation.turns or conversation.waiting or await self.store.has_begun(conversation_id):
                return conversation
        raise ConversationGone()

    async def shown(self, conversation_id: str) -> tuple[Conversation, list[Broadcast]]:
        """Return a conversation, and what is being asked in it. What is answered meanwhile is in one of the two."""
        await self._find_elsewhere(conversation_id)
        asking = self.broadcasts.open_questions(conversation_id)
        known = await self.conversation(conversation_id)
        keys = (await self.store.keys(known.id))[: len(known.turns)]
        asking += [it for it in self.broadcasts.open_questions(conversation_id) if it not in asking]
        return known, [it for it in asking if it.key not in keys and self.broadcasts.find(it.key) is it]

    async def _find_elsewhere(self, conversation_id: str) -> None:
        """Let people read along what other replicas are asked in a conversation."""
        if not (self.services.leases.shared and WEB.owns(conversation_id)):
            return
        for message in await self.store.unfinished_in(WEB.name, conversation_id):
            with suppress(ValueError, TypeError, KeyError):  # it is damaged; the inbox says so
                if self.broadcasts.find(message.key) is None:
                    self._following.follow(self.broadcasts.add(conversation_id, message.key, read(message.payload)))

    async def asking(self) -> tuple[dict[str, str], set[str]]:
        """Return the first of the questions being answered, by conversation, and where one can be read along.

        Those of all replicas are among them.
        """
        first, writing = self.broadcasts.first_questions(), self.broadcasts.writing()
        for conversation_id, payload in await self.store.asking(WEB.name) if self.services.leases.shared else ():
            with suppress(ValueError, TypeError, KeyError):  # it is damaged; the inbox says so
                web_message = read(payload)
                if web_message.text:
                    first.setdefault(conversation_id, web_message.text)
                if web_message.idempotency_key:
                    writing.add(conversation_id)
        return first, writing

    async def picture(self, conversation_id: str, number: int) -> tuple[str, int]:
        """Return the id of a picture and its size in bytes. Raises `NotFound`."""
        found = await self.store.picture_size(conversation_id, number) if WEB.owns(conversation_id) else None
        if found is None:
            raise NotFound("There is no picture {number} in this conversation.", number=number)
        return found

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
        return await self._dispatcher.stop_anywhere(conversation_id)

    def hang_up(self, broadcast: Broadcast) -> None:
        """Its reader is gone: what only they would have read is not written on."""
        if broadcast.images is None:
            return
        broadcast.abandoned = True
        if not self._dispatcher.inbox.withdraw(broadcast.key) and not broadcast.over:
            self._background.start(self._dispatcher.withdraw(broadcast.key))

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

    async def take(
        self,
        conversation_id: str,
        web_message: WebMessage,
        images: Sequence[Image] = (),
        notes: Sequence[str] = (),
        documents: Sequence[Document] = (),
    ) -> Broadcast:
        """Take a question, and return its answer.

        With an idempotency key it is on disk before this returns, its `images` too. Without one, hanging up stops it,
        and nothing is kept. Raises `KeyReused`.
        """
        if not web_message.idempotency_key:
            broadcast = self._take_unwritten(conversation_id, web_message, images)
            broadcast.documents = documents
        elif (known := await self.resume(conversation_id, web_message)) is not None:
            return known
        else:
            broadcast = await self._submitted(conversation_id, web_message, images, documents)
            _check_same(broadcast, conversation_id, web_message)
        for note in notes:
            broadcast.note(note)
        return broadcast

    async def written(self, broadcast: Broadcast, answer: Answer) -> tuple[Conversation, int, int]:
        """Return the conversation, the number of the turn, from 1, and how many versions that has.

        The number is 0 if the turn is not kept, or was deleted meanwhile.
        """
        known = await self.store.outline(broadcast.conversation_id)
        keys = await self.store.keys(known.id)
        if not known.settings.keep or broadcast.key not in keys[: len(known.turns)]:
            return Conversation(known.id, (Turn("", (), answer),)), 0, 1
        number = keys.index(broadcast.key) + 1
        return known, number, (await self.store.version_counts(known.id)).get(number, 1)

    def _take_unwritten(self, conversation_id: str, web_message: WebMessage, images: Sequence[Image]) -> Broadcast:
        self._check_waiting(conversation_id)
        key = WEB.id(secrets.token_hex(16))
        broadcast = self.broadcasts.add(conversation_id, key, web_message, images)
        message = StoredMessage(
            0, WEB.name, key, conversation_id, web_message.payload(), arrived=work_context.current().arrived
        )
        self._dispatcher.inbox.take_up(message)
        return broadcast

    def _check_waiting(self, conversation_id: str) -> None:
        if self._dispatcher.inbox.waiting(conversation_id) >= WAITING_LIMIT:
            raise EarlierQuestionsWait

    async def _submitted(
        self, conversation_id: str, web_message: WebMessage, images: Sequence[Image], documents: Sequence[Document]
    ) -> Broadcast:
        """Several times at once it is one question, and all wait until that is on disk."""
        if (task := self._submitting.get(web_message.idempotency_key)) is None:
            task = self._submitting[web_message.idempotency_key] = asyncio.create_task(
                self._submit(conversation_id, web_message, images, documents)
            )
            task.add_done_callback(lambda _: self._submitting.pop(web_message.idempotency_key))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # all who asked may have gone
        return await asyncio.shield(task)

    async def _submit(
        self, conversation_id: str, web_message: WebMessage, images: Sequence[Image], documents: Sequence[Document]
    ) -> Broadcast:
        if (found := self.find(web_message.idempotency_key)) is not None:
            return found  # its twin was a moment faster
        self._check_waiting(conversation_id)
        key = WEB.id(web_message.idempotency_key)
        message = await self._put(key, conversation_id, web_message, images, documents) or await self._left_over(key)
        if message is None:
            raise AnswerGone("This question was asked before, and its answer is gone. Please ask it again.")
        # A reader of the conversation may have found it in the database a moment before.
        broadcast = self.find(web_message.idempotency_key) or self.broadcasts.add(
            conversation_id, key, read(message.payload)
        )
        self._dispatcher.inbox.take_up(replace(message, arrived=work_context.current().arrived))
        return broadcast

    async def _put(
        self,
        key: str,
        conversation_id: str,
        web_message: WebMessage,
        images: Sequence[Image],
        documents: Sequence[Document],
    ) -> StoredMessage | None:
        """Store a question with all that came with it, in one step."""
        await self.store.make_room(web_message.person, images)
        if (document := await document_to_keep(documents)) is not None:
            document = await self.store.fitting(web_message.person, document)
        return await self.store.put_question(
            WEB.name,
            key,
            conversation_id,
            images,
            web_message.payload_with,
            web_message.person,
            web_message.digest,
            document,
            WAITING_LIMIT,
        )

    def _release(self, messages: Sequence[StoredMessage]) -> None:
        """Let the readers of questions follow what another replica answers."""
        for message in messages:
            broadcast = self.broadcasts.find(message.key)
            if broadcast is not None and message.id:
                self._following.follow(broadcast)
            elif broadcast is not None:
                self._background.start(self._pass_on(broadcast))

    async def _pass_on(self, broadcast: Broadcast) -> None:
        """Store a question that is on no disk, so that the replica that holds its conversation answers it."""
        lease.set_current(None)
        web_message, images, where = broadcast.web_message, broadcast.images or (), broadcast.conversation_id
        try:
            await self._put(broadcast.key, where, web_message, images, broadcast.documents)
            if broadcast.abandoned:
                await self._dispatcher.withdraw(broadcast.key)
        except BotError as error:
            broadcast.fail(error)
            self.broadcasts.drop(broadcast)
        else:
            self._following.follow(broadcast)

    def _show(self, message: StoredMessage) -> None:
        self._following.show(self.broadcasts.find(message.key))

    async def _left_over(self, key: str) -> StoredMessage | None:
        """Return a stored question that is not being processed: it failed too often, or seemed not to be stored."""
        return next((message for message in await self.store.unfinished(WEB.name) if message.key == key), None)

    async def _work(self, batch: Sequence[StoredMessage]) -> None:
        """Answer a message. Raises only if nothing can be stored, and `TakenBack`; all else is told to the readers."""
        for message in batch:
            web_message, broadcast = read(message.payload), self.broadcasts.find(message.key)
            if broadcast is None or broadcast.over:  # its readers were told that this may take long; others may come
                broadcast = self.broadcasts.add(message.conversation_id, message.key, web_message)
            try:
                await self._answer(message, web_message, broadcast)
                if self.services.leases.shared and message.id and broadcast.ended is not None:
                    await self._following.end(broadcast, broadcast.ended)
            except inbox.TakenBack:
                raise
            except Exception:  # it could not be saved; the inbox tries again, and keeps it at last
                broadcast.attempts += 1
                if broadcast.attempts >= ATTEMPTS:
                    broadcast.fail(Restarting("I cannot save answers at the moment. Your question is kept."))
                raise
            finally:
                if broadcast.over:
                    self.broadcasts.drop_soon(broadcast)

    async def _answer(self, message: StoredMessage, web_message: WebMessage, broadcast: Broadcast) -> None:
        request = AnswerRequest(
            conversation_id=message.conversation_id,
            key=message.key,
            platform=WEB,
            asker=Asker(person=web_message.person),
            text=web_message.text,
            command=web_message.command,
            pictures=web_message.pictures,
            region=Region(*web_message.region) if web_message.region else None,
            images=tuple(broadcast.images or ()),
            opens_pages=not (web_message.brought or broadcast.images),
            pages=web_message.pages,
            document=web_message.document,
            turn=web_message.turn,
            alone=web_message.alone,
            display=AS_IT_IS,
            hooks=ReplyHooks(on_note=broadcast.note),
        )
        if request.forgets:
            self.broadcasts.give_up(broadcast)
        try:
            if not message.withdrawn:
                await self._dispatcher.answer(message, request, Translator("en"), lambda *_: broadcast, self._ask)
        except Exception as error:
            await self._fail(message, web_message, broadcast, error)
        if message.withdrawn and message.id:  # of a reader at another replica, who hung up
            await self.store.take_back(message, web_message.brought)
        if message.withdrawn or not message.id:
            raise inbox.TakenBack

    async def _ask(self, request: AnswerRequest, tell: Tell) -> Answer:
        if not (request.images or request.forgets):
            await self.conversation(request.conversation_id)
        answer = await respond(request, self.services, Translator("en"), tell)
        if (broadcast := self.broadcasts.find(request.key)) is not None:
            await keep_document(self.store, request.conversation_id, request.asker.person, broadcast.documents)
        return answer

    async def _fail(
        self, message: StoredMessage, web_message: WebMessage, broadcast: Broadcast, error: Exception
    ) -> None:
        if not message.id:
            if isinstance(error, Interrupted):
                await self.assistant.give_up(web_message.person, message.key)
            broadcast.fail(error)
        elif isinstance(error, Interrupted):
            raise error
        elif isinstance(error, BotError):  # sent again, with the same key too, it is a new question
            if self.services.leases.shared:
                await self._following.end(broadcast, error)
            await self.store.take_back(message, web_message.brought)
            self.broadcasts.drop(broadcast)
            broadcast.fail(error)
            raise inbox.TakenBack from error
        elif await self.store.answered(message.key) is None:
            raise error
        else:
            log.error("an answer failed", exc_info=error)
            broadcast.fail(BotError("Something went wrong on my side. Please try again."))


def _check_same(known: Broadcast, conversation_id: str, web_message: WebMessage) -> None:
    """Raise `KeyReused` if the key's first question was another one."""
    if known.conversation_id != conversation_id or not web_message.is_same(known.web_message):
        raise KeyReused("This key was sent with another question before. Please send a new key with a new question.")


async def _forgets(payload: str) -> bool:
    return read(payload).forgets

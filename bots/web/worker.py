"""Process what the receiver took: each question becomes an answer, which its readers follow in a broadcast."""

import logging
from collections.abc import Callable, Sequence

from bots.conversing.allow_list import AllowList
from bots.conversing.answering import respond
from bots.conversing.asker import Asker
from bots.conversing.background import Background
from bots.conversing.dispatcher import Dispatcher
from bots.conversing.display import DisplayOptions
from bots.conversing.document_pages import keep_document
from bots.conversing.events import Tell
from bots.conversing.reply_hooks import ReplyHooks
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from bots.web.broadcast import Broadcast
from bots.web.broadcasts import Broadcasts
from bots.web.conversations import Conversations
from bots.web.errors import Restarting
from bots.web.following import Following
from bots.web.message import WebMessage, read
from bots.web.platform import WEB
from core.answer import Answer
from core.attempts import PAUSES_SECONDS, TakenBack
from core.errors import BotError, Interrupted
from core.i18n import Translator
from core.regions import Region
from core.stored_message import StoredMessage

log = logging.getLogger(__name__)
ATTEMPTS = 1 + len(PAUSES_SECONDS)
AS_IT_IS = DisplayOptions(markdown=False)


class Worker:
    """Answers questions. `released` gets those that another replica answers."""

    def __init__(self, services: Services, released: Callable[[Sequence[StoredMessage]], None]) -> None:
        self._services = services
        self._store = services.store
        self._assistant = services.assistant
        self.dispatcher = Dispatcher(
            services, WEB, self._work, _forgets, AllowList(), released=released, shows=self._show
        )
        self.background = Background()
        self.broadcasts = Broadcasts()
        self.following = Following(services.store, self.broadcasts, self.dispatcher.inbox.find)
        self.conversations = Conversations(services, self.broadcasts, self.following)

    async def close(self) -> None:
        """End the work. Unanswered questions wait on disk for the next start."""
        await self.dispatcher.inbox.close()
        await self.background.close()
        await self.following.close()
        self.broadcasts.close()

    async def _work(self, batch: Sequence[StoredMessage]) -> None:
        """Answer a message. Raises only if nothing can be stored, and `TakenBack`; all else is told to the readers."""
        for message in batch:
            web_message, broadcast = read(message.payload), self.broadcasts.find(message.key)
            if broadcast is None or broadcast.over:  # its readers were told that this may take long; others may come
                broadcast = self.broadcasts.add(message.conversation_id, message.key, web_message)
            try:
                await self._answer(message, web_message, broadcast)
                if self._services.leases.shared and message.id and broadcast.ended is not None:
                    await self.following.end(broadcast, broadcast.ended)
            except TakenBack:
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
        images = tuple(broadcast.submission.images) if broadcast.submission else ()
        request = AnswerRequest(
            conversation_id=message.conversation_id,
            key=message.key,
            platform=WEB,
            asker=Asker(person=web_message.person),
            text=web_message.text,
            command=web_message.command,
            pictures=web_message.pictures,
            region=Region(*web_message.region) if web_message.region else None,
            images=images,
            opens_pages=not (web_message.brought or images),
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
                await self.dispatcher.answer(message, request, Translator("en"), lambda *_: broadcast, self._ask)
        except Exception as error:
            await self._fail(message, web_message, broadcast, error)
        if message.withdrawn and message.id:  # of a reader at another replica, who hung up
            await self._store.take_back(message, web_message.brought)
        if message.withdrawn or not message.id:
            raise TakenBack

    async def _ask(self, request: AnswerRequest, tell: Tell) -> Answer:
        broadcast = self.broadcasts.find(request.key)
        submission = broadcast.submission if broadcast is not None else None
        if not (request.forgets or (submission is not None and submission.begins)):
            await self.conversations.outline(request.conversation_id)
        answer = await respond(request, self._services, Translator("en"), tell)
        if submission is not None:
            await keep_document(self._store, request.conversation_id, request.asker.person, submission.documents)
        return answer

    async def _fail(
        self, message: StoredMessage, web_message: WebMessage, broadcast: Broadcast, error: Exception
    ) -> None:
        if not message.id:
            if isinstance(error, Interrupted):
                await self._assistant.give_up(web_message.person, message.key)
            broadcast.fail(error)
        elif isinstance(error, Interrupted):
            raise error
        elif isinstance(error, BotError):  # sent again, with the same key too, it is a new question
            if self._services.leases.shared:
                await self.following.end(broadcast, error)
            await self._store.take_back(message, web_message.brought)
            self.broadcasts.drop(broadcast)
            broadcast.fail(error)
            raise TakenBack from error
        elif await self._store.answered(message.key) is None:
            raise error
        else:
            log.error("an answer failed", exc_info=error)
            broadcast.fail(BotError("Something went wrong on my side. Please try again."))

    def _show(self, message: StoredMessage) -> None:
        self.following.show(self.broadcasts.find(message.key))


async def _forgets(payload: str) -> bool:
    return read(payload).forgets

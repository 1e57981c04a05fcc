"""Run one platform's answers in order, and forget them at once.

The dispatcher knows no platform: an adapter reads its messages into requests and provides the drafts.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from bots.conversing.allow_list import AllowList
from bots.conversing.answering import respond
from bots.conversing.commands import fixed_answer
from bots.conversing.delivery_errors import Refused
from bots.conversing.events import Tell
from bots.conversing.loop_guard import LoopGuard
from bots.conversing.permissions import Permissions
from bots.conversing.platform import Platform
from bots.conversing.reactions import Reacting, Reactions, Spot
from bots.conversing.reply import Record, Reply
from bots.conversing.request import AnswerRequest
from bots.conversing.running_answers import RunningAnswers
from bots.conversing.services import Services
from bots.conversing.strangers import Strangers, stranger_line, stranger_line_when_asked
from core import inbox, work_context
from core.answer import Answer
from core.attempts import Handler
from core.errors import Interrupted
from core.i18n import Translator
from core.person import AccessRequest, Standing
from core.revision import Revision
from core.shielded import shielded
from core.stored_message import StoredMessage
from core.trace import log_event
from core.wish import Wish

log = logging.getLogger(__name__)
Responder = Callable[[AnswerRequest, Tell], Awaitable[Answer]]


class Dispatcher:
    """Runs answers.

    `forgets` tells by a payload whether it is a command to forget the conversation, from somebody who may give it.
    `listed` comes from the config: who is let in, and the admins. `tell_admins` starts asking the admins about a
    stranger and returns at once. For `gathering`, `released` and `shows` see `core.inbox`, for `waits_for`
    `bots.conversing.running_answers`.
    """

    def __init__(
        self,
        services: Services,
        platform: Platform,
        handler: Handler,
        forgets: Callable[[str], Awaitable[bool]],
        listed: AllowList,
        gathering: Callable[[str], inbox.Gathering] = lambda group: inbox.Gathering(),
        tell_admins: Callable[[AnswerRequest], None] = lambda request: None,
        reacting: Reacting | None = None,
        released: Callable[[Sequence[StoredMessage]], None] = lambda messages: None,
        shows: Callable[[StoredMessage], None] = lambda message: None,
        waits_for: Callable[[StoredMessage], str | None] = lambda message: None,
    ) -> None:
        self.inbox = inbox.Inbox(
            services.store,
            platform.name,
            handler,
            gathering=gathering,
            forgets=forgets,
            leases=services.leases,
            released=released,
            shows=shows,
        )
        self.running = RunningAnswers(services, platform.name, self.inbox, waits_for)
        self.permissions = Permissions(services.store, platform, listed, self.inbox.take_up_again)
        self.strangers = Strangers(platform.name)
        self._loop_guard = LoopGuard()
        self.reactions = Reactions(reacting, lambda key: self.inbox.find(key) is not None)
        services.permissions[platform.name] = self.permissions
        self._services = services
        self._platform = platform.name
        self._tell_admins = tell_admins

    async def withdraw(self, key: str) -> None:
        """Leave no answer to a message that was deleted while it waited or was worked on, at whichever replica."""
        self.inbox.withdraw(key)
        if self._services.leases.shared:  # also if it is only on its way to the replica that will work on it
            await self._services.store.wish(key, Wish.WITHDRAW)

    async def edit(
        self,
        key: str,
        payload: str,
        revision: Revision,
        receive: Callable[[], Awaitable[bool]],
        words: str | None = None,
        *,
        reopens: bool = True,
    ) -> None:
        """Answer a message again with its new words, in the place of its answer, or `receive` one that is unknown.

        That is on disk when this returns. A message that is answered already changes only if it `reopens`. `receive`
        returns False if the message became known meanwhile. For `words` see `storage.edits`. Raises `StoreDown`.
        """
        while True:
            while (message := self._older(key, revision)) is not None:
                if await self.inbox.revise(message, payload, str(revision)):
                    return
            # No queue here has older words, but the database may: another replica works on the message, it is kept for
            # the next start, or these words could not be written down when they came first.
            known, reopened = await self._services.store.revise(key, payload, revision, words, reopens=reopens)
            if reopened is not None:
                self.inbox.take_up_again(reopened)
                return
            if self._older(key, revision) is not None:  # it was only on its way into the queue
                continue
            if known or await receive():
                return

    def _older(self, key: str, revision: Revision) -> StoredMessage | None:
        """Return a message that waits or is worked on here with older words."""
        message = self.inbox.find(key)
        known = Revision.read(message.digest) if message is not None else None
        return message if known is None or revision.replaces(known) else None

    def mark_waiting(
        self, key: str, conversation_id: str, spot: Spot, person_id: str, chat_ids: Collection[str]
    ) -> None:
        """Begin to mark a message that waits behind another one. One that does not wait is marked by `answer`."""
        if self.inbox.waiting(conversation_id) > 1:
            self.reactions.show(spot, key, conversation_id, partial(self.permissions.may, person_id, chat_ids))

    async def answer(
        self,
        message: StoredMessage,
        request: AnswerRequest,
        translator: Translator,
        reply_of: Callable[[StoredMessage, Record], Reply],
        responder: Responder | None = None,
        refusal: str | None = None,
    ) -> None:
        """Work off a message, or say a `refusal` instead. Blocked people get silence, and so do thanks in a group.

        Strangers get a short notice, and the admins are asked about them.

        Raises what `Reply.write` does, and what the inbox should try again.
        """
        work_context.set_current(request.asker.person, message.arrived, self._platform)
        # Read before, so that a question is finished as soon as it is answered. A command may change it.
        request = replace(request, keeps=await self._keeps(message))
        try:
            async with self.reactions.until_answered(request.spot, message):
                await self._respond(message, request, translator, reply_of, responder, refusal)
        except Refused:  # the chat is gone, or the bot was blocked there: nothing is kept for that
            await self._forget_unless_kept(message)
            raise
        if request.forgets:
            self.reactions.remove_all(message.conversation_id)
        if request.keeps and request.command is None:
            return
        await shielded(self._forget_unless_kept(message))  # a reader who has read the answer may hang up

    async def _respond(
        self,
        message: StoredMessage,
        request: AnswerRequest,
        translator: Translator,
        reply_of: Callable[[StoredMessage, Record], Reply],
        responder: Responder | None,
        refusal: str | None,
    ) -> None:
        """Answer a message that is not met with silence. Meanwhile it can be stopped."""
        with message.stop.attempt():

            async def record(posted_ids: Sequence[str]) -> None:
                self.inbox.note_posted(replace(message, posted_ids=tuple(posted_ids)))
                await self._services.store.record_posted(message.id, posted_ids)

            if not message.posted_ids and request.wants_nothing:
                return
            standing = await self.permissions.standing(request.asker.person_id, request.asker.chat_ids)
            if not self._admits(message, request, standing):
                return
            if standing is None:
                refusal = await self._refuse_stranger(message, request, translator, refusal)
                if refusal is None:
                    return
            if request.forgets and refusal is None:
                message = await self._forget(message)
                self.inbox.note_posted(message)
            self.reactions.show(request.spot, message.key, message.conversation_id)
            reply = reply_of(message, record)
            hooks = replace(request.hooks, stop=message.stop, offer=reply.offer)
            is_admin = request.asker.person_id in self.permissions.listed.admins
            request = replace(request, hooks=hooks, asker=replace(request.asker, admin=is_admin))
            request = await self._edited(message, request)

            async def answer(tell: Tell) -> Answer:
                try:
                    if refusal is not None:
                        answered = fixed_answer(refusal)
                    elif responder is not None:
                        answered = await responder(request, tell)
                    else:
                        answered = await respond(request, self._services, translator, tell)
                except Exception as error:
                    message.stop.whole = not isinstance(error, Interrupted)  # which is tried again
                    raise
                message.stop.whole = True
                return answered

            await reply.write(answer)

    def _admits(self, message: StoredMessage, request: AnswerRequest, standing: Standing | None) -> bool:
        """Return whether a message is answered: not if the person is blocked, or if bots answer each other."""
        if standing is Standing.BLOCKED and (not message.posted_ids or _is_edited(message)):
            log_event(log, "refused", platform=self._platform, reason="blocked", person=request.asker.person)
            return False
        if not request.asker.automatic:
            if standing is Standing.ALLOWED:
                self._loop_guard.end_row(request.asker.chat)
            return True
        if self._loop_guard.admits(request.asker.chat, f"{message.key}:{message.digest}") or message.posted_ids:
            return True
        log_event(
            log,
            "refused",
            platform=self._platform,
            reason="loop",
            person=request.asker.person,
            chat=request.asker.chat,
        )
        return False

    async def _forget_unless_kept(self, message: StoredMessage) -> None:
        """Forget an answered question at once, if the settings of its conversation say so."""
        if not await self._keeps(message):
            await self._services.store.forget_answered(message.conversation_id, message.key)

    async def _keeps(self, message: StoredMessage) -> bool:
        return (await self._services.store.settings(message.conversation_id)).keep

    async def _edited(self, message: StoredMessage, request: AnswerRequest) -> AnswerRequest:
        """Return the request with what an edited message replaces, after superseding an answer to its old words."""
        revision = Revision.read(message.digest)
        if revision is None or not revision.number:
            return request
        replaced_key = await self._services.store.supersede_answer(message, revision, request.text, request.shown)
        return replace(request, replaces=replaced_key or request.replaces or revision.key_of_replaced(message.key))

    async def _refuse_stranger(
        self, message: StoredMessage, request: AnswerRequest, translator: Translator, refusal: str | None
    ) -> str | None:
        """Return what a stranger is told, or None for nothing.

        What they asked is kept for the time when an admin lets them in, unless it would be refused even then.
        """
        access_request = AccessRequest()
        if refusal is None and self.permissions.listed.admins:
            access_request = await self._services.store.meet(request.asker.person_id, message)
        if access_request.due:
            self._tell_admins(request)
        if not self.strangers.claim_notice(request.asker.person, request.asker.chat) and not message.posted_ids:
            return None
        return (stranger_line_when_asked if access_request.held else stranger_line)(request.asker.known_as, translator)

    async def _forget(self, message: StoredMessage) -> StoredMessage:
        """Forget a conversation before the confirmation is sent.

        Half-written answers to dropped questions become the confirmation, so that nothing of them stays in the chat.
        That is stored, so a crash changes nothing about it.
        """
        return replace(message, posted_ids=await self._services.assistant.forget(message.conversation_id, message.key))


def _is_edited(message: StoredMessage) -> bool:
    revision = Revision.read(message.digest)
    return revision is not None and revision.number > 0

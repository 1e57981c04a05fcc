"""A chat platform's answers in work: shown in order, stopped and forgotten at once.

Knows no platform: an adapter reads its messages into requests and brings the drafts.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bots.conversing.actions import AnswerAction
from bots.conversing.answering import respond
from bots.conversing.commands import says
from bots.conversing.delivery import StreamedReply
from bots.conversing.draft import Draft, Tell
from bots.conversing.request import Request
from bots.conversing.services import Services
from core import asker, inbox
from core.conversation import Answer
from core.i18n import Translator


class AnswerDraft(Draft[Any], Protocol):
    """A draft that can have buttons."""

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        """The finished answer gets a button for each."""
        ...


@dataclass(slots=True)
class _Running:
    message: inbox.Message  # with what was posted for it so far
    stopped: bool = False
    reply: StreamedReply[Any] | None = None


class Dispatcher:
    """`forgets` knows by its payload an order to forget a conversation, from somebody who may give it. `admins` are ids
    of people; they cannot be blocked. `gathering` is as in `core.inbox`."""

    def __init__(
        self,
        services: Services,
        platform: str,
        work: inbox.Work,
        forgets: Callable[[str], Awaitable[bool]],
        admins: frozenset[str],
        gathering: Callable[[str], inbox.Gathering] = lambda group: inbox.Gathering(),
    ) -> None:
        self.inbox = inbox.Inbox(services.store, platform, work, gathering=gathering, clears=forgets)
        self._services = services
        self._platform = platform
        self._admins = admins
        self._running: dict[str, _Running] = {}

    def is_busy(self, conversation_id: str) -> bool:
        return conversation_id in self._running

    async def is_blocked(self, user: str) -> bool:
        return user not in self._admins and await self._services.store.is_blocked(user)

    def stop(self, conversation_id: str, is_meant: Callable[[inbox.Message], bool] = lambda message: True) -> bool:
        """At once, not in line: the running answer ends, one that has not begun yet does not begin.

        False when nothing is being written there, or nothing that is meant.
        """
        running = self._running.get(conversation_id)
        if running is None or not is_meant(running.message):
            return False
        running.stopped = True
        self._services.assistant.stop(conversation_id)
        return True

    async def stop_once(self, key: str, conversation_id: str, payload: str) -> bool:
        """By a message: written down too, so that its re-delivery does not stop a later answer. False if none runs."""
        if not self.is_busy(conversation_id):
            return False
        if message := await self._services.store.put(self._platform, key, conversation_id, payload):
            self.stop(conversation_id)
            await self._services.store.finish([message.id])
        return True

    async def revise(self, conversation_id: str, is_same: Callable[[str], bool], payload: str) -> bool:
        """Put other words in a question's place, unless its answer has begun; `is_same` knows it by its payload."""

        def may_restart() -> bool:
            running = self._running.get(conversation_id)
            return running is not None and not running.stopped and not (running.reply and running.reply.begun)

        return await self.inbox.revise(conversation_id, is_same, payload, may_restart)

    async def answer(
        self,
        message: inbox.Message,
        request: Request,
        translator: Translator,
        draft_of: Callable[[inbox.Message], AbstractAsyncContextManager[AnswerDraft]],
        ask: Callable[[Request, Tell], Awaitable[Answer]] | None = None,
        refusal: str | None = None,
    ) -> None:
        """Work off a message; a `refusal` is said instead. Who is blocked gets silence, and so do thanks in a group.

        Raises `bots.conversing.draft.Refused`, and what the inbox should try again.
        """
        asker.begin(request.person, message.arrived)
        if not message.sent and (request.wants_nothing or await self.is_blocked(request.user)):
            return
        running = self._running[message.conversation_id] = _Running(message)

        async def record(sent: Sequence[str]) -> None:
            running.message = replace(running.message, sent=tuple(sent))
            await self._services.store.record_sent(message.id, sent)

        try:
            if request.forgets and refusal is None:
                message = running.message = await self._forget(message)
            async with draft_of(message) as draft:
                request = replace(request, stopped=lambda: running.stopped, admins=self._admins, offer=draft.offer)

                async def answer(tell: Tell) -> Answer:
                    if refusal is not None:
                        return says(refusal)
                    if ask is not None:
                        return await ask(request, tell)
                    return await respond(request, self._services, translator, tell)

                running.reply = StreamedReply(draft, translator, message.sent, record)
                await running.reply.write(answer)
        finally:
            del self._running[message.conversation_id]

    async def _forget(self, message: inbox.Message) -> inbox.Message:
        """Before anything is said about it. What was half written for questions given up becomes the confirmation, so
        that nothing of it stays in the chat; that is written down, and a crash changes nothing about it."""
        return replace(message, sent=await self._services.assistant.forget(message.conversation_id, message.key))

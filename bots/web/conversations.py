"""Show the web's conversations as they are now: what is stored of them, and what is being asked in them."""

from contextlib import suppress

from bots.conversing.services import Services
from bots.web.broadcast import Broadcast
from bots.web.broadcasts import Broadcasts
from bots.web.following import Following
from bots.web.message import read
from bots.web.platform import WEB
from core.answer import Answer
from core.conversation import Conversation, Turn
from core.errors import ConversationGone, NotFound


class Conversations:
    """The conversations of all replicas, with the questions that each of them is asked."""

    def __init__(self, services: Services, broadcasts: Broadcasts, following: Following) -> None:
        self._store = services.store
        self._leases = services.leases
        self._broadcasts = broadcasts
        self._following = following

    async def outline(self, conversation_id: str) -> Conversation:
        """Return the outline of a conversation of the web. Raises `ConversationGone`, also for other platforms'."""
        if WEB.owns(conversation_id):
            conversation = await self._store.outline(conversation_id)
            if conversation.turns or conversation.waiting or await self._store.has_begun(conversation_id):
                return conversation
        raise ConversationGone()

    async def shown(self, conversation_id: str) -> tuple[Conversation, list[Broadcast]]:
        """Return a conversation, and what is being asked in it. What is answered meanwhile is in one of the two."""
        await self._find_elsewhere(conversation_id)
        asking = self._broadcasts.open_questions(conversation_id)
        known = await self.outline(conversation_id)
        keys = (await self._store.keys(known.id))[: len(known.turns)]
        asking += [it for it in self._broadcasts.open_questions(conversation_id) if it not in asking]
        return known, [it for it in asking if it.key not in keys and self._broadcasts.find(it.key) is it]

    async def _find_elsewhere(self, conversation_id: str) -> None:
        """Let people read along what other replicas are asked in a conversation."""
        if not (self._leases.shared and WEB.owns(conversation_id)):
            return
        for message in await self._store.unfinished_in(WEB.name, conversation_id):
            with suppress(ValueError, TypeError, KeyError):  # it is damaged; the inbox says so
                if self._broadcasts.find(message.key) is None:
                    self._following.follow(self._broadcasts.add(conversation_id, message.key, read(message.payload)))

    async def asking(self) -> tuple[dict[str, str], set[str]]:
        """Return the first of the questions being answered, by conversation, and where one can be read along.

        Those of all replicas are among them.
        """
        first, writing = self._broadcasts.first_questions(), self._broadcasts.writing()
        for conversation_id, payload in await self._store.asking(WEB.name) if self._leases.shared else ():
            with suppress(ValueError, TypeError, KeyError):  # it is damaged; the inbox says so
                web_message = read(payload)
                if web_message.text:
                    first.setdefault(conversation_id, web_message.text)
                if web_message.idempotency_key:
                    writing.add(conversation_id)
        return first, writing

    async def picture(self, conversation_id: str, number: int) -> tuple[str, int]:
        """Return the id of a picture and its size in bytes. Raises `NotFound`."""
        found = await self._store.picture_size(conversation_id, number) if WEB.owns(conversation_id) else None
        if found is None:
            raise NotFound("There is no picture {number} in this conversation.", number=number)
        return found

    async def written(self, broadcast: Broadcast, answer: Answer) -> tuple[Conversation, int, int]:
        """Return the conversation, the number of the turn, from 1, and how many versions that has.

        The number is 0 if the turn is not kept, or was deleted meanwhile.
        """
        known = await self._store.outline(broadcast.conversation_id)
        keys = await self._store.keys(known.id)
        if not known.settings.keep or broadcast.key not in keys[: len(known.turns)]:
            return Conversation(known.id, (Turn("", (), answer),)), 0, 1
        number = keys.index(broadcast.key) + 1
        return known, number, (await self._store.version_counts(known.id)).get(number, 1)

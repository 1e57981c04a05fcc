"""The answers that are being written on the web, and for a while those that were: readers find them here."""

import asyncio

from bots.web.broadcast import Broadcast
from bots.web.errors import Restarting
from bots.web.message import WebMessage
from bots.web.submission import Submission

KEPT_S = 60.0  # seconds an answer stays in memory for readers that come back; afterwards it is read from the store


class Broadcasts:
    def __init__(self) -> None:
        self._by_key: dict[str, Broadcast] = {}

    def add(self, conversation_id: str, key: str, web_message: WebMessage) -> Broadcast:
        broadcast = self._by_key[key] = Broadcast(conversation_id, key, web_message)
        return broadcast

    def add_unwritten(self, key: str, submission: Submission) -> Broadcast:
        """Add the answer to a question that is on no disk."""
        broadcast = Broadcast(submission.conversation_id, key, submission.web_message, submission)
        self._by_key[key] = broadcast
        return broadcast

    def find(self, key: str) -> Broadcast | None:
        return self._by_key.get(key)

    def drop(self, broadcast: Broadcast) -> None:
        if self._by_key.get(broadcast.key) is broadcast:
            del self._by_key[broadcast.key]

    def drop_soon(self, broadcast: Broadcast) -> None:
        """Keep a finished answer for readers that come back. An answer that is not stored is dropped at once."""
        kept = KEPT_S if broadcast.submission is None else 0
        asyncio.get_running_loop().call_later(kept, self.drop, broadcast)

    def open_questions(self, conversation_id: str) -> list[Broadcast]:
        """Return the answers being written in a conversation that can be asked for by their key, oldest first."""
        return [it for it in self._open() if it.conversation_id == conversation_id and it.web_message.idempotency_key]

    def first_questions(self) -> dict[str, str]:
        """Return the first of the questions being answered, by conversation."""
        found: dict[str, str] = {}
        for broadcast in self._open():
            if broadcast.web_message.text and broadcast.submission is None:
                found.setdefault(broadcast.conversation_id, broadcast.web_message.text)
        return found

    def writing(self) -> set[str]:
        """Return the ids of the conversations in which `open_questions` finds something."""
        return {it.conversation_id for it in self._open() if it.web_message.idempotency_key}

    def give_up(self, order: Broadcast) -> None:
        """End those in its conversation that were asked for before an order to forget that, and keep none of them."""
        for broadcast in list(self._by_key.values()):
            if broadcast is order:
                break
            if broadcast.conversation_id == order.conversation_id:
                broadcast.give_up()
                self.drop(broadcast)

    def close(self) -> None:
        """Tell readers that running answers continue after the restart."""
        for broadcast in self._open():
            if broadcast.submission is None:
                broadcast.fail(Restarting("The service is restarting. Your question is kept and will be answered."))
            else:
                broadcast.fail(Restarting("The service is about to restart. Please ask again in a minute."))

    def _open(self) -> list[Broadcast]:
        return [broadcast for broadcast in self._by_key.values() if not broadcast.over]

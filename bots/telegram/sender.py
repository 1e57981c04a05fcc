"""Post and edit messages for one answer: rate-limited, in the right place, with Telegram's errors turned into ours."""

import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from telegram import Message, ReplyParameters
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter, TelegramError

from bots.conversing.backoff import Backoff
from bots.conversing.delivery_errors import Gone, NotWritable, Refused, RetryLater, WriteFailed
from bots.telegram.place import Place, ids_of
from bots.telegram.rate_limit import Rank, RateLimit
from bots.telegram.transport import convert_errors, wait_of

log = logging.getLogger(__name__)
Result = TypeVar("Result")
_NO_RIGHTS = re.compile("rights|forbidden|restricted|admin_required|topic_closed", re.IGNORECASE)
_NOT_EDITABLE = re.compile("to edit not found|can't be edited|message_id_invalid", re.IGNORECASE)


class Sender:
    """Writes one answer's messages. The `first` message replies to the question.

    `chat_id` changes when the chat becomes a supergroup. `lost` means that a message may have been posted without our
    knowing its id; `found` gets the id of the message that is posted after it.
    """

    def __init__(
        self,
        rate_limit: RateLimit,
        place: Place,
        first: bool = False,
        lost: bool = False,
        found: Callable[[str], None] = lambda posted_id: None,
    ) -> None:
        self.chat_id = place.chat_id
        self.question = place.question
        self.first = first
        self._lost = lost
        self._found = found
        self._rate_limit = rate_limit
        self._topic = place.thread
        self._replies = first
        self._outside = False  # the topic is not found, so every message must be a reply to appear in it
        self._backoff = Backoff()

    @property
    def topic(self) -> int | None:
        return self._topic

    @property
    def scarce(self) -> bool:
        return self._rate_limit.is_scarce(self.chat_id)

    def close(self) -> None:
        self._rate_limit.end(self)

    def grows(self) -> None:
        """Note that the answer has text, so that it may end at any moment."""
        self._rate_limit.grows(self.chat_id, self)

    async def post(self, call: Callable[..., Awaitable[Message]], rank: Rank) -> str:
        """Post a message. If Telegram does not find its topic, post a reply, which appears in the topic all the same.

        `call` takes the parameters that say where. Raises as `write` does.
        """
        refusal: BadRequest | None = None
        for topic, replies in dict.fromkeys([(self._topic, self._replies), (None, True), (None, False)]):
            reply = ReplyParameters(self.question, allow_sending_without_reply=True) if replies else None
            posting = partial(call, self.chat_id, message_thread_id=topic, reply_parameters=reply)
            try:
                message = await self.write(posting, rank)
            except WriteFailed:
                self._lost = True
                raise
            except ChatMigrated as error:
                self.chat_id = error.new_chat_id
                raise RetryLater(0) from error
            except BadRequest as error:
                refusal = refusal or error
                if not re.search("thread|repl", error.message, re.IGNORECASE):
                    break
                continue
            self._outside = self._outside or topic != self._topic
            self._topic, self._replies = topic, self._outside
            return self._posted(f"{self.chat_id}:{message.message_id}")
        assert refusal is not None
        raise refusal

    def _posted(self, posted_id: str) -> str:
        if self._lost:
            self._lost = False
            self._found(posted_id)
        return posted_id

    async def edit(
        self, posted_id: str, call: Callable[[int, int], Awaitable[object]], rank: Rank = Rank.FINAL
    ) -> None:
        """Edit a message. Raises `Gone`, and as `write` does."""
        chat_id, message_id = ids_of(posted_id)
        if chat_id != self.chat_id:
            raise Gone  # the chat became a supergroup, where older messages cannot be edited
        try:
            await self.write(lambda: call(chat_id, message_id), rank)
        except ChatMigrated as error:
            self.chat_id = error.new_chat_id
            raise Gone from error
        except BadRequest as error:
            if "not modified" in error.message.lower():
                return
            if _NOT_EDITABLE.search(error.message):
                raise Gone from error
            raise

    async def delete(self, posted_id: str, call: Callable[[int, int], Awaitable[object]]) -> None:
        """Delete a message. What is posted next replies to the question instead. Raises as `write` does."""
        self._replies = True
        chat_id, message_id = ids_of(posted_id)
        try:
            await self.write(lambda: call(chat_id, message_id), Rank.FINAL)
        except (BadRequest, ChatMigrated) as error:
            log.info("a message could not be deleted: %s", error)

    async def write(self, call: Callable[[], Awaitable[Result]], rank: Rank) -> Result:
        """Write within the rate limit.

        Raises `RetryLater`, `Refused`, or Telegram's errors about this very message: `BadRequest`, `ChatMigrated`.
        """
        try:
            async with self._rate_limit.slot(self.chat_id, rank, self):
                result = await convert_errors(call())
        except (BadRequest, ChatMigrated, RetryLater):  # Later: a growing text has to wait
            raise
        except RetryAfter as error:
            seconds = wait_of(error)
            self._rate_limit.block(self.chat_id, seconds)
            raise RetryLater(seconds) from error
        except Forbidden as error:
            raise self.refused(error) from error
        except TelegramError as error:
            raise WriteFailed(self._backoff.next_pause()) from error
        self._backoff.reset()
        return result

    def refused(self, error: TelegramError) -> Refused:
        log.warning("Telegram accepts no message in chat %s: %s", self.chat_id, error)
        in_group = self.chat_id < 0  # in a private chat the person has blocked the bot
        forbids = isinstance(error, Forbidden) or _NO_RIGHTS.search(error.message)
        return NotWritable(error.message) if in_group and forbids else Refused(error.message)

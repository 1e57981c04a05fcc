"""Read which button a person pressed on Telegram."""

import json
import re
from dataclasses import replace
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass
from telegram import CallbackQuery, Message

from bots.conversing.answer_action import FOLLOW_UPS
from bots.telegram.buttons import COMMAND_BUTTONS, RETRY, STOP, UNDELIVERED
from bots.telegram.message import Author, Id, Name, conversation_of, is_in_channel, person_of
from core.storable import storable
from core.stored_message import StoredMessage

Text = Annotated[str, Field(strict=True)]
_COMMAND_BUTTON = re.compile(
    rf"({'|'.join(sorted(COMMAND_BUTTONS))})|{RETRY}:{UNDELIVERED}|({'|'.join(FOLLOW_UPS)}):\d{{1,18}}"
)


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button of one of the bot's messages, `text`. `question` is what that message replies to.

    `has_stop` is whether the message has a Stop button now; the client may have shown an older state.
    """

    query_id: Name
    asker: Author
    conversation_id: str
    chat_id: Id
    message_id: Id
    data: Text
    question: Text
    question_id: int  # 0 for none
    text: Text = ""
    in_channel: bool = False
    has_stop: bool = False

    @property
    def posted_id(self) -> str:
        """The id under which its message is stored."""
        return f"{self.chat_id}:{self.message_id}"

    @property
    def is_command(self) -> bool:
        """Whether it is one of our buttons that ask for something. A client can send anything."""
        return _COMMAND_BUTTON.fullmatch(self.data) is not None


def press_of(query: CallbackQuery) -> Press | None:
    """Return the pressed button, or None if its message is unknown: too old, or not in a chat."""
    message = query.message
    if not isinstance(message, Message):
        return None
    asker, conversation_id = person_of(query.from_user), conversation_of(message)
    asked = message.reply_to_message
    question = storable(asked.text or asked.caption or "") if asked else ""
    data = query.data or ""
    question_id = asked.message_id if asked else 0
    chat_id, text = message.chat.id, storable(message.text or "")
    press = Press(query.id, asker, conversation_id, chat_id, message.message_id, data, question, question_id, text)
    rows = message.reply_markup.inline_keyboard if message.reply_markup else ()
    has_stop = any(button.callback_data == STOP for row in rows for button in row)
    return replace(press, in_channel=is_in_channel(message), has_stop=has_stop)


def is_about(press: Press, message: StoredMessage) -> bool:
    """Return whether a button is below an answer to this message, or below a part of one.

    A message that was posted but never stored, because Telegram's reply was lost, is known by the question it replies
    to.
    """
    if press.posted_id in message.posted_ids:
        return True
    update = json.loads(message.payload)
    if query := update.get("callback_query"):
        asked = query["message"].get("reply_to_message", {}).get("message_id")
        return bool(press.question_id == asked and press.message_id > query["message"]["message_id"])
    return bool(press.question_id >= update["message"]["message_id"])

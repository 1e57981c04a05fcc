"""Where answers stand in Telegram: a chat, a topic, and the ids under which their messages are written down."""

from dataclasses import dataclass

from telegram import Message

GENERAL_TOPIC = 1  # must be left out when sending to it


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer goes: a chat, its topic (0: none), and the question that it replies to."""

    chat_id: int
    topic: int
    question: int  # message id

    @property
    def thread(self) -> int | None:
        return self.topic if self.topic > GENERAL_TOPIC else None


def sent_id(message: Message) -> str:
    """The id under which a draft's message is written down."""
    return f"{message.chat.id}:{message.message_id}"


def ids_of(sent: str) -> tuple[int, int]:
    """Chat and message id."""
    chat_id, message_id = sent.split(":")
    return int(chat_id), int(message_id)

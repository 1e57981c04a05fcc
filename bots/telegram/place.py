"""Describe where answers are in Telegram: a chat, a topic, and the stored ids of their messages."""

from dataclasses import dataclass

from telegram import Message

GENERAL_TOPIC = 1  # must be left out when sending to it


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer goes: a chat, its topic (0 for none), and the question that it replies to."""

    chat_id: int
    topic: int
    question: int  # message id

    @property
    def thread(self) -> int | None:
        return self.topic if self.topic > GENERAL_TOPIC else None


def posted_id(message: Message) -> str:
    """Return the id under which a draft's message is stored."""
    return f"{message.chat.id}:{message.message_id}"


def ids_of(posted_id: str) -> tuple[int, int]:
    """Return the chat and message id of a stored id."""
    chat_id, message_id = posted_id.split(":")
    return int(chat_id), int(message_id)

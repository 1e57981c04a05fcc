"""Read one Telegram message: who wrote it where, its words, its files, and whether it is meant for the bot.

Telegram's SDK accepts any type in any field, so fields are checked here. Reading an incomplete message may raise
anything, but what was read once can be read again.
"""

import re
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass
from telegram import (
    Chat,
    Document,
    ExternalReplyInfo,
    Message,
    MessageEntity,
    MessageOriginChannel,
    MessageReactionUpdated,
    PhotoSize,
    User,
)

from bots.conversing.commands import COMMANDS, SHORTHANDS
from bots.telegram.polling import LARGEST_ID
from core.pictures.file_types import SUFFIXES
from core.revision import Revision
from core.storable import storable

NOT_PICTURES = (  # fields of a message; `bots.telegram.kinds` names them
    "animation audio checklist contact dice game invoice location paid_media poll rich_message sticker story venue "
    "video video_note voice"
).split()
MOST_NAME_CHARACTERS = 255  # of a stored file
START = "start"  # the command that Telegram sends when a person opens the chat
Id = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=1024)]
_ID = TypeAdapter[int](Id)


class Writer(StrEnum):
    """What kind of writer a message has."""

    PERSON = "person"  # also a group's admin who stays anonymous
    BOT = "bot"
    CHANNEL = "channel"  # a person who writes in a group, in the name of a channel
    POST = "post"  # of a channel, there or in its group for comments; a bot may have written it


@dataclass(frozen=True, slots=True)
class Author:
    """Who asks: a person or a bot, or a chat in whose name somebody writes.

    `language` is their client's, such as `zh-hans`. `name` is what they call themselves.
    """

    id: Id
    language: Annotated[str, Field(strict=True, max_length=35)] | None = None
    name: Annotated[str, Field(strict=True, max_length=1024)] = field(default="", compare=False)
    writer: Writer = Writer.PERSON

    @property
    def is_automatic(self) -> bool:
        """Whether a program may have written, which must be answered only so often."""
        return self.writer in (Writer.BOT, Writer.POST)


@dataclass(frozen=True, slots=True)
class TelegramFile:
    """A file that Telegram keeps. `size` is in bytes, if Telegram tells it.

    `stored` is the name under which what becomes of it is kept: it begins with the name of its message, its carrier,
    which people can edit to show another file. It is "" if the message is unknown.
    """

    id: Name
    size: Annotated[int, Field(strict=True, ge=0)] | None = None
    name: Annotated[str, Field(strict=True, max_length=1024)] = ""
    stored: str = ""


def conversation_of(message: Message) -> str:
    """Return the conversation's id: a chat and its topic.

    Threads of replies carry a thread id too, but are no topics.
    """
    return f"telegram:{chat_id_of(message)}:{topic_of(message)}"


def topic_of(message: Message) -> int:
    """Return the id of a message's topic, 0 outside a topic."""
    topic = message.message_thread_id if message.is_topic_message else None
    return _ID.validate_python(topic or 0)


def chat_id_of(sent: Message | MessageReactionUpdated | MessageOriginChannel) -> int:
    return _ID.validate_python(sent.chat.id)


def author_of(message: Message) -> Author | None:
    """Return who wrote a message, or None for service messages.

    Anonymous admins, and members who write as a channel, have a bot of Telegram as sender, and a channel's post has
    none, or one of Telegram's; the chat is the asker then.
    """
    sender, chat = message.from_user, message.sender_chat
    if chat is not None and (sender is None or sender.is_bot or message.is_automatic_forward):
        return Author(chat.id, name=storable(chat.effective_name or ""), writer=_writer_as(chat, message))
    return None if sender is None else person_of(sender)


def _writer_as(chat: Chat, message: Message) -> Writer:
    if message.is_automatic_forward or is_in_channel(message):
        return Writer.POST
    return Writer.CHANNEL if chat.type == "channel" else Writer.PERSON


def person_of(user: User) -> Author:
    username = f" (@{user.username})" if user.username else ""
    writer = Writer.BOT if user.is_bot else Writer.PERSON
    return Author(user.id, user.language_code, storable(f"{user.full_name}{username}"), writer)


def is_for(me: User, message: Message) -> bool:
    """Return whether a message is for the bot. In a group that is a mention, a command or a reply to the bot.

    Such a reply may still be addressed to another person. Bots and channels have to name the bot: some bots answer
    every message, by a reply.
    """
    author = author_of(message)
    by_name = author is not None and author.is_automatic
    if message.chat.type == "private" and not by_name:
        return True
    command, addressee = command_of(message)
    if command is not None:
        known = not (addressee or by_name) and command in COMMANDS | SHORTHANDS
        return known or addressee == (me.username or "").lower()
    mentions = _entities(message, [MessageEntity.MENTION, MessageEntity.TEXT_MENTION])
    if mentions:
        return any(
            (entity.user and entity.user.id == me.id) or words.lower() == f"@{me.username}".lower()
            for entity, words in mentions.items()
        )
    replied = None if by_name else message.reply_to_message
    to_me = replied and replied.from_user and replied.from_user.id == me.id
    return bool(to_me and replied and not replied.forum_topic_created)


def copied_from(message: Message) -> tuple[int, int] | None:
    """Return the chat and the id of the channel's post that Telegram has copied into the group for comments, if so."""
    origin = message.forward_origin
    if message.is_automatic_forward and isinstance(origin, MessageOriginChannel):
        return chat_id_of(origin), origin.message_id
    return None


def migration_of(message: Message) -> tuple[int, int] | None:
    """Return the old and the new id of a group that became a supergroup, if that is what a message tells.

    Telegram tells it in both: at the end of the old group, and at the beginning of the new one.
    """
    here = chat_id_of(message)
    if message.migrate_to_chat_id:
        return here, _ID.validate_python(message.migrate_to_chat_id)
    if message.migrate_from_chat_id:
        return _ID.validate_python(message.migrate_from_chat_id), here
    return None


def is_in_channel(message: Message) -> bool:
    return message.chat.type == "channel"


def says_something(message: Message) -> bool:
    """Return whether it is more than a service message (a member joined, a message was pinned, …)."""
    return bool(message.text or message.caption or files_of(message) or others_of(message))


def words_of(message: Message, me: User) -> str:
    """Return its text or caption without the bot's name, below the passage that it quotes."""
    text = message.text or message.caption or ""
    if me.username:
        text = re.sub(rf"@{re.escape(me.username)}\b", "", text, flags=re.IGNORECASE)
    text = text.strip()
    if text and message.quote and message.quote.is_manual and not text.startswith("/"):
        text = f"{quoted(message.quote.text)}\n\n{text}"
    return text


def revision_of(message: Message, update_id: int) -> Revision:
    """Return what a message says and shows, and whether it was edited.

    Telegram dates edits by whole seconds; its updates are numbered in order (https://core.telegram.org/bots/api#update).
    """
    shown = message.effective_attachment
    sizes = shown if isinstance(shown, tuple | list) else [shown]
    files = [str(getattr(size, "file_unique_id", "")) for size in sizes if size is not None]
    edited = message.edit_date
    number = int(edited.timestamp()) * LARGEST_ID + update_id if isinstance(edited, datetime) else 0
    return Revision.of(number, message.text or message.caption or "", *files)


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def command_of(message: Message) -> tuple[str | None, str]:
    """Return the command that a message begins with, and the bot that it names."""
    for entity, words in _entities(message, [MessageEntity.BOT_COMMAND]).items():
        if entity.offset == 0:
            command, _, addressee = words.removeprefix("/").lower().partition("@")
            return ("help" if command == START else command), addressee
    return None, ""


def files_of(message: Message | ExternalReplyInfo) -> list[TelegramFile]:
    """Return the picture that it carries, or a file that may be a picture."""
    carrier = carrier_of(message) if isinstance(message, Message) else None
    sizes = message.photo or (message.live_photo.photo if message.live_photo else ())
    if sizes:
        return [_telegram_file(sizes[-1], carrier)]  # the largest
    document = message.document
    taken = document and not message.animation and _may_be_picture(document)
    return [_telegram_file(document, carrier)] if document and taken else []


def carrier_of(message: Message) -> str:
    """Return what the names of the files begin with that a message shows, or showed before an edit."""
    return f"telegram:{chat_id_of(message)}:{message.message_id}:"


def others_of(message: Message) -> Sequence[str]:
    """Return what it carries that is no picture: the name of a file, or of a field such as `video`."""
    known = [kind for kind in NOT_PICTURES if getattr(message, kind, None) or kind in message.api_kwargs]
    document = message.document
    if known or document is None or _may_be_picture(document):
        return known
    return [storable(document.file_name or "document")]


def _entities(message: Message, types: list[str | None]) -> dict[MessageEntity, str]:
    if message.text:
        return message.parse_entities(types)
    return message.parse_caption_entities(types) if message.caption else {}


def _telegram_file(file: PhotoSize | Document, carrier: str | None) -> TelegramFile:
    name = file.file_name if isinstance(file, Document) else None
    stored = storable(f"{carrier}{file.file_unique_id}")[:MOST_NAME_CHARACTERS] if carrier else ""
    return TelegramFile(file.file_id, file.file_size, storable(name or ""), stored)


def _may_be_picture(document: Document) -> bool:
    """Return whether a file may be a picture by its type or name. A file of unknown type may be one."""
    kind = document.mime_type or "application/octet-stream"
    named = (document.file_name or "").lower().endswith(SUFFIXES)
    return kind.startswith("image/") or kind in ("application/pdf", "application/octet-stream") or named

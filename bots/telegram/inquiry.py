"""What a Telegram message asks: its words, its pictures, and whether it is meant for the bot at all.

Telegram's SDK takes any type in any field, so what is read here is checked: reading raises whatever it likes on a
message that is not whole, and what was read once can be read again.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass
from telegram import (
    CallbackQuery,
    Document,
    ExternalReplyInfo,
    Message,
    MessageEntity,
    MessageReactionUpdated,
    PhotoSize,
    Update,
    User,
)

from bots.request import COMMANDS
from bots.telegram.buttons import ORDERS, RETRY
from bots.telegram.place import sent_id
from core.conversation import storable

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".pdf")
Id = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=1024)]
_ID = TypeAdapter[int](Id)
_ORDER = re.compile(rf"({'|'.join(sorted(ORDERS))})(:\d{{1,18}})?")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. `language` is their client's, such as `zh-hans`."""

    id: Id
    language: Annotated[str, Field(strict=True, max_length=35)] | None = None


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that Telegram keeps; `size` in bytes, where Telegram says it."""

    id: Name
    size: Annotated[int, Field(strict=True, ge=0)] | None = None
    name: Annotated[str, Field(strict=True, max_length=1024)] = ""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """`message_id` is the message to reply to, `about` the bot's own message that it replied to. A `strange` one comes
    with something that is not a picture: voice, a sticker, … `of_retry` comes from a button below the answer to a
    /retry."""

    chat_id: Id
    message_id: Id
    asker: Asker | None
    text: Annotated[str, Field(strict=True)] = ""
    command: Annotated[str, Field(strict=True)] | None = None
    files: tuple[SentFile, ...] = ()
    about: str | None = None
    strange: bool = False
    of_retry: bool = False


@dataclass(frozen=True, slots=True)
class Press:
    """A button of one of the bot's messages that somebody pressed; `text` is what that message says, `question` what
    it replies to."""

    query_id: Name
    asker: Asker
    conversation_id: str
    chat_id: Id
    message_id: Id
    data: Annotated[str, Field(strict=True)]
    text: Annotated[str, Field(strict=True)]
    question: Annotated[str, Field(strict=True)]

    @property
    def is_order(self) -> bool:
        """Whether it is one of our buttons that ask for something; anybody's client can send anything."""
        return _ORDER.fullmatch(self.data) is not None


def conversation_of(message: Message) -> str:
    """A chat and its topic; threads of ordinary replies also carry a thread id, but are no topics."""
    topic = message.message_thread_id if message.is_topic_message else None
    return f"telegram:{chat_id_of(message)}:{_ID.validate_python(topic or 0)}"


def chat_id_of(sent: Message | MessageReactionUpdated) -> int:
    return _ID.validate_python(sent.chat.id)


def is_for(me: User, message: Message) -> bool:
    """In a group only a mention, a command or a reply to the bot is; such a reply may be said to somebody else."""
    if message.chat.type == "private":
        return True
    command, addressee = _command(message)
    if command is not None:
        return addressee == (me.username or "").lower() or (not addressee and command in COMMANDS)
    mentions = _entities(message, [MessageEntity.MENTION, MessageEntity.TEXT_MENTION])
    if mentions:
        return any(
            (entity.user and entity.user.id == me.id) or words.lower() == f"@{me.username}".lower()
            for entity, words in mentions.items()
        )
    replied = message.reply_to_message
    to_me = replied and replied.from_user and replied.from_user.id == me.id
    return bool(to_me and replied and not replied.forum_topic_created)


def read(updates: Sequence[Update], me: User) -> Inquiry | None:
    """The question of one update, or of all of an album; None when the bot is not asked."""
    query = updates[0].callback_query
    if query is not None:
        return _asked_by_button(query, me)
    messages = [update.message for update in updates if update.message]
    if not any(is_for(me, message) for message in messages) or not any(map(says_something, messages)):
        return None
    return inquiry_of(messages, me)


def inquiry_of(messages: Sequence[Message], me: User) -> Inquiry:
    """What one message asks, or all of one album, whether it is meant for the bot or not."""
    messages = sorted(messages, key=lambda message: message.message_id)
    main = next((message for message in messages if message.text or message.caption), messages[0])
    files = [file for message in messages for file in _files(message)]
    command, _ = _command(main)
    text = _words(main, me)
    if command is not None:
        text = "".join(text.split(maxsplit=1)[1:])
        if command not in COMMANDS:
            command = "help"
        if command in ("block", "unblock") and not text and main.reply_to_message and main.reply_to_message.from_user:
            text = str(main.reply_to_message.from_user.id)
    about = None
    replied = main.reply_to_message
    if replied and not replied.forum_topic_created:
        files = [*_files(replied), *files]
        if replied.from_user and replied.from_user.id == me.id:
            about = sent_id(replied)
    if main.external_reply:
        files = [*_files(main.external_reply), *files]
    strange = bool(main.effective_attachment) and not files and command is None
    asker = asker_of(main.from_user) if main.from_user else None
    return Inquiry(main.chat.id, main.message_id, asker, storable(text), command, tuple(files), about, strange)


def says_something(message: Message) -> bool:
    """Service messages (somebody joined, a message was pinned, …) do not."""
    return bool(message.text or message.caption or message.effective_attachment)


def asker_of(user: User) -> Asker:
    return Asker(user.id, user.language_code)


def press_of(query: CallbackQuery) -> Press | None:
    """None when nobody knows what stands in the message: it is too old, or not in a chat."""
    message = query.message
    if not isinstance(message, Message):
        return None
    asker, conversation_id = asker_of(query.from_user), conversation_of(message)
    text, asked = storable(message.text or ""), message.reply_to_message
    question = storable(asked.text or asked.caption or "") if asked else ""
    data = query.data or ""
    return Press(query.id, asker, conversation_id, message.chat.id, message.message_id, data, text, question)


def _asked_by_button(query: CallbackQuery, me: User) -> Inquiry | None:
    """What a button below an answer asks, about what that answer replies to."""
    press = press_of(query)
    if press is None or not press.is_order or not isinstance(query.message, Message):
        return None
    question = query.message.reply_to_message or query.message
    own = question.from_user is not None and question.from_user.id == me.id  # what was asked is gone
    asked = Inquiry(press.chat_id, question.message_id, press.asker) if own else inquiry_of([question], me)
    command, _, answer = press.data.partition(":")  # a refusal's button names the answer it is about
    about = f"{press.chat_id}:{answer or press.message_id}"
    return replace(asked, asker=press.asker, command=command, about=about, of_retry=asked.command == RETRY)


def _words(message: Message, me: User) -> str:
    text = message.text or message.caption or ""
    if me.username:
        text = re.sub(rf"@{re.escape(me.username)}\b", "", text, flags=re.IGNORECASE)
    text = text.strip()
    if text and message.quote and message.quote.is_manual and not text.startswith("/"):
        quoted = "\n".join(f"> {line}" for line in message.quote.text.splitlines())
        text = f"{quoted}\n\n{text}"
    return text


def _command(message: Message) -> tuple[str | None, str]:
    """The command that a message begins with, and the bot that it names."""
    for entity, words in _entities(message, [MessageEntity.BOT_COMMAND]).items():
        if entity.offset == 0:
            command, _, addressee = words.removeprefix("/").lower().partition("@")
            return command, addressee
    return None, ""


def _entities(message: Message, types: list[str | None]) -> dict[MessageEntity, str]:
    if message.text:
        return message.parse_entities(types)
    return message.parse_caption_entities(types) if message.caption else {}


def _files(message: Message | ExternalReplyInfo) -> list[SentFile]:
    if message.photo:
        return [_sent_file(message.photo[-1])]  # the largest
    document = message.document
    taken = document and not message.animation and _may_be_picture(document)
    return [_sent_file(document)] if document and taken else []


def _sent_file(file: PhotoSize | Document) -> SentFile:
    name = file.file_name if isinstance(file, Document) else None
    return SentFile(file.file_id, file.file_size, storable(name or ""))


def _may_be_picture(document: Document) -> bool:
    """By its type, or its name; a file of unknown type is looked into."""
    kind = document.mime_type or "application/octet-stream"
    named = (document.file_name or "").lower().endswith(SUFFIXES)
    return kind.startswith("image/") or kind in ("application/pdf", "application/octet-stream") or named

"""What a Telegram message asks: its words, its pictures, and whether it is meant for the bot at all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from telegram import Document, ExternalReplyInfo, Message, MessageEntity, PhotoSize, User

from bots.request import COMMANDS
from bots.telegram.place import sent_id

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".pdf")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """`message` is the one to reply to, `about` the bot's own message that it replied to. A `strange` one comes with
    something that is not a picture: voice, a sticker, …"""

    message: Message
    text: str = ""
    command: str | None = None
    files: tuple[PhotoSize | Document, ...] = ()
    about: str | None = None
    strange: bool = False


def conversation_of(message: Message) -> str:
    """A chat and its topic; threads of ordinary replies also carry a thread id, but are no topics."""
    topic = message.message_thread_id if message.is_topic_message else None
    return f"telegram:{message.chat.id}:{topic or 0}"


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


def read(messages: Sequence[Message], me: User) -> Inquiry | None:
    """One message, or all of one album; None when the bot is not asked."""
    if not any(is_for(me, message) for message in messages) or not any(map(_says_something, messages)):
        return None
    return inquiry_of(messages, me)


def inquiry_of(messages: Sequence[Message], me: User) -> Inquiry:
    """As `read`, of what is known to be meant for the bot."""
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
    return Inquiry(main, text, command, tuple(files), about, strange)


def _says_something(message: Message) -> bool:
    """Service messages (somebody joined, a message was pinned, …) do not."""
    return bool(message.text or message.caption or message.effective_attachment)


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


def _files(message: Message | ExternalReplyInfo) -> list[PhotoSize | Document]:
    if message.photo:
        return [message.photo[-1]]  # the largest
    document = message.document
    return [document] if document and not message.animation and _may_be_picture(document) else []


def _may_be_picture(document: Document) -> bool:
    """By its type, or its name; a file of unknown type is looked into."""
    kind = document.mime_type or "application/octet-stream"
    named = (document.file_name or "").lower().endswith(SUFFIXES)
    return kind.startswith("image/") or kind in ("application/pdf", "application/octet-stream") or named

"""Keep chats, people and messages as Telegram does, and refuse what Telegram refuses."""

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image as PilImage

Json = dict[str, Any]
BOT: Json = {
    "id": 4242,
    "is_bot": True,
    "first_name": "Pictures",
    "username": "picture_bot",
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_inline_queries": False,
}
ENTITIES = frozenset(
    "bold italic underline strikethrough spoiler code pre text_link blockquote expandable_blockquote".split()
)
PAUSE_S, PER_MINUTE = 1.0, 20  # what a chat, and a group, takes


def shown(message: Json) -> Json:
    """Return a message as Telegram tells it: a channel's post names no sender, not even to the bot that wrote it."""
    told = dict(message)
    if replied := message.get("reply_to_message"):
        told["reply_to_message"] = shown(replied)
    if message["chat"]["type"] == "channel":
        del told["from"]
        told["sender_chat"] = message["chat"]
    return told


class Refusal(Exception):
    """A negative answer. `parameters` are as in Telegram's ResponseParameters."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def refuse(description: str) -> Refusal:
    return Refusal(400, f"Bad Request: {description}")


@dataclass
class Chat:
    """A chat. `messages` are by id; `states` are the texts that each of the bot's messages has shown, with times."""

    id: int
    type: str = "private"
    forum: bool = False
    messages: dict[int, Json] = field(default_factory=dict)
    states: dict[int, list[tuple[float, str]]] = field(default_factory=dict)
    writes: list[float] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    blocked: bool = False
    reactions: dict[int, list[str]] = field(default_factory=dict)  # a message -> the bot's reactions to it
    reacted: list[int] = field(default_factory=list)  # messages that ever had one, in order
    no_reactions: bool = False  # the chat's admins allow none
    muted: bool = False  # the bot has no right to write there
    lost_topics: bool = False  # sends into topics that exist are refused; replies stand there all the same
    uneditable: bool = False
    moved_to: int | None = None
    admins: set[int] = field(default_factory=set)
    last_id: int = 0

    def json(self) -> Json:
        chat: Json = {"id": self.id, "type": self.type}
        if self.type == "channel":
            return chat | {"title": "News"}
        return chat | ({"first_name": "Ann"} if self.type == "private" else {"title": "Team", "is_forum": self.forum})

    def by_bot(self) -> list[Json]:
        return [m for _, m in sorted(self.messages.items()) if m["from"]["id"] == BOT["id"]]

    def answers_to(self, message_id: int) -> list[Json]:
        """Return the bot's replies to a message, and their continuations, which are no replies."""
        found: list[Json] = []
        replying = False
        for message in self.by_bot():
            if "reply_to_message" in message:
                replying = message["reply_to_message"]["message_id"] == message_id
            if replying:
                found.append(message)
        return found

    def person_messages(self) -> list[Json]:
        return [m for _, m in sorted(self.messages.items()) if m["from"]["id"] != BOT["id"]]


@dataclass
class World:
    """All chats. Message ids count per chat.

    `strict` answers 429 when a chat gets too many writes, as Telegram does.
    """

    strict: bool = True
    chats: dict[int, Chat] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    crowded: int = 0  # writes that came too early
    refused_styles: set[str] = field(default_factory=set)
    refused_media: set[str] = field(default_factory=set)
    refused_ends: int = 0  # how many of the next edits without a Stop button are refused, for no known reason

    def chat(self, chat_id: int, type: str | None = None, forum: bool = False) -> Chat:
        if chat_id not in self.chats:
            self.chats[chat_id] = Chat(chat_id, type or ("private" if chat_id > 0 else "supergroup"), forum)
        return self.chats[chat_id]

    def add(self, chat: Chat, sender: Json, **content: Any) -> Json:
        message_id = chat.last_id = max(chat.last_id, *chat.messages, 0) + 1  # Telegram gives none twice
        message = {"message_id": message_id, "date": int(time.time()), "chat": chat.json(), "from": sender, **content}
        chat.messages[message_id] = message
        return message

    def find(self, chat_id: int) -> Chat:
        chat = self.chats.get(int(chat_id))
        if chat is None:
            raise refuse("chat not found")
        if chat.moved_to is not None:
            raise Refusal(
                400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.moved_to
            )
        if chat.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return chat

    def write(self, chat: Chat) -> None:
        """Count one more message or edit in a chat."""
        now = time.monotonic()
        recent = [moment for moment in chat.writes if moment > now - 60]
        early = bool(recent) and now - recent[-1] < PAUSE_S
        if early or (chat.type != "private" and len(recent) >= PER_MINUTE):
            self.crowded += 1
            if self.strict:
                raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
        chat.writes.append(now)

    def send(self, chat_id: int, text: str, entities: Sequence[Json], extra: Json) -> Json:
        return self.add_by_bot(self.find(chat_id), self._content(text, entities), extra)

    def add_by_bot(self, chat: Chat, content: Json, extra: Json) -> Json:
        if chat.muted:
            raise refuse("not enough rights to send text messages to the chat")
        content |= self._reply(chat, extra)
        if extra.get("message_thread_id"):
            if not chat.forum or chat.lost_topics:
                raise refuse("message thread not found")
            content |= {"message_thread_id": int(extra["message_thread_id"]), "is_topic_message": True}
        elif content.get("reply_to_message", {}).get("is_topic_message"):
            thread = content["reply_to_message"]["message_thread_id"]
            content |= {"message_thread_id": thread, "is_topic_message": True}
        if extra.get("reply_markup"):
            content["reply_markup"] = extra["reply_markup"]
        self.write(chat)
        message = self.add(chat, BOT, **content)
        chat.states[message["message_id"]] = [(time.monotonic(), message.get("text", ""))]
        return message

    def edit(self, chat_id: int, message_id: int, text: str, entities: Sequence[Json], markup: Json | None) -> Json:
        chat = self.find(chat_id)
        message = chat.messages.get(int(message_id))
        if message is None:
            raise refuse("message to edit not found")
        if message["from"]["id"] != BOT["id"] or chat.uneditable:
            raise refuse("message can't be edited")
        if self.refused_ends and "stop" not in str(markup):
            self.refused_ends -= 1
            raise refuse("something new")
        content = self._content(text, entities)
        new = content | ({"reply_markup": markup} if markup else {})
        old = {key: message[key] for key in ("text", "entities", "reply_markup") if key in message}
        if new == old:
            raise refuse(
                "message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            )
        self.write(chat)
        for key in old:
            del message[key]
        message.update(new, edit_date=int(time.time()))
        chat.states[message["message_id"]].append((time.monotonic(), message["text"]))
        return message

    def react(self, chat_id: int, message_id: int, emojis: list[str]) -> None:
        chat = self.find(chat_id)
        if int(message_id) not in chat.messages:
            raise refuse("message to react not found")
        if chat.no_reactions or not set(emojis) <= {"👀", "👍", "👎"}:
            raise refuse("REACTION_INVALID")
        if emojis:
            chat.reactions[int(message_id)] = emojis
            chat.reacted.append(int(message_id))
        else:
            chat.reactions.pop(int(message_id), None)

    def edit_markup(self, chat_id: int, message_id: int, markup: Json | None) -> Json:
        message = self.find(chat_id).messages.get(int(message_id))
        if message is None:
            raise refuse("message to edit not found")
        if message["from"]["id"] != BOT["id"]:
            raise refuse("message can't be edited")
        kept = {key: message[key] for key in ("text", "entities") if key in message}
        if "text" not in message and message.get("reply_markup") == markup:
            raise refuse("message is not modified")
        return self.edit(chat_id, message_id, kept.get("text", ""), kept.get("entities", ()), markup)

    def edit_media(self, chat_id: int, message_id: int, kind: str, name: str, data: bytes, caption: str) -> Json:
        """Edit a message's media. It also turns a text message into one with media."""
        chat = self.find(chat_id)
        message = chat.messages.get(int(message_id))
        if message is None:
            raise refuse("message to edit not found")
        if chat.uneditable:
            raise refuse("message can't be edited")
        if len(caption.encode("utf-16-le")) // 2 > 1024:
            raise refuse("message caption is too long")
        if kind == "photo":
            _check_photo(data)
        if kind in self.refused_media:
            raise refuse(f"not enough rights to send {kind}s to the chat")
        self.write(chat)
        for key in ("text", "entities", "caption", "photo", "document", "reply_markup"):
            message.pop(key, None)
        message.update(self._media(kind, name, data, caption), edit_date=int(time.time()))
        chat.states[message["message_id"]].append((time.monotonic(), name))
        return message

    def send_media(self, kind: str, file: tuple[str, bytes], extra: Json) -> Json:
        if kind == "photo":
            _check_photo(file[1])
        return self.add_by_bot(self.find(extra["chat_id"]), self._media(kind, *file, extra.get("caption", "")), extra)

    def _media(self, kind: str, name: str, data: bytes, caption: str) -> Json:
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = data
        size = {"file_id": file_id, "file_unique_id": file_id, "file_size": len(data)}
        content = [{**size, "width": 1, "height": 1}] if kind == "photo" else {**size, "file_name": name}
        return {kind: content} | ({"caption": caption} if caption else {})

    def delete(self, chat_id: int, message_id: int) -> None:
        chat = self.find(chat_id)
        if chat.messages.pop(int(message_id), None) is None:
            raise refuse("message to delete not found")

    def _content(self, text: str, entities: Sequence[Json]) -> Json:
        """Return the text trimmed as Telegram does: at the end, and at the beginning up to the first entity."""
        units = text.encode("utf-16-le")
        for entity in entities:
            _check_entity(entity, units)
            if entity["type"] in self.refused_styles:
                raise refuse("can't parse entities: this style is not taken today")
        if len(units) // 2 > 4096:
            raise refuse("message is too long")
        lead = len(text) - len(text.lstrip(" \n"))
        lead = min([lead, *(entity["offset"] for entity in entities)])
        text = text[lead:].rstrip()
        if not text:
            raise refuse("message text is empty")
        length = len(text.encode("utf-16-le")) // 2
        kept = [{**e, "offset": e["offset"] - lead} for e in entities]
        kept = [{**e, "length": min(e["length"], length - e["offset"])} for e in kept if e["offset"] < length]
        return {"text": text, "entities": kept} if kept else {"text": text}

    def _reply(self, chat: Chat, extra: Json) -> Json:
        reply = extra.get("reply_parameters")
        if not reply:
            return {}
        replied = chat.messages.get(int(reply["message_id"]))
        if replied is None:
            if not reply.get("allow_sending_without_reply"):
                raise refuse("message to be replied not found")
            return {}
        return {"reply_to_message": {key: value for key, value in replied.items() if key != "reply_to_message"}}


def _check_photo(data: bytes) -> None:
    if len(data) > 10 << 20:
        raise refuse("file is too big for a photo; the maximum size is 10485760 bytes")
    width, height = PilImage.open(io.BytesIO(data)).size
    if width + height > 10_000 or max(width, height) > 20 * min(width, height):
        raise refuse("PHOTO_INVALID_DIMENSIONS")


def _check_entity(entity: Json, units: bytes) -> None:
    start, end = entity["offset"], entity["offset"] + entity["length"]
    if entity["type"] not in ENTITIES:
        raise refuse(f"can't parse entities: unsupported type {entity['type']}")
    if start < 0 or entity["length"] <= 0 or end > len(units) // 2:
        raise refuse("entity_bounds_invalid: entity is out of the text")
    for place in (start, end):
        low = units[2 * place : 2 * place + 2]
        if low and 0xDC00 <= int.from_bytes(low, "little") < 0xE000:
            raise refuse("entity_bounds_invalid: entity begins or ends inside a character")
    if entity["type"] == "text_link" and not entity.get("url"):
        raise refuse("can't parse entities: a link needs its url")

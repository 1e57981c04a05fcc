"""Simulate a person who writes to the bot: what they send becomes updates of our Bot API server."""

from collections.abc import Sequence
from typing import Any

from tests.bots.telegram.server import BotApi
from tests.bots.telegram.world import Chat, Json, shown


class Person:
    """A person in a chat with the bot. Sending queues updates and returns the message."""

    def __init__(
        self,
        telegram: BotApi,
        chat: Chat,
        user_id: int = 0,
        language: str = "en",
        topic: int | None = None,
        is_bot: bool = False,
    ) -> None:
        self.chat = chat
        self.telegram = telegram
        self._topic = topic
        self._presses = 0
        self._json: Json = {"id": user_id or abs(chat.id), "is_bot": is_bot, "first_name": "Ann"}
        self._json["language_code"] = language

    def says(self, text: str, reply_to: Json | None = None, twice: bool = False, **more: Any) -> Json:
        return self._send(reply_to, twice, text=text, entities=_found(text), **more)

    def shows(
        self,
        picture: bytes,
        caption: str = "",
        reply_to: Json | None = None,
        album: str | None = None,
        twice: bool = False,
        **more: Any,
    ) -> Json:
        """Send a photo, which Telegram stores in several sizes."""
        sizes = self._sizes(picture)
        return self._send(reply_to, twice, photo=sizes, **_captioned(caption), **_album(album), **more)

    def sends_file(self, data: bytes, name: str, kind: str | None, caption: str = "", album: str | None = None) -> Json:
        document = {**self._keep(data), "file_name": name} | ({"mime_type": kind} if kind else {})
        return self._send(None, False, document=document, **_captioned(caption), **_album(album))

    def forwards(self, picture: bytes, caption: str = "", album: str | None = None, **more: Any) -> Json:
        """Forward another person's picture, with what they wrote below it."""
        origin = {"type": "hidden_user", "date": 1422450181, "sender_user_name": "Bob"}
        return self.shows(picture, caption, album=album, forward_origin=origin, **more)

    def replaces(self, message: Json, picture: bytes, text: str) -> None:
        """Replace a message's picture and its caption."""
        message["photo"] = self._sizes(picture)
        self.edits(message, text)

    def edits(self, message: Json, text: str, after_s: int = 1, twice: bool = False) -> None:
        """Replace a message's text or caption, which it may have had none of."""
        field = "text" if "text" in message else "caption"
        message.update({field: text, "entities" if field == "text" else "caption_entities": _found(text)})
        message["edit_date"] = int(message.get("edit_date") or message["date"]) + after_s
        self._tell(f"edited_{self._kind}", message, twice)

    def sends(self, **content: Any) -> Json:
        return self._send(None, False, **content)

    def presses(self, message: Json, label: str = "") -> None:
        """Press a button under one of the bot's messages, or the only one."""
        rows = message["reply_markup"]["inline_keyboard"]
        [button] = [button for [button] in rows if label in ("", button["text"])]
        self._presses += 1
        query = {
            "id": f"q{message['message_id']}.{self._presses}",
            "from": self._json,
            "chat_instance": "1",
            "message": message,
        }
        self.telegram.update(callback_query={**query, "data": button["callback_data"]})

    def reacts(self, message: Json, emoji: str) -> None:
        reaction = {"chat": self.chat.json(), "message_id": message["message_id"], "user": self._json, "date": 0}
        new = [{"type": "emoji", "emoji": emoji}]
        self.telegram.update(message_reaction={**reaction, "old_reaction": [], "new_reaction": new})

    def _send(self, reply_to: Json | None, twice: bool, **content: Any) -> Json:
        if self._topic is not None:
            content |= {"message_thread_id": self._topic, "is_topic_message": True}
        if reply_to is not None:
            content["reply_to_message"] = {k: v for k, v in reply_to.items() if k != "reply_to_message"}
        message = self.telegram.world.add(self.chat, self._json, **content)
        self._tell(self._kind, message, twice)
        return message

    @property
    def _kind(self) -> str:
        return "channel_post" if self.chat.type == "channel" else "message"

    def _tell(self, kind: str, message: Json, twice: bool) -> None:
        """Queue an update, unless another bot wrote: bots hear each other in one mode of @BotFather's only.

        Source: https://core.telegram.org/api/bots/bot-to-bot. Telegram's own bots stand for people and channels.
        """
        if self._json["is_bot"] and "sender_chat" not in message and not self.telegram.bot_to_bot:
            return
        self.telegram.update(twice=twice, **{kind: shown(message)})

    def _sizes(self, picture: bytes) -> Sequence[Json]:
        small, large = self._keep(picture[: len(picture) // 2]), self._keep(picture)
        return [{**small, "width": 90, "height": 67}, {**large, "width": 1280, "height": 960}]

    def _keep(self, data: bytes) -> Json:
        file_id = f"file-{len(self.telegram.world.files)}"
        self.telegram.world.files[file_id] = data
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": len(data)}


def _captioned(caption: str) -> Json:
    return {"caption": caption, "caption_entities": _found(caption)} if caption else {}


def _album(name: str | None) -> Json:
    return {"media_group_id": name} if name else {}


def _found(text: str) -> Sequence[Json]:
    """Return the commands and mentions that Telegram finds in a text of one-unit characters."""
    entities: list[Json] = []
    offset = 0
    for word in text.split(" "):
        kind = "bot_command" if word.startswith("/") else "mention" if word.startswith("@") else None
        if kind:
            entities.append({"type": kind, "offset": offset, "length": len(word.encode("utf-16-le")) // 2})
        offset += len(word.encode("utf-16-le")) // 2 + 1
    return entities

"""Platforms with chats where something never works, as real ones have: what they refuse there, they always refuse."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bots.slack.workspace import Json, Refusal, Workspace
from tests.bots.telegram.world import Refusal as TelegramRefusal
from tests.bots.telegram.world import World, refuse

WRITES = ("chat.postMessage", "chat.startStream", "chat.appendStream", "chat.stopStream", "chat.update")
NO_WRITING = "no_permission"


@dataclass
class StubbornWorld(World):
    """By ids of Telegram chats. In `refuses_once` the next edit fails in a way that nobody knows."""

    refuses_once: set[int] = field(default_factory=set)
    forbids_edits: set[int] = field(default_factory=set)
    forbids_uploads: set[int] = field(default_factory=set)

    def edit(self, chat_id: int, message_id: int, text: str, entities: Sequence[Json], markup: Json | None) -> Json:
        if chat_id in self.forbids_edits:
            raise refuse("message can't be edited")
        if chat_id in self.refuses_once:
            self.refuses_once.discard(chat_id)
            raise refuse("something new")
        return super().edit(chat_id, message_id, text, entities, markup)

    def edit_media(self, chat_id: int, message_id: int, kind: str, name: str, data: bytes, caption: str) -> Json:
        if chat_id in self.forbids_uploads:
            raise TelegramRefusal(500, "Internal Server Error")
        return super().edit_media(chat_id, message_id, kind, name, data, caption)


@dataclass
class StubbornWorkspace(Workspace):
    """By ids of Slack channels. Where no message can be edited, a stream is over as soon as it has begun."""

    forbids_writing: set[str] = field(default_factory=set)
    forbids_edits: set[str] = field(default_factory=set)
    forbids_uploads: set[str] = field(default_factory=set)

    def call(self, method: str, token: str, args: Json) -> Json:
        channel = args.get("channel")
        if channel in self.forbids_writing and method in WRITES:
            raise Refusal(NO_WRITING)
        if channel in self.forbids_edits and method in ("chat.appendStream", "chat.stopStream"):
            raise Refusal("message_not_in_streaming_state")
        if channel in self.forbids_edits and method == "chat.update":
            raise Refusal("edit_window_closed")
        if channel in self.forbids_uploads and method == "chat.update" and args.get("file_ids"):
            raise Refusal("internal_error")
        return super().call(method, token, args)

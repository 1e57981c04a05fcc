"""What happened in Slack, out of its events: who asks what where, and which files belong to it. Talks to nobody."""

import json
import re
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# Slash commands do not work in threads, so these are plain words.
_COMMANDS = {
    "help": ("help", "hi", "hello", "帮助", "你好"),
    "new": ("new", "新对话"),
    "pictures": ("pictures", "图片"),
    "remove": ("remove", "移除"),
    "export": ("export", "导出"),
    "forget": ("forget", "忘记"),
    "stop": ("stop", "停止"),
    "stats": ("stats", "统计"),
    "block": ("block", "屏蔽"),
    "unblock": ("unblock", "解除屏蔽"),
}

_SOMEBODY = re.compile(r"@\S+|[uw][a-z0-9]*[0-9][a-z0-9]*")  # a mention, or an id as the bot's sentences write it

_ADDRESSED = re.compile(r"<(?:@|!subteam\^|!(?:here|channel|everyone)\b)")

ASKING = (None, "file_share", "thread_broadcast", "me_message")  # subtypes of what a person writes; a picture is one


@dataclass(frozen=True, slots=True)
class Message:
    """A person's message. `thread` is its own `ts` at the top level: every such message begins a conversation."""

    channel: str
    ts: str
    thread: str
    user: str
    team: str
    text: str  # as Slack writes it
    files: tuple[Json, ...] = ()

    @staticmethod
    def of(event: Json, team: str) -> "Message | None":
        """None for what no person wrote: bots, joins, edits, deletions."""
        if event.get("subtype") not in ASKING or event.get("bot_id") or not event.get("user"):
            return None
        return Message(
            event["channel"],
            event["ts"],
            event.get("thread_ts") or event["ts"],
            event["user"],
            event.get("user_team") or event.get("team") or team,
            event.get("text") or "",
            tuple(event.get("files") or ()),
        )

    @staticmethod
    def from_json(values: Json) -> "Message":
        return Message(**{**values, "files": tuple(values["files"])})

    @property
    def direct(self) -> bool:
        return self.channel.startswith("D")

    @property
    def top_level(self) -> bool:
        return self.thread == self.ts

    def mentions(self, bot: str) -> bool:
        return mentions(self.text, bot)

    def conversation(self, workspace: str) -> str:
        return f"slack:{workspace}:{self.channel}:{self.thread}"

    def key(self, workspace: str) -> str:
        """The same for a mention's two events and for every delivery of them."""
        return f"slack:{workspace}:{self.channel}:{self.ts}"


def mentions(text: str, bot: str) -> bool:
    return f"<@{bot}>" in text or f"<@{bot}|" in text


def addresses_somebody(text: str) -> bool:
    """Whether a person, a group or everybody is mentioned."""
    return bool(_ADDRESSED.search(text))


def command_of(text: str) -> tuple[str | None, str]:
    """The command that a whole message is, and what follows it; else None and the text."""
    word, _, rest = text.lower().rstrip(" .!。！").partition(" ")
    rest = rest.strip()
    for command, words in _COMMANDS.items():
        if word in words and (not rest or _belongs(command, rest)):
            return command, rest
    return None, text


def _belongs(command: str, rest: str) -> bool:
    """Whether that may follow the command: else the words are a question that happens to begin like it."""
    if command in ("block", "unblock"):
        return bool(_SOMEBODY.fullmatch(rest))
    return command == "remove" and rest.isdecimal()


def payload(kind: str, **values: Any) -> str:
    """What is written down of an event."""
    return json.dumps({"kind": kind, **values})


def pictures(files: tuple[Json, ...]) -> list[Json]:
    """Those that may hold pictures; Slack Connect's say nothing about themselves yet."""
    return [file for file in files if file.get("file_access") == "check_file_info" or _is_picture(file)]


def _is_picture(file: Json) -> bool:
    kind = str(file.get("mimetype") or "")
    return kind.startswith("image/") or str(file.get("filetype")) in ("heic", "heif", "avif", "pdf")


def removed_files(event: Json) -> list[str]:
    """The ids of the files that went away with a deleted or changed message."""
    before = {file["id"] for file in (event.get("previous_message") or {}).get("files") or ()}
    left = (event.get("message") or {}).get("files") or ()
    return sorted(before - {file["id"] for file in left if file.get("mode") != "tombstone"})

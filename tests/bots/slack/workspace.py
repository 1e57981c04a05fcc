"""A workspace of the tests' own Slack: what its Web API keeps, shows and refuses. Knows no wire.

Argument names, limits and error words are those of https://docs.slack.dev/reference/methods; what Slack only says
vaguely is strict here.
"""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
TEAM, BOT, BOT_ID, APP = "T0TEAM", "U0BOT", "B0BOT", "A0APP"
NAME = "pictures"
BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-1-good", "xapp-1-good", "s3cret"
SCOPES = (
    "app_mentions:read assistant:write channels:history chat:write commands files:read files:write groups:history "
    "im:history mpim:history reactions:read reactions:write users:read"
).split()
NEEDED = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "chat.startStream": "chat:write",
    "chat.appendStream": "chat:write",
    "chat.stopStream": "chat:write",
    "assistant.threads.setStatus": "assistant:write",
    "agents.sessions.setStatus": "assistant:write",
    "files.info": "files:read",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "users.info": "users:read",
    "reactions.add": "reactions:write",
    "reactions.remove": "reactions:write",
    "conversations.replies": "channels:history",
}
PING = re.compile(r"<(?:!(?:channel|here|everyone|subteam)|@[UWB]|#[CGD])|(?<![\w\u200b])@(?:channel|here|everyone)\b")


class Refusal(Exception):
    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.answer = {"ok": False, "error": error, **more}


@dataclass
class Workspace:
    """`stream_s` is how long a stream lives without an append. Messages are Slack's JSON, by channel and in order."""

    scopes: list[str] = field(default_factory=lambda: list(SCOPES))
    channels: dict[str, list[Json]] = field(default_factory=lambda: {"C0GENERAL": [], "D0ANN": []})
    members: set[str] = field(default_factory=lambda: {"C0GENERAL", "D0ANN"})  # channels that the bot is in
    locales: dict[str, str] = field(default_factory=dict)
    bots: set[str] = field(default_factory=lambda: {"U9"})  # of other apps
    files: dict[str, Json] = field(default_factory=dict)
    deleted_files: set[str] = field(default_factory=set)
    contents: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, Json] = field(default_factory=dict)  # the bot's own files, with their `data`
    hidden: set[str] = field(default_factory=set)  # files that events carry as check_file_info
    stream_s: float = 60.0
    streams: bool = True
    agent: bool = True  # declared as one: sessions and Slack's own Stop button
    status_line: bool = True
    token: str = BOT_TOKEN
    app_token: str = APP_TOKEN
    denies: Callable[[str, Json], str | None] = lambda method, args: None  # the word for it
    bot: bool = True
    statuses: list[tuple[str, str]] = field(default_factory=list)  # (thread, text), all there ever were
    line: dict[str, str] = field(default_factory=dict)  # thread -> the status line that shows now
    sessions: dict[tuple[str, str], str] = field(default_factory=dict)
    reactions: dict[str, str] = field(default_factory=dict)  # the bot's: ts of a message -> its name
    reacted: list[str] = field(default_factory=list)  # ts of messages that ever had one, in order
    views: list[Json] = field(default_factory=list)
    triggers: dict[str, float] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    posted: list[tuple[float, str]] = field(default_factory=list)  # when and where the bot began a message
    _open: dict[str, float] = field(default_factory=dict)  # ts of a stream -> its last append
    _stopped: set[str] = field(default_factory=set)
    _last: int = field(default_factory=lambda: int(time.time() * 1e6))

    def ts(self) -> str:
        self._last = max(self._last + 1, int(time.time() * 1e6))
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"

    def call(self, method: str, token: str, args: Json) -> Json:
        """What Slack answers; raises `Refusal`."""
        self.calls[method] += 1
        handler: Callable[[Json], Json] | None = getattr(self, "_" + method.replace(".", "_"), None)
        if handler is None:
            raise Refusal("unknown_method")
        if method == "apps.connections.open":
            if token != self.app_token:
                raise Refusal("invalid_auth" if token.startswith("xapp-") else "not_allowed_token_type")
        elif token != self.token:
            raise Refusal("token_revoked" if token == BOT_TOKEN else "invalid_auth")
        if (scope := NEEDED.get(method)) and scope not in self.scopes:
            raise Refusal("missing_scope", needed=scope, provided=",".join(self.scopes))
        if word := self.denies(method, args):
            raise Refusal(word)
        return {"ok": True, **handler(args)}

    # What people see

    def answers(self, channel: str, thread: str) -> list[Json]:
        return [m for m in self.channels[channel] if m.get("thread_ts") == thread and m.get("user") == BOT]

    def find(self, channel: str, ts: str) -> Json:
        for message in self.channels.get(channel, ()):
            if message["ts"] == ts:
                return message
        raise Refusal("message_not_found")

    def is_open(self, ts: str) -> bool:
        """Whether it still streams; one that nobody appended to is over."""
        if ts in self._open and time.monotonic() - self._open[ts] > self.stream_s:
            del self._open[ts]
        return ts in self._open

    def pings(self) -> list[str]:
        texts = [t for ms in self.channels.values() for m in ms if m.get("user") == BOT for t in (said(m), m["text"])]
        return [text for text in texts if PING.search(text)]

    def stop_streams(self, channel: str, thread: str) -> list[str]:
        """A person presses Slack's own Stop button."""
        stopped = [m["ts"] for m in self.answers(channel, thread) if self.is_open(m["ts"])]
        for ts in stopped:
            del self._open[ts]
        self._stopped |= set(stopped)
        return stopped

    # The methods

    def _auth_test(self, _: Json) -> Json:
        return {"team_id": TEAM, "user_id": BOT, "user": NAME, "url": "https://t.slack.com/"} | (
            {"bot_id": BOT_ID} if self.bot else {}
        )

    def _apps_connections_open(self, _: Json) -> Json:
        return {}  # the server adds the address

    def _users_info(self, args: Json) -> Json:
        if args["user"].startswith("B"):  # of a workflow, which is no user
            raise Refusal("user_not_found")
        user: Json = {"id": args["user"], "is_bot": args["user"] in self.bots}
        if args.get("include_locale") in (True, "1", "true"):
            user["locale"] = self.locales.get(args["user"], "en-US")
        return {"user": user}

    def _files_info(self, args: Json) -> Json:
        if args["file"] not in self.files:
            raise Refusal("file_deleted" if args["file"] in self.deleted_files else "file_not_found")
        return {"file": self.files[args["file"]]}

    def _conversations_replies(self, args: Json) -> Json:
        root = args["ts"]
        found = [m for m in self._channel(args) if root in (m["ts"], m.get("thread_ts"))]
        if not found:
            raise Refusal("thread_not_found")
        inclusive = args.get("inclusive") in (True, "1", "true")
        oldest, latest = args.get("oldest", "0"), args.get("latest", "9")
        found = [
            m
            for m in found
            if m["ts"] == root or oldest < m["ts"] < latest or (inclusive and m["ts"] in (oldest, latest))
        ]
        start, limit = int(args.get("cursor") or 0), int(args.get("limit") or 1000)
        page = found[start : start + limit]
        if args.get("include_all_metadata") not in (True, "1", "true"):
            page = [{name: value for name, value in m.items() if name != "metadata"} for m in page]
        more = str(start + limit) if start + limit < len(found) else ""
        return {"messages": page, "has_more": bool(more), "response_metadata": {"next_cursor": more}}

    def _chat_postMessage(self, args: Json) -> Json:
        if str(args.get("channel", "")).startswith("U"):  # a person: their direct messages
            args = {**args, "channel": f"D{args['channel'][1:]}"}
            self.channels.setdefault(args["channel"], [])
            self.members.add(args["channel"])
        self._check_writable(args)
        if args.get("markdown_text") and (args.get("text") or args.get("blocks")):
            raise Refusal("markdown_text_conflict")
        if not (args.get("text") or args.get("blocks") or args.get("markdown_text")):
            raise Refusal("no_text")
        message = self._new(args, text=(args.get("text") or "")[:40_000])
        self._write(message, args)
        return {"channel": args["channel"], "ts": message["ts"], "message": message}

    def _chat_update(self, args: Json) -> Json:
        message = self._own(args)
        if self.is_open(message["ts"]):
            raise Refusal("streaming_state_conflict")
        if len(args.get("text") or "") > 4_000:
            raise Refusal("msg_too_long")
        if not (args.get("text") or args.get("blocks")):
            raise Refusal("no_text")
        file_ids = args.get("file_ids") or []
        file_ids = file_ids.split(",") if isinstance(file_ids, str) else file_ids
        if any("title" not in self.uploads.get(file_id, {}) for file_id in file_ids):
            raise Refusal("file_not_found")
        if file_ids:
            message["files"] = [self.uploads[file_id] for file_id in file_ids]
        message.pop("stream", None)
        message["text"] = args.get("text") or ""
        self._write(message, args)
        return {"channel": args["channel"], "ts": message["ts"], "text": message["text"]}

    def _chat_delete(self, args: Json) -> Json:
        message = self._own(args)
        self.channels[args["channel"]].remove(message)
        return {"channel": args["channel"], "ts": message["ts"]}

    def _chat_startStream(self, args: Json) -> Json:
        if not self.streams:
            raise Refusal("unknown_method")
        self._check_writable(args)
        if not args.get("thread_ts"):
            raise Refusal("invalid_arguments")
        if not args["channel"].startswith("D"):
            for name in ("recipient_team_id", "recipient_user_id"):
                if not args.get(name):
                    raise Refusal(f"missing_{name}")
            if args["recipient_user_id"][0] not in "UW" or args["recipient_user_id"] in self.bots:
                raise Refusal("user_not_found")
        message = self._new(args, text="", stream=args.get("markdown_text") or "")
        self._open[message["ts"]] = time.monotonic()
        return {"channel": args["channel"], "ts": message["ts"]}

    def _chat_appendStream(self, args: Json) -> Json:
        message = self._own(args)
        if not args.get("markdown_text"):
            raise Refusal("no_text")
        self._grow(message, args)
        self._open[message["ts"]] = time.monotonic()
        return {"channel": args["channel"], "ts": message["ts"]}

    def _chat_stopStream(self, args: Json) -> Json:
        message = self._own(args)
        if args.get("session_status") not in (None, "active", "processing", "suspended", "closed"):
            raise Refusal("invalid_arguments")
        if args.get("blocks"):
            _check_blocks(args["blocks"])
        self._grow(message, args)
        del self._open[message["ts"]]
        message["stream_blocks"] = args.get("blocks") or []
        if args.get("metadata"):
            message["metadata"] = args["metadata"]
        return {"channel": args["channel"], "ts": message["ts"], "message": message}

    def _files_getUploadURLExternal(self, args: Json) -> Json:
        if not args.get("filename") or int(args.get("length", 0)) <= 0:
            raise Refusal("missing_argument")
        file_id = f"FUP{len(self.uploads):04d}"
        self.uploads[file_id] = {"id": file_id, "name": args["filename"], "length": int(args["length"])}
        return {"file_id": file_id}  # the server adds the address

    def _files_completeUploadExternal(self, args: Json) -> Json:
        done = []
        for file in args["files"]:
            known = self.uploads.get(file["id"])
            if known is None or len(known.get("data", b"")) != known["length"]:
                raise Refusal("file_not_found")
            known["title"] = file["title"]
            done.append({"id": file["id"], "title": file["title"]})
        return {"files": done}

    def _assistant_threads_setStatus(self, args: Json) -> Json:
        if not self.status_line:
            raise Refusal("not_allowed")
        self._channel({"channel": args["channel_id"]})
        if not args.get("thread_ts"):
            raise Refusal("invalid_thread_ts")
        self.statuses.append((args["thread_ts"], args["status"]))
        self.line[args["thread_ts"]] = args["status"]
        return {}

    def _agents_sessions_setStatus(self, args: Json) -> Json:
        if not self.agent:
            raise Refusal("not_allowed")
        if args["status"] not in ("active", "processing", "suspended", "closed"):
            raise Refusal("invalid_arguments")
        if str(args.get("initiator_user_id") or "U")[0] not in "UW":
            raise Refusal("user_not_found")
        self.sessions[args["channel_id"], args["thread_ts"]] = args["status"]
        return {"status": args["status"]}

    def _reactions_add(self, args: Json) -> Json:
        self._channel(args)
        ts = self.find(args["channel"], args["timestamp"])["ts"]
        if ts in self.reactions:
            raise Refusal("already_reacted")
        self.reactions[ts] = args["name"]
        self.reacted.append(ts)
        return {}

    def _reactions_remove(self, args: Json) -> Json:
        self._channel(args)
        if self.reactions.pop(self.find(args["channel"], args["timestamp"])["ts"], None) != args["name"]:
            raise Refusal("no_reaction")
        return {}

    def _views_open(self, args: Json) -> Json:
        if time.monotonic() > self.triggers.get(args["trigger_id"], 0):
            raise Refusal("expired_trigger_id")
        if len(args["view"].get("private_metadata", "")) > 3000 or len(args["view"]["title"]["text"]) > 24:
            raise Refusal("invalid_arguments")
        view = {**args["view"], "id": f"V{len(self.views)}"}
        self.views.append(view)
        return {"view": view}

    # Rules

    def _channel(self, args: Json) -> list[Json]:
        if args.get("channel") not in self.channels or args["channel"] not in self.members:
            raise Refusal("channel_not_found")
        return self.channels[args["channel"]]

    def _check_writable(self, args: Json) -> None:
        if args.get("channel") in self.channels and args["channel"] not in self.members:
            raise Refusal("not_in_channel")
        thread = args.get("thread_ts")
        if thread and thread not in {m["ts"] for m in self._channel(args)}:
            raise Refusal("cannot_reply_to_message")
        if args.get("blocks"):
            _check_blocks(args["blocks"])

    def _own(self, args: Json) -> Json:
        self._channel(args)
        message = self.find(args["channel"], args["ts"])
        if message["user"] != BOT:
            raise Refusal("cant_update_message")
        if args.get("blocks"):
            _check_blocks(args["blocks"])
        return message

    def _new(self, args: Json, **content: str) -> Json:
        message = {"type": "message", "user": BOT, "bot_id": BOT_ID, "app_id": APP, "ts": self.ts(), **content}
        if args.get("thread_ts"):
            message["thread_ts"] = args["thread_ts"]
        self.channels[args["channel"]].append(message)
        self.line.pop(args.get("thread_ts", ""), None)
        self.posted.append((time.monotonic(), args["channel"]))
        return message

    def _write(self, message: Json, args: Json) -> None:
        for name in ("blocks", "metadata"):
            if args.get(name):
                message[name] = args[name]
        if not args.get("blocks"):
            message.pop("blocks", None)
        if args.get("markdown_text"):
            message["stream"] = args["markdown_text"]

    def _grow(self, message: Json, args: Json) -> None:
        if message["ts"] in self._stopped:
            raise Refusal("stopped_by_user")
        if not self.is_open(message["ts"]):
            raise Refusal("message_not_in_streaming_state")
        text = args.get("markdown_text") or ""
        if len(text) > 12_000 or len(message["stream"]) + len(text) > 13_000:
            raise Refusal("msg_too_long")
        message["stream"] += text
        message["text"] = message["stream"]


def said(message: Json) -> str:
    """The Markdown that people read in a message."""
    blocks = [b["text"] for b in message.get("blocks", ()) if b["type"] == "markdown"]
    return str("".join(blocks) or message.get("stream") or message["text"])


def buttons(message: Json) -> list[Json]:
    blocks = [*message.get("blocks", ()), *(message.get("stream_blocks", ()) if "stream" in message else ())]
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


def _check_blocks(blocks: list[Json]) -> None:
    if len(blocks) > 50:
        raise Refusal("msg_blocks_too_many")
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > 12_000:
        raise Refusal("msg_blocks_too_long")
    for block in blocks:
        if block["type"] == "markdown" and not block["text"]:
            raise Refusal("invalid_blocks")
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            if len(element["value"]) > 2000 or len(element["text"]["text"]) > 75 or not element["action_id"]:
                raise Refusal("invalid_blocks")

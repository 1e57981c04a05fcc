"""The tests' own Slack on loopback: Web API, files, Events API with signatures, Socket Mode over a real WebSocket.

`person` methods do what people do. Everything that a bot has to stand can be switched on: slowness, 429, 500 before or
after the effect, deliveries in several copies, connections that drop. `python -m tests.bots.slack.server 8000` runs it.
"""

import asyncio
import hashlib
import hmac
import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
from aiohttp import web

from tests.bots.slack.workspace import APP, BOT, SECRET, TEAM, Json, Refusal, Workspace
from tests.running_time import within

RETRY_LIMIT_S = 2.0  # between two tries; Slack waits minutes
LOGIN_PAGE = "<!DOCTYPE html><html><body>Sign in to Slack</body></html>"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one call: `busy` is HTTP 429, `before` and `after` (its effect) HTTP 500, `cut` after it.

    A file may come `short`, or a web `page` instead of it.
    """

    kind: str
    seconds: float = 0.0  # of a slow answer, or Retry-After


@dataclass
class FakeSlack:
    """`http_url` makes it deliver there, not over WebSockets. `ack_s` is how long it waits for an acknowledgement.

    That counts while the machine runs, see `tests.running_time`. `trigger_s` is how long a window may be opened after
    what calls for it: Slack's three seconds are too few for a busy machine.
    """

    workspace: Workspace = field(default_factory=Workspace)
    fault: Callable[[str], Fault | None] = lambda method: None
    http_url: str | None = None
    ack_s: float = 3.0
    trigger_s: float = 60.0
    retry_s: float = 0.1
    copies: int = 1
    mention_carries_files: bool = False
    tells_who_began: bool = True
    acks: list[float] = field(default_factory=list)  # seconds
    retries: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    refuse_sockets: bool = False
    redirect_files: str | None = None
    limits: Callable[[str], float] = lambda method: 0.0  # seconds to wait, for HTTP 429
    heard: Callable[[str, Json], None] = lambda method, args: None  # told of every call that was done
    held: list[tuple[str, Json]] | None = None  # where deliveries are collected instead, as (kind, payload)
    told: list[Json] = field(default_factory=list)  # what acknowledgements carried along
    tls: ssl.SSLContext | None = None

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/files/{id}/{name}", self._file)
        app.router.add_post("/upload/{id}", self._upload)
        app.router.add_get("/login", self._login)
        app.router.add_get("/socket", self._socket)
        self.runner = web.AppRunner(app, shutdown_timeout=0.01, access_log=None)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", port, ssl_context=self.tls)
        await site.start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._sockets: list[web.WebSocketResponse] = []
        self._tickets: set[str] = set()
        self._waiting: dict[str, asyncio.Future[float]] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        for task in self._deliveries:
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        for socket in list(self._sockets):
            await socket.close()
        await self._session.close()
        await self.runner.cleanup()

    async def __aenter__(self) -> "FakeSlack":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    # What people do

    def upload(self, data: bytes, name: str = "photo.png", mimetype: str = "image/png", **more: Any) -> Json:
        """A file that a message can carry."""
        file_id = f"F{len(self.workspace.files) + len(self.workspace.deleted_files):05d}"
        url = f"{self.url}/files/{file_id}/{name}"
        file: Json = {"id": file_id, "name": name, "mimetype": mimetype, "size": len(data), "mode": "hosted"}
        file |= {"filetype": name.rpartition(".")[2], "url_private": url, "url_private_download": url, **more}
        self.workspace.files[file_id] = file
        self.workspace.contents[file_id] = data
        return file

    def says(
        self,
        text: str,
        files: tuple[Json, ...] = (),
        channel: str = "C0GENERAL",
        thread: str | None = None,
        user: str | None = "U0ANN",
        deliver: bool = True,
        **more: Any,
    ) -> str:
        """Somebody writes a message; returns its `ts`. The bot hears of it as Slack tells it. A workflow is no user."""
        message: Json = {"type": "message", "user": user, "team": TEAM, "text": text, "ts": self.workspace.ts(), **more}
        if user is None:
            del message["user"], message["team"]
            message = {"subtype": "bot_message", "username": "Daily picture", **message}
        if thread:
            message["thread_ts"] = thread
            began = [m.get("user") for m in self.workspace.channels[channel] if m["ts"] == thread]
            if self.tells_who_began and began and began[0]:
                message["parent_user_id"] = began[0]
        if files:
            message = {"subtype": "file_share"} | message | {"files": [self._as_sent(file) for file in files]}
        self.workspace.channels[channel].append(message)
        if not deliver:
            return str(message["ts"])
        where = {"channel": channel, "channel_type": "im" if channel.startswith("D") else "channel"}
        if f"<@{BOT}>" in text and not channel.startswith("D"):
            hidden = () if self.mention_carries_files else ("files", "subtype")
            mention = {name: value for name, value in message.items() if name not in hidden}
            self.tell({**mention, "type": "app_mention", "channel": channel})
        self.tell({**message, **where})
        return str(message["ts"])

    def _as_sent(self, file: Json) -> Json:
        if file["id"] in self.workspace.hidden:
            return {"id": file["id"], "mode": "file_access", "file_access": "check_file_info"}
        return file

    def edits(self, channel: str, ts: str, text: str, tell: bool = True, after_s: int = 0) -> None:
        message = self.workspace.find(channel, ts)
        before = dict(message)
        message["text"] = text
        second = int(float(self.workspace.ts())) + after_s
        message["edited"] = {"user": message.get("user") or message["bot_id"], "ts": f"{second}.000000"}
        event = {"type": "message", "subtype": "message_changed", "channel": channel, "message": dict(message)}
        if tell:
            self.tell({**event, "ts": self.workspace.ts(), "event_ts": self.workspace.ts(), "previous_message": before})

    def deletes_message(self, channel: str, ts: str, tell: bool = True) -> None:
        message = self.workspace.find(channel, ts)
        self.workspace.channels[channel].remove(message)
        event = {"type": "message", "subtype": "message_deleted", "channel": channel, "deleted_ts": ts}
        if not tell:
            return
        self.tell({**event, "ts": self.workspace.ts(), "event_ts": self.workspace.ts(), "previous_message": message})

    def deletes_file(self, file_id: str, tell: bool = True) -> None:
        """In messages a stub is left, which says no more than that."""
        del self.workspace.files[file_id], self.workspace.contents[file_id]
        self.workspace.deleted_files.add(file_id)
        for message in (message for messages in self.workspace.channels.values() for message in messages):
            stub = {"id": file_id, "mode": "tombstone"}
            if "files" in message and message.get("user") != BOT:
                message["files"] = [stub if file["id"] == file_id else file for file in message["files"]]
        if not tell:
            return
        self.tell({"type": "file_deleted", "file_id": file_id, "event_ts": self.workspace.ts()})

    def reacts(self, reaction: str, message: Json, channel: str = "C0GENERAL", kind: str = "reaction_added") -> None:
        event = {"type": kind, "user": "U0ANN", "reaction": reaction, "item_user": message["user"]}
        item = {"type": "message", "channel": channel, "ts": message["ts"]}
        self.tell({**event, "item": item, "event_ts": self.workspace.ts()})

    def stops_session(self, channel: str, thread: str, user: str = "U0ANN") -> None:
        stopped = self.workspace.stop_streams(channel, thread)
        event = {"type": "agent_session_stopped", "channel": channel, "thread_ts": thread, "user": user}
        self.tell({**event, "event_ts": self.workspace.ts(), "streaming_message_ts": stopped})

    def presses(self, button: Json, message: Json, channel: str = "C0GENERAL", user: str = "U0ANN") -> None:
        action = {**button, "type": "button", "action_ts": self.workspace.ts(), "block_id": "b"}
        body = {"type": "block_actions", "actions": [action], "message": message, "channel": {"id": channel}}
        body |= {"container": {"type": "message", "message_ts": message["ts"], "channel_id": channel}}
        self._interact({**body, "user": {"id": user, "team_id": TEAM}})

    def opens_shortcut(self, message: Json, channel: str = "C0GENERAL", user: str = "U0ANN") -> None:
        body = {"type": "message_action", "callback_id": "ask_about_picture", "message": message}
        self._interact({**body, "channel": {"id": channel}, "user": {"id": user, "team_id": TEAM}})

    def submits(self, view: Json, text: str, user: str = "U0ANN") -> None:
        state = {"values": {"question": {"text": {"type": "plain_text_input", "value": text}}}}
        self._interact(
            {"type": "view_submission", "view": {**view, "state": state}, "user": {"id": user, "team_id": TEAM}}
        )

    # Deliveries

    def tell(self, event: Json, copies: int | None = None) -> None:
        envelope: Json = {"type": "event_callback", "team_id": TEAM, "api_app_id": APP, "event": event}
        envelope |= {"event_id": f"Ev{uuid4().hex}", "event_time": int(time.time())}
        place = (event.get("channel"), event.get("thread_ts") or event.get("ts"))
        for _ in range(copies or self.copies):
            self.sends("events_api", envelope, str(place))

    def _interact(self, body: Json) -> None:
        trigger = uuid4().hex
        self.workspace.triggers[trigger] = time.monotonic() + self.trigger_s
        body = {**body, "trigger_id": trigger, "team": {"id": TEAM}, "api_app_id": APP}
        self.sends("interactive", body)

    def sends(self, kind: str, payload: Any, name: str | None = None) -> None:
        """Whatever it is. `kind` is events_api or interactive."""
        if self.held is not None:
            self.held.append((kind, payload))
            return
        self._begin(self._deliver(kind, payload), name)

    def undelivered(self, channel: str, thread: str) -> bool:
        """Whether something of a thread is not acknowledged yet."""
        return any(task.get_name() == str((channel, thread)) for task in self._deliveries)

    def _begin(self, work: Coroutine[Any, Any, None], name: str | None = None) -> None:
        task = asyncio.create_task(work, name=name)
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def settled(self) -> None:
        """Until everything that was to be delivered is acknowledged."""
        while self._deliveries:
            await asyncio.wait(self._deliveries)

    async def _deliver(self, kind: str, payload: Any) -> None:
        """Again and again until it is acknowledged, as the retries of a patient Slack."""
        attempt = 0
        while True:
            began = time.monotonic()
            send = self._post if self.http_url else self._send
            if await send(kind, payload, attempt):
                self.acks.append(time.monotonic() - began)
                return
            attempt += 1
            self.retries[kind] += 1
            await asyncio.sleep(min(self.retry_s * 2 ** min(attempt, 10), RETRY_LIMIT_S))

    async def _send(self, kind: str, payload: Any, attempt: int) -> bool:
        sockets = [socket for socket in self._sockets if _is_alive(socket)]
        if not sockets:
            return False
        envelope = uuid4().hex
        acknowledged = self._waiting[envelope] = asyncio.get_running_loop().create_future()
        message = {"envelope_id": envelope, "type": kind, "payload": payload, "accepts_response_payload": True}
        if kind == "events_api":
            message |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
        try:
            await sockets[-1].send_json(message)
            await within(self.ack_s, acknowledged)
        except (TimeoutError, ConnectionError):
            return False
        finally:
            del self._waiting[envelope]
        return True

    async def _post(self, kind: str, payload: Any, attempt: int, secret: str = SECRET) -> bool:
        assert self.http_url
        body = json.dumps(payload)
        headers = {"Content-Type": "application/json"}
        if kind == "interactive":
            body = urlencode({"payload": body})
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if attempt:
            headers |= {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": "http_timeout"}
        headers |= signed(body, secret)
        try:
            return await within(self.ack_s, self._post_once(self.http_url, body, headers))
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _post_once(self, url: str, body: str, headers: dict[str, str]) -> bool:
        async with self._session.post(url, data=body.encode(), headers=headers) as answer:
            if answer.content_type == "application/json" and (words := await answer.text()):
                self.told.append(json.loads(words))
            return answer.status == 200

    async def drop_sockets(self, warn: bool = False) -> None:
        """With `warn`, Slack says that it will, and leaves the rest to the bot."""
        for socket in list(self._sockets):
            if warn:
                await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})
            elif socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()

    async def connected(self) -> None:
        while not any(map(_is_alive, self._sockets)):
            await asyncio.sleep(0.01)

    # The wire

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        fault = self.fault(method)
        if fault:
            self.faults[fault.kind] += 1
        if not fault and (seconds := self.limits(method)):
            fault = Fault("busy", seconds + 1)
        if fault and fault.kind == "busy":
            headers = {"Retry-After": f"{fault.seconds:.0f}"}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        if fault and fault.kind == "before":
            return web.Response(status=500, text="oops")
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        answer = await self._answer(method, request)
        if fault and fault.kind == "after":
            return web.Response(status=503, text="oops", content_type="text/html")
        if fault and fault.kind == "cut" and request.transport is not None:
            request.transport.close()
        body = json.dumps(answer, default=lambda data: f"{len(data)} bytes")  # of a file, which Slack does not tell
        headers = {"x-oauth-scopes": ",".join(self.workspace.scopes)}
        return web.Response(text=body, content_type="application/json", headers=headers)

    async def _answer(self, method: str, request: web.Request) -> Json:
        args = await _arguments(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or args.pop("token", "")
        try:
            answer = self.workspace.call(method, token, args)
            self.heard(method, args)
        except Refusal as refusal:
            self.workspace.refusals[f"{method} {refusal}"] += 1
            return refusal.answer
        if method == "apps.connections.open":
            ticket = uuid4().hex
            self._tickets.add(ticket)
            answer["url"] = f"{self.url.replace('http', 'ws')}/socket?ticket={ticket}"
        if method == "files.getUploadURLExternal":
            answer["upload_url"] = f"{self.url}/upload/{answer['file_id']}"
        return answer

    async def _upload(self, request: web.Request) -> web.Response:
        fault = self.fault("upload")
        if fault and fault.kind != "slow":
            return web.Response(status=500, text="oops")
        self.workspace.uploads[request.match_info["id"]]["data"] = await request.read()
        return web.Response(text="OK")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file_id = request.match_info["id"]
        fault = self.fault("file")
        if fault:
            self.faults[f"file {fault.kind}"] += 1
            if fault.kind in ("before", "after", "cut"):
                return web.Response(status=500, text="oops")
            if fault.kind == "busy":
                return web.Response(status=429, headers={"Retry-After": f"{fault.seconds:.0f}"})
        if self.redirect_files:
            raise web.HTTPFound(self.redirect_files)
        good = request.headers.get("Authorization") == f"Bearer {self.workspace.token}"
        if not good or "files:read" not in self.workspace.scopes:
            raise web.HTTPFound("/login?redir=/files")
        if file_id not in self.workspace.contents:
            raise web.HTTPNotFound
        body = self.workspace.contents[file_id]
        if fault and fault.kind == "short":
            body = body[: len(body) // 2]
        if fault and fault.kind == "page":
            return web.Response(text=LOGIN_PAGE, content_type="text/html")
        return web.Response(body=body, content_type=self.workspace.files[file_id]["mimetype"])

    async def _login(self, _: web.Request) -> web.Response:
        return web.Response(text=LOGIN_PAGE, content_type="text/html")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets or self.refuse_sockets:
            raise web.HTTPForbidden
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self._sockets.append(socket)
        self.connections += 1
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    answer = json.loads(message.data)
                    if answer.get("payload"):
                        self.told.append(answer["payload"])
                    waiting = self._waiting.get(answer.get("envelope_id", ""))
                    if waiting and not waiting.done():
                        waiting.set_result(time.monotonic())
        finally:
            self._sockets.remove(socket)
        return socket


def once(method: str, kind: str, count: int = 1, seconds: float = 0.0) -> Callable[[str], Fault | None]:
    """That fault for the first calls of the method."""
    left = [count]

    def fault(called: str) -> Fault | None:
        if called != method or not left[0]:
            return None
        left[0] -= 1
        return Fault(kind, seconds)

    return fault


def _is_alive(socket: web.WebSocketResponse) -> bool:
    transport = socket._req.transport if socket._req is not None else None
    return not socket.closed and transport is not None and not transport.is_closing()


def signed(body: str, secret: str = SECRET, age_s: float = 0.0) -> dict[str, str]:
    moment = str(int(time.time() - age_s))
    digest = hmac.new(secret.encode(), f"v0:{moment}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": f"v0={digest}"}


async def _arguments(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return dict(await request.json())
    args: Json = {**request.query, **await request.post()}
    for name in {"view", "blocks", "metadata", "files"} & args.keys():  # JSON inside a form
        args[name] = json.loads(args[name])
    return args


async def _main(port: int) -> None:
    slack = FakeSlack()
    await slack.start(port)
    print(slack.api_url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import sys

    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))

"""Provide our own Bot API server on loopback: the real wire format in front of a `World`, with faults on request.

It runs inside a test's event loop, or in another process for a service there: `async with BotApi() as telegram`.
"""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from aiohttp import web

from tests.bots.telegram.world import BOT, Json, Refusal, World, refuse, shown

TOKEN = "4242:THE-SECRET-TOKEN-OF-THE-TESTS"
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
DOWNLOAD_LIMIT = 20 << 20  # bytes
Fault = Literal[
    "400", "401", "404", "429", "500", "garbage", "hang", "drop before", "drop after", "a list", "no result", "no list",
    "a part", "a page", "late",
]  # fmt: skip

# Parameters of the methods that the bot calls; * is required. Source: https://core.telegram.org/bots/api (10.3)
_RIGHTS = (
    "can_be_edited is_anonymous can_manage_chat can_delete_messages can_manage_video_chats can_restrict_members "
    "can_promote_members can_change_info can_invite_users can_post_stories can_edit_stories can_delete_stories"
)
ADMIN_RIGHTS = dict.fromkeys(_RIGHTS.split(), True)
METHODS = {
    "getChatMember": "chat_id* user_id*",
    "getMe": "",
    "getUpdates": "offset limit timeout allowed_updates",
    "setWebhook": "url* certificate ip_address max_connections allowed_updates drop_pending_updates secret_token",
    "deleteWebhook": "drop_pending_updates",
    "getWebhookInfo": "",
    "sendMessage": "chat_id* message_thread_id text* parse_mode entities link_preview_options disable_notification "
    "protect_content reply_parameters reply_markup",
    "sendPhoto": "chat_id* message_thread_id photo* caption reply_parameters reply_markup",
    "sendDocument": "chat_id* message_thread_id document* caption reply_parameters reply_markup",
    "sendMessageDraft": "chat_id* message_thread_id draft_id* text parse_mode entities",
    "editMessageText": "chat_id message_id inline_message_id text parse_mode entities link_preview_options "
    "reply_markup",
    "editMessageReplyMarkup": "chat_id message_id inline_message_id reply_markup",
    "deleteMessage": "chat_id* message_id*",
    "sendChatAction": "chat_id* message_thread_id action*",
    "answerCallbackQuery": "callback_query_id* text show_alert url cache_time",
    "getFile": "file_id*",
    "setMessageReaction": "chat_id* message_id* reaction is_big",
    "setMyCommands": "commands* scope language_code",
    "editMessageMedia": "business_connection_id chat_id message_id inline_message_id media* reply_markup",
}


class BotApi:
    """The server. `trouble` decides before each call what fails; `calls` counts methods, `faults` counts failures."""

    def __init__(
        self, strict: bool = True, hang_s: float = 30.0, late_s: float = 1.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.world = World(strict)
        self._tls = tls
        self.copies = 1  # of each update that is delivered
        self.calls: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.untold: set[tuple[int, int]] = set()  # chats and messages whose post, or edit, got no reply
        self.trouble: Callable[[str], Fault | None] = lambda method: None
        self.token_is_good = True
        self.bot_to_bot = False  # @BotFather's mode: bots hear bots
        self.another_poller = False
        self.commands: dict[str, list[Json]] = {}
        self.webhook: Json = {}
        self.posts = True  # whether Telegram itself posts what it has
        self.posts_to = ""  # where a webhook's public address leads to
        self.posted: list[tuple[int, int]] = []  # ids of updates, and the status that each was answered with
        self.callback_answers: list[Json] = []
        self.requests: list[tuple[str, Json]] = []
        self._hang_s, self._late_s = hang_s, late_s
        self._updates: list[Json] = []
        self._raw: dict[int, str] = {}  # updates as they are sent, where that is no JSON
        self.confirms = True  # whether updates below the offset are dropped
        self.conflicts = 0  # polls that another one ended
        self._polls = 0
        self._next_update = 1000
        self._arrived = asyncio.Event()
        self.port = 0

    async def __aenter__(self) -> "BotApi":
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/bot{token}/{method}", self._answer)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        self.runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self.runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # What people do

    def update(self, twice: bool = False, **content: Any) -> int:
        """Queue an update and return its id. Telegram may deliver one twice."""
        self._next_update += 1
        update = {"update_id": self._next_update, **json.loads(json.dumps(content))}
        self._updates += [update] * (2 if twice else self.copies)
        self._arrived.set()
        return self._next_update

    def raw_update(self, text: str) -> int:
        """Queue an update given as text, with a %d for its id."""
        update_id = self.update()
        self._raw[update_id] = text.replace("%d", str(update_id))
        return update_id

    async def post_updates(self) -> None:
        """Post updates to the webhook at `posts_to`, and repeat each until it is accepted."""
        async with httpx.AsyncClient(verify=False) as client:  # as it reads no certificates, it is there at once
            while True:
                await asyncio.sleep(0.01)
                if not (self.posts and self.webhook and self._updates):
                    continue
                self._drop_unwanted(self.webhook["allowed_updates"])
                if not self._updates:
                    continue
                update = self._updates[0]
                headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook["secret_token"]}
                text = self._raw.get(update["update_id"]) or json.dumps(update)
                address = self.posts_to + urlsplit(self.webhook["url"]).path
                answer = await client.post(address, content=text, headers=headers, timeout=30)
                self.posted.append((update["update_id"], answer.status_code))
                if answer.is_success:
                    self._updates.pop(0)
                else:
                    await asyncio.sleep(0.1)

    def take_update(self) -> Json:
        """Return the oldest update, to post it to a webhook."""
        return self._updates.pop(0)

    def repeat(self, update: Json) -> None:
        """Queue an update again, as it was."""
        self._updates.append(update)
        self._arrived.set()

    @property
    def unconfirmed(self) -> int:
        return len(self._updates)

    # The wire

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls[method] += 1
        fault = self.trouble(method)
        if fault:
            self.faults[fault] += 1
        if (early := await self._fail_early(fault, request)) is not None:
            return early
        try:
            if not self.token_is_good or request.match_info["token"] != TOKEN:
                raise Refusal(401, "Unauthorized")
            parameters = await _parameters(request)
            _check(method, parameters)
            self.requests.append((method, parameters))
            result = await getattr(self, f"_{method}")(parameters)
        except Refusal as refusal:
            body: Json = {"ok": False, "error_code": refusal.code, "description": refusal.description}
            if refusal.parameters:
                body["parameters"] = refusal.parameters
            return web.json_response(body, status=refusal.code)
        if fault == "late":
            await asyncio.sleep(self._late_s)
        if fault == "drop after" or request.transport is None or request.transport.is_closing():
            if isinstance(result, dict) and "message_id" in result:
                self.untold.add((int(parameters["chat_id"]), result["message_id"]))
            return _drop(request)
        if method == "getUpdates" and self._raw:
            texts = [self._raw.get(update["update_id"]) or json.dumps(update) for update in result]
            return web.Response(text='{"ok": true, "result": [' + ", ".join(texts) + "]}")
        return web.json_response({"ok": True, "result": result})

    async def _fail_early(self, fault: Fault | None, request: web.Request) -> web.StreamResponse | None:
        match fault:
            case "429":
                body = {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 1"}
                return web.json_response({**body, "parameters": {"retry_after": 1}}, status=429)
            case "400" | "401" | "404":
                body = {"ok": False, "error_code": int(fault), "description": "Bad Request: something new"}
                return web.json_response(body, status=int(fault))
            case "a list":
                return web.json_response([])
            case "no result":
                return web.json_response({"ok": True, "description": "not Telegram"})
            case "no list":
                return web.json_response({"ok": True, "result": {"not": "Telegram"}})
            case "500":
                return web.json_response({"ok": False, "error_code": 500, "description": "Internal"}, status=500)
            case "garbage":
                return web.Response(text="<html>Bad gateway</html>", status=502)
            case "hang":
                await asyncio.sleep(self._hang_s)
                return _drop(request)
            case "drop before":
                return _drop(request)
        return None

    async def _download(self, request: web.Request) -> web.StreamResponse:
        self.calls["download"] += 1
        fault = self.trouble("download")
        if fault:
            self.faults[fault] += 1
            if (early := await self._fail_early(fault, request)) is not None:
                return early
        data = self.world.files.get(request.match_info["path"].removeprefix("photos/"))
        if data is None or request.match_info["token"] != TOKEN:
            return web.Response(status=404, text='{"ok":false,"error_code":404,"description":"Not Found"}')
        if fault == "a page":
            return web.Response(text="\n<!DOCTYPE html><html><body>Sign in</body></html>", content_type="text/html")
        return web.Response(body=data[: len(data) // 2] if fault == "a part" else data)

    # The methods

    async def _getMe(self, _: Json) -> Json:
        return BOT

    async def _getUpdates(self, parameters: Json) -> list[Json]:
        if self.another_poller:
            raise Refusal(409, CONFLICT)
        self._polls += 1
        number = self._polls
        self._arrived.set()  # ends an earlier poll that waits
        self._drop_unwanted(parameters.get("allowed_updates"))
        offset = int(parameters.get("offset") or 0)
        if self.confirms:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
        end = asyncio.get_running_loop().time() + float(parameters.get("timeout") or 0)
        while not self._updates and (left := end - asyncio.get_running_loop().time()) > 0:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                break
            if self._polls != number:
                self.conflicts += 1
                raise Refusal(409, CONFLICT)
            self._drop_unwanted(parameters.get("allowed_updates"))
        return self._updates[:100]

    def _drop_unwanted(self, allowed: list[str] | None) -> None:
        """Drop kinds of updates that were not requested, as Telegram does."""
        known = {"edited_message", "channel_post", "edited_channel_post", "my_chat_member", "poll_answer"}
        unwanted = known - set(allowed or known)
        self._updates = [update for update in self._updates if not unwanted & update.keys()]

    async def _setWebhook(self, parameters: Json) -> bool:
        self.webhook = parameters
        return True

    async def _deleteWebhook(self, _: Json) -> bool:
        self.webhook = {}
        return True

    async def _getWebhookInfo(self, _: Json) -> Json:
        return {"url": self.webhook.get("url", ""), "has_custom_certificate": False, "pending_update_count": 0}

    async def _sendMessage(self, p: Json) -> Json:
        return shown(self.world.send(p["chat_id"], p["text"], p.get("entities") or (), p))

    async def _sendPhoto(self, p: Json) -> Json:
        return shown(self.world.send_media("photo", p["photo"], p))

    async def _sendDocument(self, p: Json) -> Json:
        return shown(self.world.send_media("document", p["document"], p))

    async def _sendMessageDraft(self, p: Json) -> bool:
        chat = self.world.find(p["chat_id"])
        if chat.type != "private":
            raise refuse("drafts are for private chats")
        chat.drafts.append(self.world._content(p["text"], p.get("entities") or ())["text"])
        return True

    async def _editMessageText(self, p: Json) -> Json:
        message = self.world.edit(
            p["chat_id"], p["message_id"], p["text"], p.get("entities") or (), p.get("reply_markup")
        )
        return shown(message)

    async def _editMessageReplyMarkup(self, p: Json) -> Json:
        return self.world.edit_markup(p["chat_id"], p["message_id"], p.get("reply_markup"))

    async def _deleteMessage(self, p: Json) -> bool:
        self.world.delete(p["chat_id"], p["message_id"])
        return True

    async def _sendChatAction(self, p: Json) -> bool:
        self.world.find(p["chat_id"])
        return True

    async def _setMessageReaction(self, p: Json) -> bool:
        self.world.react(p["chat_id"], p["message_id"], [each["emoji"] for each in p.get("reaction") or ()])
        return True

    async def _answerCallbackQuery(self, p: Json) -> bool:
        if len(p.get("text") or "") > 200:
            raise refuse("MESSAGE_TOO_LONG")
        self.callback_answers.append(p)
        return True

    async def _getFile(self, p: Json) -> Json:
        data = self.world.files.get(p["file_id"])
        if data is None:
            raise refuse("wrong file_id or the file is temporarily unavailable")
        if len(data) > DOWNLOAD_LIMIT:
            raise refuse("file is too big")
        file_id = p["file_id"]
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": len(data), "file_path": f"photos/{file_id}"}

    async def _getChatMember(self, p: Json) -> Json:
        status = "administrator" if p["user_id"] in self.world.find(p["chat_id"]).admins else "member"
        user = {"id": p["user_id"], "is_bot": False, "first_name": "Ann"}
        rights = ADMIN_RIGHTS if status == "administrator" else {}
        return {"status": status, "user": user, **rights}

    async def _setMyCommands(self, p: Json) -> bool:
        chat = (p.get("scope") or {}).get("chat_id", "")
        self.commands[f"{p.get('language_code') or ''}{chat}"] = p["commands"]
        return True

    async def _editMessageMedia(self, p: Json) -> Json:
        media = p["media"]
        name, data = p[media["media"].removeprefix("attach://")]
        return self.world.edit_media(p["chat_id"], p["message_id"], media["type"], name, data, media.get("caption", ""))


async def _parameters(request: web.Request) -> Json:
    """Return the parameters of a form, which has JSON in its fields, and files."""
    fields: Json = {}
    files: Json = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            files[name] = (value.filename, value.file.read())
            value.file.close()
        else:
            fields[name] = _value(name, str(value))
    return fields | files


def _value(name: str, text: str) -> Any:
    if name in ("text", "caption", "file_id", "callback_query_id", "secret_token", "url", "language_code", "action"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _check(method: str, parameters: Json) -> None:
    if method not in METHODS:
        raise Refusal(404, "Not Found: method not found")
    names = METHODS[method].split()
    for name in names:
        if name.endswith("*") and name[:-1] not in parameters:
            raise refuse(f"{name[:-1]} is missing")
    uploads = {name for name, value in parameters.items() if isinstance(value, tuple)}
    if unknown := parameters.keys() - uploads - {name.rstrip("*") for name in names}:
        raise refuse(f"{method} has no parameters {sorted(unknown)}")


def _drop(request: web.Request) -> web.Response:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()

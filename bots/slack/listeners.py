"""What Bolt calls for each event. A listener decides, writes the event down and returns; only then is Slack told."""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bots.draft import Later, Refused
from bots.extras import Offer
from bots.house import House
from bots.slack.api import SlackApi
from bots.slack.clerk import Clerk
from bots.slack.config import Config
from bots.slack.message import Json, Message, addresses_somebody, command_of, payload, removed_files
from bots.slack.status import Place
from bots.slack.text import plain
from core.errors import OperatorError
from core.voice import Voice

log = logging.getLogger(__name__)
SHORTCUT = "ask_about_picture"
THUMBS = {"+1": 1, "thumbsup": 1, "-1": -1, "thumbsdown": -1}


class Listeners:
    """`app` is Bolt's. It acknowledges after the listener by `process_before_response`; its default is before."""

    def __init__(self, config: Config, slack: SlackApi, clerk: Clerk, house: House) -> None:
        self._config = config
        self._slack = slack
        self._clerk = clerk
        self._desk = clerk.desk
        self._house = house
        self._tasks: set[asyncio.Task[Any]] = set()

        async def authorize() -> AuthorizeResult:
            """As `introduce` found it; else Bolt would ask auth.test about every event."""
            return AuthorizeResult(enterprise_id=None, team_id=slack.team, bot_user_id=slack.bot, bot_id=slack.bot_id)

        secret = config.signing_secret.get_secret_value() if config.signing_secret else None
        self.app = AsyncApp(
            name="picture-answers",
            client=slack.bare_client,
            authorize=authorize,
            signing_secret=secret,
            request_verification_enabled=secret is not None,
            process_before_response=True,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
        )
        self._attach(self.app)

    async def close(self) -> None:
        """Let those finish that have begun to write something down."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)

    async def _track(self, next_: Callable[[], Awaitable[None]]) -> None:
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await next_()

    def _attach(self, app: AsyncApp) -> None:
        app.middleware(self._track)
        app.event("app_mention")(self._on_message)
        app.event("message")(self._on_message)
        app.event("file_deleted")(self._on_file_deleted)
        app.event("reaction_added")(self._on_reaction)
        app.event("reaction_removed")(self._on_reaction)
        app.event("agent_session_stopped")(self._on_session_stopped)
        app.action("stop")(self._on_stop)
        for button in ("retry", *Offer):
            app.action(str(button))(self._on_button)
        app.shortcut(SHORTCUT)(self._on_shortcut)
        app.view(SHORTCUT)(self._on_question)
        for anything in (app.event, app.action, app.shortcut, app.view):
            anything(re.compile(".*"))(self._on_anything_else)

    async def _on_message(self, event: Json) -> None:
        if event.get("subtype") in ("message_deleted", "message_changed"):
            await self._on_removed(event)
            return
        message = Message.of(event, self._slack.team)
        if message is None or message.user == self._slack.bot or not await self._is_for_bot(message):
            return
        conversation_id, key = message.conversation(self._slack.team), message.key(self._slack.team)
        written = payload("message", message=asdict(message))
        stops = command_of(plain(message.text, self._slack.bot))[0] == "stop"
        if stops and await self._clerk.may(message) and await self._desk.stop_once(key, conversation_id, written):
            return
        await self._desk.inbox.receive(key, conversation_id, written)

    async def _is_for_bot(self, message: Message) -> bool:
        if message.direct or message.mentions(self._slack.bot):
            return True
        if self._config.threads == "mention" or message.top_level or addresses_somebody(message.text):
            return False
        if not self._clerk.allows(message):  # they talk to others in that thread, and asked for nothing
            return False
        return await self._clerk.takes_part(message.conversation(self._slack.team))

    async def _on_removed(self, event: Json) -> None:
        if not (files := removed_files(event)):
            return
        key = f"slack:removed:{event['channel']}:{event.get('event_ts') or event['ts']}"
        await self._desk.inbox.receive(key, key, payload("removed", files=files))

    async def _on_file_deleted(self, event: Json) -> None:
        key = f"slack:deleted:{event['file_id']}"
        await self._desk.inbox.receive(key, key, payload("removed", files=[event["file_id"]]))

    async def _on_reaction(self, event: Json) -> None:
        thumb, item = event["reaction"].partition("::")[0], event["item"]  # behind the colons is the skin's tone
        if thumb not in THUMBS or event.get("item_user") != self._slack.bot or "ts" not in item:
            return
        allowed = self._config.allows(event["user"], item["channel"], self._slack.team)
        if self._house.store.ratings and allowed and not await self._desk.is_blocked(event["user"]):
            rating = THUMBS[thumb] if event["type"] == "reaction_added" else 0
            await self._house.store.rate_sent("slack", item["ts"], rating)  # not written down first: no loss

    async def _on_session_stopped(self, event: Json) -> None:
        thread = event.get("thread_ts")
        user, channel = event.get("user", ""), event["channel"]
        allowed = self._config.allows(user, channel, self._slack.team)
        if thread and allowed and not await self._desk.is_blocked(user):
            self._desk.stop(f"slack:{self._slack.team}:{event['channel']}:{thread}")

    # Buttons, the shortcut and its window

    async def _on_stop(self, ack: AsyncAck, body: Json) -> None:
        place = self._place(body)
        if await self._clerk.may(place):
            self._desk.stop(f"slack:{self._slack.team}:{place.channel}:{place.thread}")
        await ack()

    async def _on_button(self, ack: AsyncAck, body: Json) -> None:
        """A button below an answer. Pressed twice, it works once; a new answer brings new buttons."""
        action = body["actions"][0]
        value, command = json.loads(action["value"]), action["action_id"]
        place = replace(self._place(body, value["asked"]), told=value.get("told", ""))
        conversation_id = f"slack:{self._slack.team}:{place.channel}:{place.thread}"
        below = body["container"]["message_ts"]
        if await self._clerk.may(place):
            answer = hashlib.sha256(value["key"].encode()).hexdigest()[:16]
            key = f"slack:{command}:{place.channel}:{below}:{answer}"
            about = value.get("about", below)
            written = payload("button", place=asdict(place), command=command, about=about, key=value["key"])
            await self._desk.inbox.receive(key, conversation_id, written)
        await ack()

    def _place(self, body: Json, asked: str = "") -> Place:
        message = body["message"]
        channel = body["channel"]["id"]
        team = body["user"].get("team_id") or self._slack.team
        return Place(channel, message.get("thread_ts") or message["ts"], asked, body["user"]["id"], team)

    async def _on_shortcut(self, ack: AsyncAck, body: Json) -> None:
        task = asyncio.create_task(self._open_window(body))  # its trigger is good for three seconds, as is the ack
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await ack()

    async def _open_window(self, body: Json) -> None:
        place = self._place(body, body["message"]["ts"])
        voice = await self._clerk.languages.voice(place.user)
        try:
            view = _window(json.dumps(asdict(place)), voice)
            await self._slack.call(self._slack.client.views_open(trigger_id=body["trigger_id"], view=view))
        except (Later, Refused, OperatorError) as error:
            log.warning("the window for a question could not be opened: %s", error)

    async def _on_question(self, ack: AsyncAck, body: Json) -> None:
        view = body["view"]
        told = view["state"]["values"]["question"]["text"]["value"]
        place = replace(Place(**json.loads(view["private_metadata"])), told=told)
        conversation_id = f"slack:{self._slack.team}:{place.channel}:{place.thread}"
        written = payload("window", place=asdict(place))
        await self._desk.inbox.receive(f"slack:window:{view['id']}", conversation_id, written)
        await ack()

    async def _on_anything_else(self, ack: AsyncAck) -> None:
        """Acknowledged, so that Slack does not send it again."""
        await ack()


def _window(private_metadata: str, voice: Voice) -> Json:
    return {
        "type": "modal",
        "callback_id": SHORTCUT,
        "private_metadata": private_metadata,
        "title": {"type": "plain_text", "text": voice.say("Ask about a picture")},
        "submit": {"type": "plain_text", "text": voice.say("Ask")},
        "close": {"type": "plain_text", "text": voice.say("Cancel")},
        "blocks": [
            {
                "type": "input",
                "block_id": "question",
                "label": {"type": "plain_text", "text": voice.say("Your question")},
                "element": {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 3000},
            }
        ],
    }

"""Take in what people press, and what they ask in the window of the shortcut. It is stored before Slack is told."""

import hashlib
import logging
import re
from contextlib import suppress
from dataclasses import replace
from functools import partial

from pydantic import ValidationError
from slack_bolt.async_app import AsyncAck, AsyncApp

from bots.conversing import strangers
from bots.conversing.answer_action import SET, AnswerAction
from bots.conversing.background import Background
from bots.conversing.delivery_errors import Refused, RetryLater
from bots.conversing.permissions import Decision
from bots.slack import window
from bots.slack.api import SlackApi, patiently
from bots.slack.buttons import section
from bots.slack.events import Interaction, Json, Person, Press, Submission, Value
from bots.slack.place import Place
from bots.slack.platform import SLACK
from bots.slack.worker import Worker
from bots.slack.written import Clicked, Lost, Typed
from core.errors import BotError
from core.person import Standing

log = logging.getLogger(__name__)


class Interactions:
    """What people do with buttons, the shortcut and its window."""

    def __init__(self, slack: SlackApi, worker: Worker) -> None:
        self._slack = slack
        self._worker = worker
        self._dispatcher = worker.dispatcher
        self._background = Background()

    async def close(self) -> None:
        await self._background.close()

    def attach(self, app: AsyncApp) -> None:
        """Let Bolt call this. What is not recognized comes from an older version, or from another app."""
        app.action("stop")(self._on_stop)
        for button in ("retry", *AnswerAction):
            app.action(str(button))(self._on_button)
        for _, decision in strangers.buttons():
            app.action(decision)(self._on_decision)
        app.shortcut(window.SHORTCUT)(self._on_shortcut)
        app.view(window.SHORTCUT)(self._on_question)
        anything = re.compile(".*", re.DOTALL)
        app.action(anything)(self._on_lost_button)
        app.view_submission(anything)(self._on_lost_window)

    async def _on_decision(self, ack: AsyncAck, body: Json) -> None:
        """Carry out an admin's decision about a stranger. Anybody else's press does nothing."""
        press = Press.model_validate(body)
        person_id, admin = press.action.value or "", press.user.id
        if admin in self._dispatcher.permissions.listed.admins and SLACK.person_id.fullmatch(person_id):
            note = await self._dispatcher.permissions.decide(person_id, Decision(press.action.action_id), admin)
            text = f"{press.message.text}\n\n{strangers.in_all_languages(note)}".strip()
            self._background.start(self._settle(press.channel.id, press.message.ts, text))
        await ack()

    async def _settle(self, channel: str, ts: str, text: str) -> None:
        """Write a message over, so that its buttons go."""
        update = self._slack.client.chat_update
        with suppress(BotError, Refused):
            blocks = [section(text)]
            await patiently(partial(self._slack.call, update, channel=channel, ts=ts, text=text, blocks=blocks))

    async def _on_stop(self, ack: AsyncAck, body: Json) -> None:
        press = Press.model_validate(body)
        place, key = self._place(press), press.action.value
        if await self._dispatcher.permissions.may(place.user, place.chat_ids):
            await self._dispatcher.running.stop(await self._conversation(place), lambda message: message.key == key)
        await ack()

    async def _on_button(self, ack: AsyncAck, body: Json) -> None:
        """Handle a button below an answer. Pressed twice, it works once, unless it sets something."""
        press = Press.model_validate(body)
        command, below = press.action.action_id, press.message.ts
        try:
            value = Value.model_validate_json(press.action.value or "")
        except ValidationError:
            await self._on_lost_button(ack, body)
            return
        place = replace(self._place(press, value.asked), told=value.told)
        if await self._dispatcher.permissions.may(place.user, place.chat_ids):
            answer = hashlib.sha256(value.key.encode()).hexdigest()[:16]
            again = f":{press.action.action_ts}" if command.startswith(SET) else ""
            key = f"slack:{command}:{place.channel}:{below}:{answer}{again}"
            clicked = Clicked(place=place, command=command, about=value.about or below, key=value.key)
            await self._dispatcher.inbox.receive(key, await self._conversation(place), clicked.model_dump_json())
            await ack()
        else:
            await self._on_lost_button(ack, body)

    async def _on_lost_button(self, ack: AsyncAck, body: Json) -> None:
        """Handle a button of an older version, or one with content that we never wrote. Its answer is unknown."""
        press = Press.model_validate(body)
        place = self._place(press, press.message.ts)
        standing = await self._dispatcher.permissions.standing(place.user, place.chat_ids)
        if standing is not Standing.BLOCKED:  # a stranger is told so
            key = f"slack:lost:{place.channel}:{place.asked}:{place.user}"
            await self._dispatcher.inbox.receive(
                key, await self._conversation(place), Lost(place=place).model_dump_json()
            )
        await ack()

    def _place(self, done: Interaction, asked: str = "") -> Place:
        team = done.user.team_id or self._slack.team
        return Place(done.channel.id, done.thread, asked, done.user.id, team)

    async def _conversation(self, place: Place) -> str:
        return await self._worker.conversations.of_thread(place.channel, place.thread)

    async def _on_shortcut(self, ack: AsyncAck, body: Json) -> None:
        used = Interaction.model_validate(body)
        self._background.start(self._open_window(used))  # its trigger is valid for three seconds
        await ack()

    async def _open_window(self, used: Interaction) -> None:
        place = self._place(used, used.message.ts)
        translator = await self._worker.people.translator(place.user)
        try:
            view = window.question_window(place, translator)
            await self._slack.call(self._slack.client.views_open, trigger_id=used.trigger_id, view=view)
        except (RetryLater, Refused) as error:
            log.warning("the window for a question could not be opened: %s", error)

    async def _on_question(self, ack: AsyncAck, body: Json) -> None:
        try:
            submission = Submission.model_validate(body)
            place = window.place_of(submission)
        except ValidationError:
            await self._on_lost_window(ack, body)
            return
        key, typed = f"slack:window:{submission.view.id}", Typed(place=place)
        await self._dispatcher.inbox.receive(key, await self._conversation(place), typed.model_dump_json())
        await ack()

    async def _on_lost_window(self, ack: AsyncAck, body: Json) -> None:
        """Say in a window of an older version or another app that it does not work."""
        person = Person.model_validate(body.get("user"))
        translator = self._worker.people.known_translator(person.id)  # asking Slack might outlast the three seconds
        await ack(response_action="update", view=window.unknown_window(translator))

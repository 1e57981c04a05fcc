"""Write an answer into a Slack thread: streamed if Slack can, otherwise posted and edited, with the same words.

The answer must appear exactly once. A stream carries no metadata until it is stopped, and its text can only grow. So
its first call sends no text, and text follows only when its `ts` is stored. Whatever fails later (an append whose reply
got lost, an expired stream, a killed process) ends with `chat.update`, which replaces everything and can be repeated. A
message whose `ts` was never stored is found in the thread: it is ours, and carries this answer's key or nothing.
"""

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from bots.conversing.actions import AnswerAction
from bots.conversing.draft import File, Gone, Later
from bots.slack.access import Declined
from bots.slack.api import SlackApi, Unclear
from bots.slack.buttons import Pressed, below, while_growing
from bots.slack.place import Place
from bots.slack.signature import Left, left_behind, signature
from bots.slack.status import Abilities, Status
from bots.slack.text import MESSAGE_CHARACTERS, escape, messages
from core.conversation import Answer, Ending
from core.i18n import Translator

log = logging.getLogger(__name__)
PLACEHOLDER = "…"
UNEDITABLE = ("message_not_found", "cant_update_message", "edit_window_closed", "streaming_state_conflict")
STREAM_WAIT_SECONDS = 2.0  # longest wait for the start of a stream
STOP_ATTEMPTS = 3  # for a stream that Slack thinks is open


class SlackDraft:
    """A draft in a thread. Use it with `async with`.

    `model` means that the model answers: it is streamed, with Stop and later other buttons. `keeps` is as in
    `bots.conversing.draft.Draft`. `pressed` is what "Try again" below a refusal presses, if not simply that.
    """

    scarce = False  # Slack's writes are shared out by `bots.slack.pace`

    def __init__(
        self,
        slack: SlackApi,
        place: Place,
        key: str,
        translator: Translator,
        abilities: Abilities,
        interval: float,
        sent: tuple[str, ...],
        resumed: bool,
        model: bool,
        keeps: bool,
        stopped: Callable[[], object],
        pressed: Pressed | None = None,
    ) -> None:
        self._interval = interval
        self.keeps = keeps
        self._slack = slack
        self._place = place
        self._key = key
        self._translator = translator
        self._abilities = abilities
        self._careful = resumed  # the thread may contain a message of ours that is not stored
        self._stopped = stopped
        self._pressed = pressed
        self._model = model
        self._actions: tuple[AnswerAction, ...] = ()
        self._answered = False
        self._streaming = model
        self._streams: dict[str, str] = {}  # ts of an open stream -> its text
        self._stops: Counter[str] = Counter()  # attempts to stop each stream, before it is edited
        self._begun_before = bool(sent)  # an earlier run began to write
        self._sent = list(sent)
        self._given_up: set[str] = set()  # messages that should be deleted, and may be
        self._status = Status(slack, place, abilities)

    async def __aenter__(self) -> "SlackDraft":
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._slack.budget.leaves(self)
        await self._status.close()

    @property
    def interval(self) -> float:
        return max(self._interval, self._slack.budget.interval(self))

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        """Set the actions for which the finished answer gets buttons."""
        self._actions, self._answered = actions, True

    def split(self, text: str) -> list[str]:
        return messages(text)

    async def preview(self, text: str) -> bool:
        return False

    async def status(self, sentence: str) -> bool:
        if self._model:
            await self._status.begin()
        if self._begun_before:
            return True
        shown = await self._status.say(sentence or self._translator.say("is looking …"))
        self._streaming &= shown  # otherwise the sentence is in the message itself, which only an edit can replace
        return shown

    async def post(self, part: str | None = None) -> str:
        if self._careful and (left := await self._left_behind()):
            ts = left[0].ts
            await self._status.clear()  # otherwise only a new message would
        else:
            ts = await self._create()
        self._status.settle()
        self._sent.append(ts)
        return ts

    async def edit(self, sent: str, part: str, answer: Answer | None, last: bool) -> None:
        if answer is None:
            self._slack.budget.check_growing(self)
        try:
            if sent not in self._streams or not await self._stream(sent, part, answer, last):
                buttons = self._buttons(answer) if last else []
                await self._replace(sent, part, [_markdown(part), *buttons])
        except Declined as declined:
            if answer is not None:
                raise Gone from declined  # a new message says it instead
            log.info("a growing answer could not be shown (%s): the next edit may be", declined.error)
        if answer is None or not last:
            return
        self._streaming = False  # what follows are files
        if self._careful:
            for message in await self._left_behind():  # a post whose reply got lost may have come through
                await self.remove(message.ts)

    async def send(self, content: str | File, answer: Answer, last: bool) -> str:
        text = self._cannot_upload(content) if isinstance(content, File) else content
        blocks = [_markdown(text), *(self._buttons(answer) if last else [])]
        ts = await self._sent_before(text) or await self._send(text, blocks)
        self._status.settle()
        self._sent.append(ts)
        return ts

    async def _send(self, text: str, blocks: list[dict[str, Any]]) -> str:
        try:
            return await self._post(text, blocks)
        except Declined as declined:
            if not blocks:
                raise
            log.warning("Slack does not take an answer as it is (%s): sent as plain text", declined.error)
            return await self._post(text, [])

    async def _sent_before(self, text: str) -> str | None:
        """Return whether a message with this content came through although its reply got lost.

        Others of that kind are deleted.
        """
        found = None
        for message in await self._left_behind() if self._careful else ():
            if found is None and message.text == escape(text)[:MESSAGE_CHARACTERS]:
                found = message.ts
            else:
                await self.remove(message.ts)
        return found

    async def attach(self, sent: str, file: File) -> None:
        """Update the placeholder to carry the file. Posting a message with a file is no single repeatable step."""
        try:
            file_id = await self._slack.upload(file.name, file.data)
            await self._replace(sent, file.caption or file.name, [], file_ids=[file_id])
        except Declined as error:
            log.error("a file could not be sent: %s", error)
            await self._replace(sent, self._cannot_upload(file), [])

    async def remove(self, sent: str) -> None:
        if sent in self._sent:
            self._sent.remove(sent)
        try:
            await self._slack.call(self._slack.client.chat_delete, channel=self._place.channel, ts=sent)
        except Declined as declined:
            if declined.error != "message_not_found":
                log.warning("a message that is not needed any more stays: %s", declined.error)
        self._given_up.add(sent)

    # One message

    async def _create(self) -> str:
        if self._streaming and self._abilities.streams and self._abilities.sessions:
            try:
                await self._slack.turn(self._place.channel)
                ts = await self._open_stream()
                self._slack.budget.joins(self, "chat_appendStream")
                return ts
            except Unclear:
                self._careful = True
                raise
            except Later as later:
                if later.seconds <= STREAM_WAIT_SECONDS:
                    raise
                self._streaming = False  # posts are allowed more often
            except Declined:
                self._streaming = False
        self._slack.budget.joins(self, "chat_update")
        return await self._post(PLACEHOLDER, [])

    async def _post(self, text: str, blocks: list[dict[str, Any]]) -> str:
        await self._slack.turn(self._place.channel)
        try:
            answer = await self._slack.call(
                self._slack.client.chat_postMessage,
                channel=self._place.channel,
                thread_ts=self._place.thread,
                text=escape(text)[:MESSAGE_CHARACTERS],
                blocks=blocks or None,
                metadata=signature(self._key),
                unfurl_links=False,
                unfurl_media=False,
            )
        except Unclear:
            self._careful = True
            raise
        return str(answer["ts"])

    async def _open_stream(self) -> str:
        place = self._place
        try:
            answer = await self._slack.call(
                self._slack.client.chat_startStream,
                channel=place.channel,
                thread_ts=place.thread,
                recipient_user_id=None if place.direct else place.user,
                recipient_team_id=None if place.direct else place.team,
            )
        except Declined as declined:
            if declined.error in ("unknown_method", "method_deprecated", "not_allowed", "feature_not_enabled"):
                self._abilities.streams = False
            log.info("no stream (%s): posting and editing instead", declined.error)
            raise
        ts = str(answer["ts"])
        self._streams[ts] = ""
        return ts

    async def _stream(self, ts: str, part: str, answer: Answer | None, last: bool) -> bool:
        """Append to the stream. Return False if the stream is over and its text must be replaced."""
        shown = self._streams[ts]
        rest = part.removeprefix(shown)
        try:
            if not part.startswith(shown):
                await self._stop_stream(ts)
                return False
            if answer is None and last:
                if rest:
                    await self._append(ts, rest)
                return True
            buttons = self._buttons(answer) if last else []
            await self._stop_stream(ts, rest, blocks=buttons, metadata=signature(self._key))
            return True
        except Unclear:
            self._streams.pop(ts, None)  # what it says now is unknown
            return False
        except Declined as declined:
            self._streams.pop(ts, None)
            if declined.error == "stopped_by_user":
                self._stopped()
            log.info("the stream ended (%s): editing instead", declined.error)
            return False

    async def _append(self, ts: str, text: str) -> None:
        await self._slack.call(
            self._slack.client.chat_appendStream, channel=self._place.channel, ts=ts, markdown_text=text
        )
        self._streams[ts] += text

    async def _stop_stream(self, ts: str, text: str = "", **arguments: Any) -> None:
        arguments = {name: value for name, value in arguments.items() if value}
        if text:
            arguments["markdown_text"] = text
        await self._slack.call(self._slack.client.chat_stopStream, channel=self._place.channel, ts=ts, **arguments)
        self._streams.pop(ts, None)

    async def _replace(self, ts: str, text: str, blocks: list[dict[str, Any]], **files: Any) -> None:
        try:
            await self._update(ts, text, blocks, **files)
        except Declined as declined:
            if declined.error == "streaming_state_conflict" and self._stops[ts] < STOP_ATTEMPTS:
                self._stops[ts] += 1  # left open by a killed process, or the reply to its stop got lost
                with suppress(Declined):
                    await self._stop_stream(ts)
                raise Later(0.2) from declined
            if declined.error in UNEDITABLE:
                raise Gone from declined
            if not blocks:
                raise
            log.warning("Slack does not take an answer as it is (%s): sent as plain text", declined.error)
            await self._update(ts, text, [])

    async def _update(self, ts: str, text: str, blocks: list[dict[str, Any]], **files: Any) -> None:
        await self._slack.call(
            self._slack.client.chat_update,
            channel=self._place.channel,
            ts=ts,
            text=escape(text)[:MESSAGE_CHARACTERS],  # for notifications, where there are blocks to read
            blocks=blocks,
            metadata=signature(self._key),
            **files,
        )

    def _cannot_upload(self, file: File) -> str:
        return self._translator.say(
            "{name} could not be sent: Slack does not let me upload files here.", name=file.name
        )

    async def _left_behind(self) -> list[Left]:
        return await left_behind(self._slack, self._place, self._key, {*self._sent, *self._given_up})

    def _buttons(self, answer: Answer | None) -> list[dict[str, Any]]:
        if not self._model:
            return []
        if answer is None:
            return while_growing(self._key, self._translator)
        refused = self._pressed if answer.ending is Ending.FAILED else None
        if not self._answered and answer.ending not in (Ending.FAILED, Ending.STOPPED):
            return []  # a sentence of the bot, which asking again would not change
        return below(self._place, self._key, self._actions, self._translator, refused)


def _markdown(text: str) -> dict[str, Any]:
    return {"type": "markdown", "text": text}

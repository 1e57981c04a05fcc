"""Write an answer into a Slack thread: streamed if Slack can, otherwise posted and edited, with the same words.

Exactly once: a stream's first call sends no text, and only when its `ts` is written down does text follow; whatever
goes wrong later (an append whose answer got lost, a stream that expired, a dead process) ends with `chat.update`, which
replaces everything and may be repeated.
"""

import logging
from typing import Any

from bots.conversing.answer_action import AnswerAction
from bots.conversing.delivery_errors import Gone, RetryLater
from bots.conversing.events import File
from bots.slack.access import Declined
from bots.slack.api import SlackApi, Unclear
from bots.slack.buttons import Buttons
from bots.slack.sender import Sender
from bots.slack.status import Status
from bots.slack.text import MESSAGE_CHARACTERS, escape, messages
from core.answer import Answer

log = logging.getLogger(__name__)
PLACEHOLDER = "…"
SOON_SECONDS = 2.0  # for which a stream is waited for


class SlackDraft:
    """`keeps_old_answer` is as in `bots.conversing.draft.Draft`. What has a Stop button is streamed."""

    def __init__(
        self,
        slack: SlackApi,
        sender: Sender,
        status: Status,
        buttons: Buttons,
        interval: float,
        keeps_old_answer: bool = False,
    ) -> None:
        self.keeps_old_answer = keeps_old_answer
        self._interval = interval
        self._slack = slack
        self._sender = sender
        self._status = status
        self._buttons = buttons
        self._translator = buttons.translator
        self._streaming = buttons.stoppable

    async def __aenter__(self) -> "SlackDraft":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._slack.budget.leaves(self)
        await self._status.close()

    @property
    def interval(self) -> float:
        return max(self._interval, self._slack.budget.interval(self))

    @property
    def scarce(self) -> bool:
        """Whether the answer comes at once. Otherwise Slack's writes are shared out by `bots.slack.rate_limit`."""
        return not self._buttons.stoppable

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        self._buttons.actions = actions

    def split(self, text: str) -> list[str]:
        return messages(text)

    async def preview(self, text: str) -> bool:
        return False

    async def status(self, sentence: str) -> bool:
        if self._buttons.stoppable:
            await self._status.begin()
        if self._sender.begun_before:
            return True
        shown = await self._status.say(sentence or self._translator.say("is looking …"))
        self._streaming &= shown  # otherwise the sentence is in the message itself, which only an edit can replace
        return shown

    async def post(self, part: str | None = None) -> str:
        if left := await self._sender.left_behind():
            ts = left[0].ts
            await self._status.clear()  # otherwise only a new message would
        else:
            ts = await self._create()
        self._status.settle()
        self._sender.posted(ts)
        return ts

    async def edit(self, posted_id: str, part: str, answer: Answer | None, last: bool) -> None:
        if answer is None:
            self._slack.budget.check_growing(self)
        try:
            streams, buttons = self._sender.streams, self._buttons.below(answer) if last else []
            if posted_id not in streams or not await streams.write(posted_id, part, answer, last, buttons):
                await self._sender.replace(posted_id, part, [_markdown(part), *buttons])
        except Declined as declined:
            if answer is not None:
                raise Gone from declined  # a new message says it instead
            log.info("a growing answer could not be shown (%s): the next edit may be", declined.error)
        if answer is None or not last:
            return
        self._streaming = False  # what follows are files
        for message in await self._sender.left_behind():  # a post whose answer got lost came through after all
            await self.remove(message.ts)

    async def send(self, content: str | File, answer: Answer, last: bool) -> str:
        text = self._cannot_upload(content) if isinstance(content, File) else content
        blocks = [_markdown(text), *(self._buttons.below(answer) if last else [])]
        ts = await self._sent_before(text) or await self._send(text, blocks)
        self._status.settle()
        self._sender.posted(ts)
        return ts

    async def _send(self, text: str, blocks: list[dict[str, Any]]) -> str:
        try:
            return await self._sender.post(text, blocks)
        except Declined as declined:
            if not blocks:
                raise
            log.warning("Slack does not take an answer as it is (%s): sent as plain text", declined.error)
            return await self._sender.post(text, [])

    async def _sent_before(self, text: str) -> str | None:
        """Return whether a message with this content came through although its reply got lost.

        Others of that kind are deleted.
        """
        found = None
        for message in await self._sender.left_behind():
            if found is None and message.text == escape(text)[:MESSAGE_CHARACTERS]:
                found = message.ts
            else:
                await self.remove(message.ts)
        return found

    async def attach(self, posted_id: str, file: File) -> None:
        """Update the placeholder to carry the file. Posting a message with a file is no single repeatable step."""
        try:
            file_id = await self._slack.upload(file.name, file.data)
            await self._sender.replace(posted_id, file.caption or file.name, [], file_ids=[file_id])
        except Declined as error:
            log.error("a file could not be sent: %s", error)
            await self._sender.replace(posted_id, self._cannot_upload(file), [])

    async def remove(self, posted_id: str) -> None:
        await self._sender.remove(posted_id)

    async def _create(self) -> str:
        if self._streaming and self._sender.streams.possible:
            try:
                ts = await self._sender.open()
                self._slack.budget.joins(self, "chat_appendStream")
                return ts
            except RetryLater as later:
                if isinstance(later, Unclear) or later.seconds <= SOON_SECONDS:
                    raise
                self._streaming = False  # posts are allowed more often
            except Declined:
                self._streaming = False
        self._slack.budget.joins(self, "chat_update")
        return await self._sender.post(PLACEHOLDER, [])

    def _cannot_upload(self, file: File) -> str:
        return self._translator.say(
            "{name} could not be sent: Slack does not let me upload files here.", name=file.name
        )


def _markdown(text: str) -> dict[str, Any]:
    return {"type": "markdown", "text": text}

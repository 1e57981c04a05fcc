"""Show a growing answer on a platform that can post and edit messages. This is the only such loop."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic

from bots.conversing.answer_action import AnswerAction
from bots.conversing.delivery import Delivery
from bots.conversing.delivery_errors import RetryLater
from bots.conversing.draft import Chunk, Draft
from bots.conversing.events import Ask, File
from bots.conversing.reply import Record
from core import lease
from core.answer import Answer, Ending
from core.errors import BotError, Interrupted
from core.events import BeganAgain, Event, Looking, Piece, Waiting
from core.i18n import Translator
from core.stored_message import StoredMessage

log = logging.getLogger(__name__)


class StreamedReply(Generic[Chunk]):
    """An answer on its way to its messages. `tell` hears how it grows; `write` asks for it and shows it.

    `posted_ids` are the ids of messages that an earlier run posted for the same answer; `record` stores the list each
    time it changes. `begun` tells whether any of the answer exists.
    """

    def __init__(
        self,
        draft: Draft[Chunk],
        translator: Translator,
        posted_ids: Sequence[str],
        record: Record,
    ) -> None:
        self.begun = False
        self._draft = draft
        self._translator = translator
        self._record = record
        self._delivery = Delivery(draft, list(posted_ids), record, translator)
        self._text = ""
        self._status = ""
        self._files: list[File] = []
        self._answer: Answer | None = None
        self._refused = False  # a sentence of the bot is said instead of an answer
        self._down: Interrupted | None = None
        self._changed = asyncio.Event()
        self._complete = asyncio.Event()

    def tell(self, event: Event | File) -> None:
        match event:
            case Piece(text):
                self._text += text
                self.begun = True
            case BeganAgain(thought):
                say = self._translator.say
                self._text = ""
                self._status = say("Thinking …") if thought else say("The model was interrupted. I begin again …")
            case Waiting(position, seconds):
                self._status = _position(self._translator, position, seconds)
            case Looking(picture, total):
                self._status = self._translator.say("Looking at picture {picture} of {of} …", picture=picture, of=total)
            case File():
                self._files.append(event)
                self.begun = True
        self._changed.set()

    async def write(self, ask: Ask) -> Answer:
        """Ask, and return the answer once all of it is on the platform.

        Errors become their sentence, except `Interrupted`, which is raised because the same question can be answered
        later. Raises `Refused` if the answer has no reader any more.
        """
        self._changed.set()  # something stands there at once, before the first event
        async with self._draft:
            asking = asyncio.create_task(self._ask(ask))
            try:
                return await self._show_until_whole()
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        self._draft.offer(actions)

    async def _show_until_whole(self) -> Answer:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._down is not None:
                raise self._down
            answer = self._answer
            try:
                await self._show(answer)
            except RetryLater as later:
                # While the text grows the pause ends with the answer, which is tried at once; a draft whose platform
                # forbids that too raises `RetryLater` again.
                await _nap(later.seconds, None if answer else self._complete)
                self._changed.set()
                continue
            if answer is not None:
                return answer
            await _nap(self._draft.interval, self._complete)

    async def _show(self, answer: Answer | None) -> None:
        if answer is not None:
            if self._draft.keeps_old_answer and self._refused:
                self._refused, self._delivery = False, Delivery(self._draft, [], self._record, self._translator)
            await self._delivery.show(self._text, answer, self._files)
        elif not await self._show_outside_messages():
            await self._delivery.show(self._text or self._status, None, ())

    async def _show_outside_messages(self) -> bool:
        """Return whether the platform showed the text in a place of its own, so that no message is needed yet."""
        lease.check()
        return await (self._draft.preview(self._text) if self._text else self._draft.status(self._status))

    async def _ask(self, ask: Ask) -> None:
        try:
            self._say(await ask(self.tell))
        except Interrupted as error:
            self._down = error
        except BotError as error:
            sentence = self._translator.explain(error)
            if error.retryable or self._text:
                self._fail(sentence)
            else:  # asking the same again would not help
                self._say(Answer(sentence, Ending.DONE))
        except Exception:
            log.exception("an answer failed")
            self._fail(self._translator.say("Something went wrong on my side. Please try again."))
        self._complete.set()
        self._changed.set()

    def _say(self, answer: Answer) -> None:
        self.begun = True
        self._refused = bool(answer.text) and not self._text and not self._files
        only_files = self._files and not answer.text
        self._text = "" if only_files else answer.text + _note(self._translator, answer)
        self._answer = answer

    def _fail(self, sentence: str) -> None:
        self._refused = not self._text
        self._text = f"{self._text}\n\n{sentence}" if self._text else sentence
        self._answer = Answer(self._text, Ending.FAILED)


ReplyFactory = Callable[[StoredMessage, Record], StreamedReply[Any]]


def reply_factory(draft_of: Callable[[StoredMessage], Draft[Any]], translator: Translator) -> ReplyFactory:
    """Show a message's answer in the draft that is made for it."""
    return lambda message, record: StreamedReply(draft_of(message), translator, message.posted_ids, record)


def _position(translator: Translator, position: int, seconds: float | None) -> str:
    if seconds is None:
        return translator.say("You are number {place} in line …", place=position)
    return translator.say(
        "You are number {place} in line, about {seconds} s …", place=position, seconds=max(1, round(seconds))
    )


def _note(translator: Translator, answer: Answer) -> str:
    if answer.ending is Ending.FAILED:  # saved, but the process ended before it was reported
        note = translator.say("Something went wrong on my side. Please try again.")
    elif answer.ending is Ending.STOPPED:
        note = translator.say("(stopped)")
    elif answer.ending is Ending.LENGTH:
        note = translator.say("(This is as long as one answer can be. Say “go on” for the rest.)")
    elif answer.ending is Ending.REPEATED:
        note = translator.say("(I began to repeat myself, so I stopped. Please ask in other words.)")
    elif not answer.text.strip():
        note = translator.say("(No answer came. Please ask in other words.)")
    else:
        return ""
    return f"\n\n{note}" if answer.text.strip() else note


async def _nap(seconds: float, wake: asyncio.Event | None) -> None:
    """Sleep; with `wake`, at most until it is set."""
    if wake is None:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()

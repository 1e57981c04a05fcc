"""Work off what the listeners stored: find the pictures, and have the question answered in its thread."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from pydantic import ValidationError

from bots.conversing.actions import AnswerAction, DisplayOptions
from bots.conversing.answering import got, respond
from bots.conversing.commands import COMMANDS, asks_model, command_in, says
from bots.conversing.dispatcher import Dispatcher
from bots.conversing.draft import Refused, Tell
from bots.conversing.request import Attachment, Request, forgets
from bots.conversing.services import Services
from bots.conversing.strangers import Strangers, line
from bots.slack.api import SlackApi, patiently
from bots.slack.buttons import Pressed
from bots.slack.config import Config
from bots.slack.conversations import Conversations
from bots.slack.draft import SlackDraft
from bots.slack.events import SlackFile, fields
from bots.slack.files import Files
from bots.slack.finder import Finder, Found
from bots.slack.message import Message, no_picture, pictures
from bots.slack.people import People
from bots.slack.place import Place
from bots.slack.platform import SLACK
from bots.slack.questions import Questions
from bots.slack.status import Abilities
from bots.slack.text import plain
from bots.slack.threads import Threads
from bots.slack.written import Asked, Clicked, Lost, Removed, Typed, read
from core import inbox
from core.conversation import Answer, Ending, Image
from core.errors import BotError
from core.i18n import Translator
from core.latest import Latest

log = logging.getLogger(__name__)
REMEMBERED_DELETED_FILES = 1000
LOST = "lost"  # a button whose content is unknown
NOT_THERE = ("not_in_channel", "channel_not_found")
THREAD_GONE = ("cannot_reply_to_message", "thread_not_found", "message_not_found")
WITH_PICTURES = ("help", "new")  # sent with a picture they are a greeting, or begin with that picture
REWRITING = ("retry", AnswerAction.SMALL_PRINT)  # over the old answer


@dataclass(slots=True)
class _Task:
    """One answer. `about` is the id of the message whose button was pressed, `key` that message's answer."""

    message: inbox.Message
    asked: Message
    place: Place
    command: str | None
    text: str
    about: str | None = None
    key: str = ""
    images: dict[str, list[str]] = field(default_factory=dict)  # of the question: a file's id -> its images'

    @property
    def links(self) -> bool:
        """Whether the question contains an address."""
        return "http://" in self.asked.text or "https://" in self.asked.text

    @property
    def asks_model(self) -> bool:
        """Whether the model answers. A picture alone is kept for its question."""
        typed = self.command is not None and self.about is None
        return asks_model(self.command) and bool(self.text or typed)

    @property
    def is_misplaced(self) -> bool:
        """Whether it is about a conversation's content, but begins one."""
        about = self.command in COMMANDS and COMMANDS[self.command].about_conversation
        return about and self.asked.top_level and self.about is None


class Worker:
    def __init__(self, config: Config, slack: SlackApi, services: Services) -> None:
        self.dispatcher = Dispatcher(services, "slack", self._work, self._forgets, frozenset(config.admins))
        self.people = People(slack)
        self.conversations = Conversations(services.store, slack.team, slack.bot)
        self._config = config
        self._slack = slack
        self._services = services
        self._threads = Threads(slack)
        self._files = Files(slack, services.images)
        self.questions = Questions(slack, services.store, self._threads)
        self._finder = Finder(self._threads, self._files, services)
        self._strangers = Strangers("slack")
        self._abilities = Abilities(streams=config.streaming == "native")
        self._resumed: set[int] = set()
        self._deleted: Latest[str, None] = Latest(REMEMBERED_DELETED_FILES)  # files deleted while they were asked about

    async def resume(self) -> None:
        """Take up what the last run left. Messages that it began to post may not be stored."""
        unfinished = await self._services.store.unfinished("slack")
        self._resumed = {message.id for message in unfinished}
        for message in unfinished:
            await self._note(message)
        await self.dispatcher.inbox.resume()

    async def _note(self, message: inbox.Message) -> None:
        """Continue with a picture that waits in a direct message. A deleted question does not count."""
        with suppress(ValidationError):
            written = read(message.payload)
            if isinstance(written, Removed) and written.question:
                self.questions.expect_deletion(written.question)
            if isinstance(written, Asked) and written.message.direct and written.message.files:
                self.conversations.note(written.message.channel, message.conversation_id)

    async def takes_part(self, conversation_id: str) -> bool:
        """Return whether the bot was asked in this thread before."""
        history = self._services.assistant.history
        known = self.dispatcher.inbox.waiting(conversation_id) or await history.last_key(conversation_id)
        return bool(known or await self._services.store.known_files(conversation_id))

    def allows(self, asker: Message | Place) -> bool:
        return self._config.allows(asker.user, asker.channel, asker.team)

    async def may(self, who: Message | Place) -> bool:
        """Return whether a person may do something that is done at once, or over an old answer.

        Everything else is stored unseen, and the dispatcher checks it, because an acknowledgement must not wait for one
        more read from disk.
        """
        return self.allows(who) and not await self.dispatcher.is_blocked(who.user)

    async def _forgets(self, payload: str) -> bool:
        try:
            written = read(payload)
        except ValidationError:
            return False
        if not isinstance(written, Asked):
            return False
        asked = written.message
        command, text = command_in(plain(asked.text, self._slack.bot), SLACK)
        if command != "forget" or not await self.may(asked):
            return False
        return forgets(command, text, await self._threads.is_anothers(asked))

    async def _work(self, batch: Sequence[inbox.Message]) -> None:
        """Answer a stored message. Raises only errors for which the inbox should keep it until another start."""
        message = batch[0]
        try:
            written = read(message.payload)
        except ValidationError as error:  # stored by another version
            log.error("a stored message is not whole and is given up (%s)", fields(error))
            return
        if isinstance(written, Removed):
            if written.question:
                await self.questions.delete(written.question)
            await self._remove(written.files)
        elif isinstance(written, Asked):
            await self.questions.work(
                message, _place_of(written.message), partial(self._answer_asked, message, written)
            )
        else:
            await self._answer(await self._task(message, written))
        self._resumed.discard(message.id)

    async def _answer_asked(self, message: inbox.Message, written: Asked) -> None:
        asked = await self.questions.current(message, written.message, message.id in self._resumed)
        if asked is not None and not await self._is_bots(asked):
            await self._answer(await self._task(message, Asked(message=asked)))

    async def _is_bots(self, asked: Message) -> bool:
        """Return whether a bot wrote it, and no person through an app."""
        return asked.by_app and await self.people.is_bot(asked.user)

    async def _task(self, message: inbox.Message, written: Asked | Clicked | Typed | Lost) -> _Task:
        if isinstance(written, Asked):
            asked = written.message
            command, text = command_in(plain(asked.text, self._slack.bot), SLACK)
            return _Task(message, asked, _place_of(asked), command, text)
        place = written.place
        if isinstance(written, Lost) or (isinstance(written, Clicked) and await self._is_forged(message, written)):
            return _Task(message, Message.at(place), place, LOST, "")
        asked = await self._threads.question(place)
        text = place.told or plain(asked.text, self._slack.bot)
        if isinstance(written, Typed):
            return _Task(message, asked, place, None, text)
        if written.command in REWRITING and not message.sent:
            message = replace(message, sent=await self._threads.answer(place, written.key))
            await self._services.store.record_sent(message.id, message.sent)  # it carries another key from now on
        return _Task(message, asked, place, written.command, text, written.about, written.key)

    async def _is_forged(self, message: inbox.Message, clicked: Clicked) -> bool:
        """Return whether a button names an answer of another conversation, as none of our buttons does."""
        return await self._services.store.conversation_of(clicked.key) not in (None, message.conversation_id)

    async def _answer(self, task: _Task) -> None:
        message, place = task.message, task.place
        known_as = place.user, place.user if place.direct else place.channel
        stranger = not self.allows(place)
        if stranger and not message.sent and not self._strangers.is_due(*known_as):
            return
        asked = place.told or plain(task.asked.text, self._slack.bot)
        translator = (await self.people.translator(place.user)).for_question(asked)
        request = Request(
            message.conversation_id,
            message.key,
            SLACK,
            f"slack:{place.team}:{place.user}",
            task.text,
            task.command,
            tuple(self._attachment(file) for file in task.asked.files),
            about=task.about,
            quiet=not (place.direct and task.asked.top_level),
            shared=not place.direct,
            anothers=task.command == "forget" and await self._threads.is_anothers(task.asked),
            display=DisplayOptions(files=True, receipt=self._config.receipt),
        )
        refusal = line(*known_as, translator) if stranger else None
        if refusal is None and task.command == LOST:
            refusal = translator.say("I do not remember that answer any more. Please send the picture again.")
        keeps = message.id not in self._resumed and await self._is_answer(task)
        draft, ask = partial(self._draft, task, translator, keeps), partial(self._ask, task, translator)
        try:
            await self.dispatcher.answer(message, request, translator, draft, ask, refusal)
        except Refused as refused:
            log.warning("an answer could not be delivered: %s", refused)
            if str(refused) not in THREAD_GONE:
                await self._tell(place, str(refused), translator)
        for file_id in task.images.keys() & self._deleted.keys():  # its picture was saved with the answer after that
            await self._services.store.remember_file(f"slack:{file_id}", message.conversation_id, task.images[file_id])
            await self._services.store.remove_file(f"slack:{file_id}")

    async def _ask(self, task: _Task, translator: Translator, request: Request, tell: Tell) -> Answer:
        conversation_id = request.conversation_id
        if task.is_misplaced:
            return says(
                translator.say(
                    "This works only in a thread with a picture: each thread is a conversation of its own. "
                    'Say "{command}" in the thread of the picture.',
                    command=task.command,
                )
            )
        found = Found()
        if task.command in WITH_PICTURES:
            _, own = await self._threads.files(task.asked, acquainted=True)
            found.own = tuple(pictures(own))
            if found.own:
                request = replace(request, command=None if task.command == "help" else task.command)
        asks = task.command is None or (task.command == "retry" and task.about)
        if asks and not await self._services.assistant.history.answered(request.key):
            if task.about:
                found.own = tuple(pictures(task.asked.files))
            else:
                found = await self._finder.find(task.asked, request, translator)
            task.images.update(found.images)
            if task.asked.files and not found.own:
                return says(no_picture(task.asked.files, translator))
            if found.numbers and not found.own and not task.text:
                return says(" ".join([got(found.numbers, translator), *found.notes]))
            if not (found.own or found.numbers) and task.links and not await self._has_pictures(conversation_id):
                found.notes.append(translator.say("I fetch nothing from addresses. Please upload the picture itself."))

        async def made(index: int, image: Image) -> None:
            if file_id := found.own[index].id:
                task.images.setdefault(file_id, []).append(image.id)
                await self._services.store.remember_file(f"slack:{file_id}", conversation_id, [image.id])

        files = tuple(self._attachment(file) for file in found.own)
        request = replace(request, files=files, notes=(*request.notes, *found.notes), made=made)
        return await respond(request, self._services, translator, tell)

    async def _has_pictures(self, conversation_id: str) -> bool:
        return bool((await self._services.store.outline(conversation_id)).pictures)

    async def _is_answer(self, task: _Task) -> bool:
        """Return whether the message to write over is an answer, not a failure or refusal."""
        if task.command not in REWRITING or not task.message.sent:
            return False
        turn = await self._services.store.turn_of_sent("slack", task.message.sent[-1], task.message.conversation_id)
        return turn is not None and turn.answer is not None and turn.answer.ending is not Ending.FAILED

    def _draft(self, task: _Task, translator: Translator, keeps: bool, message: inbox.Message) -> SlackDraft:
        closer = None
        if task.command == AnswerAction.SMALL_PRINT and task.about is not None:
            closer = Pressed(task.command, task.key, task.about)
        return SlackDraft(
            self._slack,
            task.place,
            message.key,
            translator,
            self._abilities,
            self._config.interval_seconds,
            message.sent,
            resumed=message.id in self._resumed,
            model=task.asks_model,
            keeps=keeps,
            stopped=partial(self.dispatcher.stop, message.conversation_id),
            pressed=closer,
        )

    def _attachment(self, file: SlackFile) -> Attachment:
        return Attachment(partial(self._files.download, file), file.shown)

    async def _remove(self, file_ids: Sequence[str]) -> None:
        for file_id in file_ids:
            self._deleted[file_id] = None
            if await self._services.store.remove_file(f"slack:{file_id}"):
                log.info("a picture that was deleted in Slack is removed")

    async def _tell(self, place: Place, error: str, translator: Translator) -> None:
        """Tell the asker in a direct message that their answer could not be written where they asked."""
        if error in NOT_THERE:
            sentence = translator.say("I cannot write in that channel. Invite me there with /invite, then ask again.")
        else:
            sentence = translator.say("I cannot write in that channel. Please ask me here instead.")
        post = partial(self._slack.call, self._slack.client.chat_postMessage, channel=place.user, text=sentence)
        try:
            await patiently(post)
        except (BotError, Refused) as refused:
            log.info("nor can its person be told: %s", refused)


def _place_of(asked: Message) -> Place:
    return Place(asked.channel, asked.thread, asked.ts, asked.user, asked.team)

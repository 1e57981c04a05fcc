"""Work off what the listeners stored: find the pictures, and have the question answered in its thread."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import ValidationError

from bots.conversing import strangers
from bots.conversing.actions import DisplayOptions
from bots.conversing.allow_list import AllowList
from bots.conversing.answering import acknowledge_pictures, respond
from bots.conversing.commands import COMMANDS, command_in, fixed_answer, pressed_question
from bots.conversing.dispatcher import Dispatcher
from bots.conversing.draft import FIRST_QUESTIONS, AnswerAction, Refused, Tell
from bots.conversing.request import AnswerRequest, Attachment, forgets
from bots.conversing.services import Services
from bots.conversing.streamed_reply import reply_factory
from bots.slack.api import SlackApi, patiently
from bots.slack.buttons import Buttons, Pressed, about_stranger
from bots.slack.config import SlackConfig
from bots.slack.conversations import Conversations
from bots.slack.draft import SlackDraft
from bots.slack.events import Json, SlackFile, fields
from bots.slack.files import Files
from bots.slack.finder import Finder, Found
from bots.slack.inquiry import LOST, Inquiries, Inquiry
from bots.slack.message import SlackMessage, no_picture, pictures
from bots.slack.people import People
from bots.slack.place import Place
from bots.slack.platform import SLACK
from bots.slack.sender import Sender
from bots.slack.status import Abilities, Status
from bots.slack.stream import Streams
from bots.slack.text import plain
from bots.slack.threads import Threads
from bots.slack.written import Asked, RemovedFiles, read
from core import inbox
from core.conversation import Answer, Image
from core.errors import BotError
from core.i18n import Translator
from core.latest import Latest

log = logging.getLogger(__name__)
MOST_DELETED = 1000  # files that are kept in mind
NOT_THERE = ("not_in_channel", "channel_not_found")
THREAD_GONE = ("cannot_reply_to_message", "thread_not_found", "message_not_found")
BESIDE_PICTURES = ("help", "new")  # with a picture of their own they are a greeting, or begin with that picture


class Worker:
    def __init__(self, config: SlackConfig, slack: SlackApi, services: Services) -> None:
        self.dispatcher = Dispatcher(
            services, SLACK, self._work, self._forgets, AllowList.of(config), tell_admins=self._ask_admins
        )
        self.people = People(slack)
        self.conversations = Conversations(services.store, slack.team, slack.bot)
        self._config = config
        self._slack = slack
        self._services = services
        self._threads = Threads(slack)
        self._files = Files(slack, services.images)
        self._inquiries = Inquiries(services.store, self._threads, slack.bot)
        self._finder = Finder(self._threads, self._files, services)
        self._background: set[asyncio.Task[None]] = set()
        self._abilities = Abilities(streams=config.streaming == "native")
        self._deleted: Latest[str, None] = Latest(MOST_DELETED)  # files that went away while they were asked about

    async def resume(self) -> None:
        """Take up what the last run left. A picture that waits in a direct message is what people go on with there."""
        for message in await self._services.store.unfinished("slack"):
            with suppress(ValidationError):
                written = read(message.payload)
                if isinstance(written, Asked) and written.message.direct and written.message.files:
                    self.conversations.note(written.message.channel, message.conversation_id)
        await self.dispatcher.inbox.resume()

    async def takes_part(self, conversation_id: str) -> bool:
        """Return whether the bot was asked in this thread before."""
        history = self._services.assistant.history
        known = self.dispatcher.inbox.waiting(conversation_id) or await history.last_key(conversation_id)
        return bool(known or await self._services.store.known_files(conversation_id))

    async def may(self, who: SlackMessage | Place) -> bool:
        """Return whether a person may do something that is done at once, or over an old answer.

        Everything else is stored unseen, and the dispatcher checks it, because an acknowledgement must not wait for one
        more read from disk.
        """
        return await self.dispatcher.permissions.may(who.user, [who.channel, who.team])

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

    async def _work(self, batch: Sequence[inbox.StoredMessage]) -> None:
        """Answer a stored message. Raises only errors for which the inbox should keep it until another start."""
        message = batch[0]
        try:
            written = read(message.payload)
        except ValidationError as error:  # stored by another version
            log.error("a stored message is not whole and is given up (%s)", fields(error))
            return
        if isinstance(written, RemovedFiles):
            await self._remove(written.files)
        elif not isinstance(written, Asked):
            await self._answer(await self._inquiries.read(message, written))
        elif (asked := await self._current(message, written.message)) is None:
            await self._sender(message, written.message.place).clear_away()
        elif not await self._is_bots(asked):
            await self._answer(await self._inquiries.read(message, Asked(message=asked)))

    async def _current(self, message: inbox.StoredMessage, asked: SlackMessage) -> SlackMessage | None:
        """Return the question as it is in Slack now, or None if it was deleted.

        What an earlier run began is continued.
        """
        if message.withdrawn:
            return None
        standing = await self._threads.standing(asked) if message.resumed else asked
        return asked if standing and message.sent else standing

    async def _is_bots(self, asked: SlackMessage) -> bool:
        """Return whether a bot wrote it, and no person through an app."""
        return asked.by_app and await self.people.is_bot(asked.user)

    async def _answer(self, inquiry: Inquiry) -> None:
        message, place = inquiry.message, inquiry.place
        asked = place.told or plain(inquiry.asked.text, self._slack.bot)
        translator = (await self.people.translator(place.user)).for_question(asked)
        if inquiry.command is not None and (pressed := pressed_question(inquiry.command)) is not None:
            question = pressed.asked("", translator) or ""
            inquiry.command, inquiry.text, inquiry.about = None, question, None
            place = inquiry.place = replace(place, told=question)  # "Try again" asks it again
        request = AnswerRequest(
            message.conversation_id,
            message.key,
            SLACK,
            f"slack:{place.team}:{place.user}",
            inquiry.text,
            inquiry.command,
            tuple(self._attachment(file) for file in inquiry.asked.files),
            about=inquiry.about,
            user=place.user,
            called=f"<@{place.user}>",
            places=(place.channel, place.team),
            quiet=not (place.direct and inquiry.asked.top_level),
            shared=not place.direct,
            begun_by_another=inquiry.command == "forget" and await self._threads.is_anothers(inquiry.asked),
            display=DisplayOptions(files=True, receipt=self._config.receipt),
        )
        refusal = None
        if inquiry.command == LOST:
            refusal = translator.say("I do not remember that answer any more. Please send the picture again.")
        keeps_old_answer = not message.resumed and await self._inquiries.is_over_answer(inquiry)
        reply = reply_factory(partial(self._draft, inquiry, translator, keeps_old_answer), translator)
        ask = partial(self._ask, inquiry, translator)
        try:
            await self.dispatcher.answer(message, request, translator, reply, ask, refusal)
        except Refused as refused:
            log.warning("an answer could not be delivered: %s", refused)
            if str(refused) not in THREAD_GONE:
                await self._tell(place, str(refused), translator)
        for file_id in inquiry.images.keys() & self._deleted.keys():
            file, images = f"slack:{file_id}", inquiry.images[file_id]
            # Its picture was saved with the answer after the file was deleted.
            await self._services.store.remember_file(file, message.conversation_id, images)
            await self._services.store.remove_file(file)

    async def _ask(self, inquiry: Inquiry, translator: Translator, request: AnswerRequest, tell: Tell) -> Answer:
        conversation_id = request.conversation_id
        if inquiry.is_misplaced:
            return fixed_answer(
                translator.say(
                    "This works only in a thread with a picture: each thread is a conversation of its own. "
                    'Say "{command}" in the thread of the picture.',
                    command=inquiry.command,
                )
            )
        found = Found()
        if inquiry.command in BESIDE_PICTURES:
            _, own = await self._threads.files(inquiry.asked, acquainted=True)
            found.own = tuple(pictures(own))
            if found.own:
                request = replace(request, command=None if inquiry.command == "help" else inquiry.command)
        elif inquiry.command in COMMANDS and inquiry.about is None:
            found.own = tuple(pictures(inquiry.asked.files))
        asks = inquiry.command is None or (inquiry.command == "retry" and inquiry.about)
        if asks and not await self._services.assistant.history.answered(request.key):
            if inquiry.about:
                found.own = tuple(pictures(inquiry.asked.files))
            else:
                found = await self._finder.find(inquiry.asked, request, translator)
            inquiry.images.update(found.images)
            if inquiry.asked.files and not found.own:
                return fixed_answer(no_picture(inquiry.asked.files, translator))
            if found.numbers and not found.own and not inquiry.text:
                if request.offer is not None:
                    request.offer(FIRST_QUESTIONS)
                return fixed_answer(" ".join([acknowledge_pictures(found.numbers, translator), *found.notes]))
            if not (found.own or found.numbers) and inquiry.links and not await self._has_pictures(conversation_id):
                found.notes.append(translator.say("I fetch nothing from addresses. Please upload the picture itself."))

        async def made(index: int, image: Image) -> None:
            if file_id := found.own[index].id:
                inquiry.images.setdefault(file_id, []).append(image.id)
                await self._services.store.remember_file(f"slack:{file_id}", conversation_id, [image.id])

        files = tuple(self._attachment(file) for file in found.own)
        request = replace(request, files=files, notes=(*request.notes, *found.notes), made=made)
        return await respond(request, self._services, translator, tell)

    async def _has_pictures(self, conversation_id: str) -> bool:
        return bool((await self._services.store.outline(conversation_id)).pictures)

    def _draft(
        self, inquiry: Inquiry, translator: Translator, keeps_old_answer: bool, message: inbox.StoredMessage
    ) -> SlackDraft:
        place, closer = inquiry.place, None
        if inquiry.command == AnswerAction.SMALL_PRINT and inquiry.about is not None:
            closer = Pressed(inquiry.command, inquiry.key, inquiry.about)
        buttons = Buttons(place, message.key, translator, inquiry.asks_model, closer)
        status = Status(self._slack, place, self._abilities)
        return SlackDraft(
            self._slack, self._sender(message, place), status, buttons, self._config.interval_seconds, keeps_old_answer
        )

    def _sender(self, message: inbox.StoredMessage, place: Place) -> Sender:
        stopped = partial(self.dispatcher.stop, message.conversation_id)
        return Sender(self._slack, place, message, Streams(self._slack, place, message.key, self._abilities, stopped))

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
        await self._post(place.user, sentence)

    def _ask_admins(self, request: AnswerRequest) -> None:
        """Ask each admin, in the background, whether a stranger is let in."""
        text = strangers.told_to_admins(request)
        for admin in self._config.admins:
            self.later(self._post(admin, text, about_stranger(text, request.user)))

    async def _post(self, person: str, text: str, blocks: list[Json] | None = None) -> None:
        """Write to somebody in their conversation with the app, if that is possible."""
        post = self._slack.client.chat_postMessage
        try:
            await patiently(partial(self._slack.call, post, channel=person, text=text, blocks=blocks))
        except (BotError, Refused) as refused:
            log.info("%s cannot be told: %s", person, refused)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task in the background whose failure does not matter."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        """Stop. Unfinished messages wait on disk for the next start."""
        await self.dispatcher.inbox.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

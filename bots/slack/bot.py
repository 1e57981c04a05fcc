"""Works off what the listeners wrote down: finds the pictures, asks the assistant, shows the answer in the thread."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from bots.extras import Offer, Wishes
from bots.orders import says
from bots.reply import File, Later, Refused, reply
from bots.request import Memory, Request
from bots.response import respond
from bots.slack.api import Declined, SlackApi, patiently
from bots.slack.config import Config
from bots.slack.draft import Draft
from bots.slack.message import Json, Message, command_of, pictures
from bots.slack.status import Abilities, Place
from bots.slack.text import plain
from bots.slack.threads import Threads
from core import inbox
from core.assistant import Assistant
from core.conversation import Event, Image
from core.documents import open_document
from core.errors import BotError, OperatorError
from core.images import Config as ImagesConfig
from core.voice import Voice

log = logging.getLogger(__name__)
THREAD_PICTURES = 10  # of a thread that began without the bot, the latest
LOCALES = 2_000  # people whose language is kept in mind
ASKING = (None, "retry", Offer.SMALL_PRINT)  # what the model answers
REWRITING = ("retry", Offer.SMALL_PRINT)  # over the old answer


class Shelf(inbox.Mailbox, Memory, Protocol):
    """What the bot keeps on disk: `storage.Store`."""

    ratings: bool  # whether answers may be rated

    async def rate_sent(self, adapter: str, sent: str, rating: int) -> bool: ...

    async def remember_file(self, file: str, conversation_id: str, image_ids: Sequence[str]) -> None: ...

    async def known_files(self, conversation_id: str) -> set[str]: ...

    async def remove_file(self, file: str) -> bool: ...


@dataclass(slots=True)
class _Task:
    """One answer. `about` is the id of the message below which a button was pressed."""

    message: inbox.Message
    asked: Message
    place: Place
    command: str | None
    text: str
    about: str | None = None
    stopped: bool = False
    images: dict[str, list[str]] = field(default_factory=dict)  # of the question: a file's id -> its images'


class Bot:
    """`failure` gets what the operator has to mend before any work can go on."""

    def __init__(
        self, config: Config, slack: SlackApi, assistant: Assistant, shelf: Shelf, images: ImagesConfig
    ) -> None:
        self.inbox = inbox.Inbox(shelf, "slack", self._work)
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._config = config
        self._slack = slack
        self._threads = Threads(slack)
        self._assistant = assistant
        self._shelf = shelf
        self._images = images
        self._abilities = Abilities(streams=config.streaming == "native")
        self._locales: dict[str, str] = {}
        self._running: dict[str, _Task] = {}
        self._resumed: set[int] = set()
        self._deleted: set[str] = set()  # files that went away while this process runs

    async def resume(self) -> None:
        """Take up what the last run left; what it had begun to post may not be written down."""
        self._resumed = {message.id for message in await self._shelf.unfinished("slack")}
        await self.inbox.resume()

    def stop(self, conversation_id: str) -> None:
        """At once, not in line: the running answer ends, one that has not begun yet does not begin."""
        if task := self._running.get(conversation_id):
            task.stopped = True
            self._assistant.stop(conversation_id)

    async def stop_once(self, key: str, conversation_id: str, payload: str) -> bool:
        """By a message: written down too, so that its re-delivery does not stop a later answer. False if none runs."""
        if conversation_id not in self._running:
            return False
        if message := await self._shelf.put("slack", key, conversation_id, payload):
            self.stop(conversation_id)
            await self._shelf.finish([message.id])
        return True

    async def rate(self, sent: str, rating: int) -> None:
        """A thumb: 1 up, -1 down, 0 taken back. Not written down first; a lost one is no loss."""
        if self._shelf.ratings:
            await self._shelf.rate_sent("slack", sent, rating)

    async def takes_part(self, conversation_id: str) -> bool:
        """Whether the bot was asked there before."""
        known = self.inbox.waiting(conversation_id) or await self._assistant.history.last_key(conversation_id)
        return bool(known or await self._shelf.known_files(conversation_id))

    async def voice(self, user: str) -> Voice:
        if user not in self._locales:
            request = partial(self._slack.client.users_info, user=user, include_locale=True)
            try:
                answer = await patiently(lambda: self._slack.call(request()), attempts=3)
            except (Declined, BotError) as error:
                log.info("a person's language cannot be seen: %s", error)
                return Voice("en")
            if len(self._locales) >= LOCALES:
                self._locales.clear()
            self._locales[user] = str(answer["user"].get("locale") or "en")
        return Voice(self._locales[user])

    async def _work(self, batch: Sequence[inbox.Message]) -> None:
        """Raises only what the inbox should keep for another start."""
        message = batch[0]
        payload: Json = json.loads(message.payload)
        try:
            if payload["kind"] == "removed":
                await self._remove(payload["files"])
            else:
                await self._answer(await self._task(message, payload))
        except OperatorError as error:
            if not self.failure.done():
                self.failure.set_exception(error)
            raise
        finally:
            self._resumed.discard(message.id)

    async def _task(self, message: inbox.Message, payload: Json) -> _Task:
        if payload["kind"] == "message":
            asked = Message.from_json(payload["message"])
            place = Place(asked.channel, asked.thread, asked.ts, asked.user, asked.team)
            command, text = command_of(plain(asked.text, self._slack.bot))
            return _Task(message, asked, place, command, text)
        place = Place(**payload["place"])
        asked = await self._threads.question(place)
        if payload["kind"] == "window":
            return _Task(message, replace(asked, text=payload["text"]), place, None, payload["text"])
        if payload["command"] in REWRITING and not message.sent:
            message = replace(message, sent=await self._threads.answer(place, payload["key"]))
            await self._shelf.record_sent(message.id, message.sent)  # it will carry another key from now on
        text = plain(asked.text, self._slack.bot)
        return _Task(message, asked, place, payload["command"], text, payload["about"])

    async def _answer(self, task: _Task) -> None:
        message, place = task.message, task.place
        voice = await self.voice(place.user)
        self._running[message.conversation_id] = task
        try:
            async with self._draft(task, voice) as draft:
                record = partial(self._shelf.record_sent, message.id)
                await reply(self._events(task, voice, draft), draft, voice, message.sent, record)
        except Refused as refused:
            log.warning("an answer could not be delivered: %s", refused)
            if str(refused) in ("not_in_channel", "channel_not_found"):
                await self._ask_in(place, voice)
        finally:
            del self._running[message.conversation_id]
        for file_id in task.images.keys() & self._deleted:  # its picture was saved with the answer after that
            await self._shelf.remember_file(f"slack:{file_id}", message.conversation_id, task.images[file_id])
            await self._shelf.remove_file(f"slack:{file_id}")

    async def _events(self, task: _Task, voice: Voice, draft: Draft) -> AsyncGenerator[Event | File]:
        place, conversation_id = task.place, task.message.conversation_id
        if not self._config.allows(place.user, place.channel, place.team):
            yield says(_stranger(place, voice))
            return
        own: list[Json] = []
        if task.command in (None, "retry") and not await self._assistant.history.answered(task.message.key):
            known = await self._shelf.known_files(conversation_id)
            earlier, files = await self._threads.files(task.asked, acquainted=bool(known))
            unknown = [] if task.about else [file for file in earlier if f"slack:{file['id']}" not in known]
            numbers = await self._take_in(unknown, conversation_id, task.text)
            own = pictures(files)
            if files and not own:
                yield says(_no_picture(voice))
                return
            if numbers and not own and not task.text:
                yield says(_got(numbers, voice))
                return

        async def made(index: int, image: Image) -> None:
            task.images.setdefault(own[index]["id"], []).append(image.id)
            await self._shelf.remember_file(f"slack:{own[index]['id']}", conversation_id, [image.id])

        request = Request(
            conversation_id,
            task.message.key,
            f"slack:{place.team}:{place.user}",
            task.text,
            task.command,
            tuple(partial(self._download, file) for file in own),
            task.about,
            _help(voice),
            lambda: task.stopped,
            made,
            Wishes(files=True, receipt=self._config.receipt),
            draft.offer,
        )
        async with aclosing(respond(request, self._assistant, self._shelf, self._images, voice)) as events:
            async for event in events:
                yield event

    def _draft(self, task: _Task, voice: Voice) -> Draft:
        return Draft(
            self._slack,
            task.place,
            task.message.key,
            voice,
            self._abilities,
            self._config.interval,
            task.message.sent,
            resumed=task.message.id in self._resumed,
            model=task.command in ASKING and bool(task.text),
            stopped=partial(self.stop, task.message.conversation_id),
        )

    async def _take_in(self, files: list[Json], conversation_id: str, words: str) -> list[int]:
        """Pictures from before the bot was asked; one that cannot be looked at must not spoil every later question."""
        numbers = []
        for file in pictures(tuple(files))[-THREAD_PICTURES:]:
            try:
                document = await open_document(await self._download(file), words, self._images)
            except BotError as error:
                log.info("a picture earlier in the thread is left out: %s", error.sentence)
                continue
            ids = [image.id for image in document.images]
            await self._shelf.remember_file(f"slack:{file['id']}", conversation_id, ids)
            numbers += [await self._assistant.history.add_picture(conversation_id, image) for image in document.images]
        return numbers

    async def _download(self, file: Json) -> bytes:
        data: bytes = await patiently(partial(self._slack.download, file, self._images))
        return data

    async def _remove(self, file_ids: Sequence[str]) -> None:
        for file_id in file_ids:
            self._deleted.add(file_id)
            if await self._shelf.remove_file(f"slack:{file_id}"):
                log.info("a picture that was deleted in Slack is removed")

    async def _ask_in(self, place: Place, voice: Voice) -> None:
        """The shortcut works on any message, also where the bot cannot write."""
        sentence = voice.say("I cannot write in that channel. Invite me there with /invite, then ask again.")
        try:
            await self._slack.call(self._slack.client.chat_postMessage(channel=place.user, text=sentence))
        except (Later, Refused, OperatorError) as error:
            log.info("nor can its person be told: %s", error)


def payload_of(message: Message) -> str:
    return payload("message", message=asdict(message))


def payload(kind: str, **values: Any) -> str:
    return json.dumps({"kind": kind, **values})


def _stranger(place: Place, voice: Voice) -> str:
    return voice.say(
        "You are not on this bot's list. Whoever runs it can let you in: "
        "allow = ['{user}'] in [bots.slack] for you, ['{channel}'] for everybody in this channel.",
        user=place.user,
        channel=place.channel,
    )


def _help(voice: Voice) -> str:
    return voice.say(
        "Send me a picture with your question, or mention me in a channel or below a picture; then ask on in the "
        "thread. A word alone works too: *new* begins anew, *pictures* shows them, *remove 2* removes one, *stop* "
        "ends an answer, *export* gives you the conversation as a file, *forget* deletes it with its pictures."
    )


def _no_picture(voice: Voice) -> str:
    return voice.say("I can only look at pictures: photos, and pictures sent as files. Send me one and ask about it.")


def _got(numbers: list[int], voice: Voice) -> str:
    if len(numbers) == 1:
        return voice.say("Got picture {number}. What would you like to know?", number=numbers[0])
    return voice.say("Got pictures {numbers}. What would you like to know?", numbers=", ".join(map(str, numbers)))

"""Works off what the listeners wrote down: finds the pictures, asks the assistant, shows the answer in the thread."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from bots.reply import File, Later, Refused, reply
from bots.orders import says
from bots.request import Memory, Request
from bots.response import respond
from bots.slack.api import Declined, SlackApi, patiently
from bots.slack.config import Config
from bots.slack.draft import Abilities, Draft, Place
from bots.slack.message import Json, Message, command_of, pictures
from bots.slack.text import plain
from core import inbox
from core.assistant import Assistant
from core.conversation import Event, Image
from core.errors import BotError, OperatorError
from core.images import Config as ImagesConfig
from core.images import make_image
from core.voice import Voice

log = logging.getLogger(__name__)
THREAD_PICTURES = 10  # of a thread that began without the bot, the latest
THREAD_PAGES = 5  # of 200 messages each
LOCALES = 2_000  # people whose language is kept in mind


class Shelf(inbox.Mailbox, Memory, Protocol):
    """What the bot keeps on disk: `storage.Store`."""

    async def remember_file(self, file: str, conversation_id: str, image_ids: Sequence[str]) -> None: ...

    async def known_files(self, conversation_id: str) -> set[str]: ...

    async def remove_file(self, file: str) -> bool: ...


@dataclass(slots=True)
class _Running:
    stopped: bool = False
    images: dict[str, str] = field(default_factory=dict)  # of the question: the file's id -> the image's


class Bot:
    """`failure` gets what the operator has to mend before any work can go on."""

    def __init__(
        self, config: Config, slack: SlackApi, assistant: Assistant, shelf: Shelf, images: ImagesConfig
    ) -> None:
        self.inbox = inbox.Inbox(shelf, "slack", self._work)
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._config = config
        self._slack = slack
        self._assistant = assistant
        self._shelf = shelf
        self._images = images
        self._abilities = Abilities(streams=config.streaming == "native")
        self._locales: dict[str, str] = {}
        self._running: dict[str, _Running] = {}
        self._resumed: set[int] = set()
        self._deleted: set[str] = set()  # files that went away while this process runs

    async def resume(self) -> None:
        """Take up what the last run left; what it had begun to post may not be written down."""
        self._resumed = {message.id for message in await self._shelf.unfinished("slack")}
        await self.inbox.resume()

    def stop(self, conversation_id: str) -> None:
        """At once, not in line: the running answer ends, one that has not begun yet does not begin."""
        if running := self._running.get(conversation_id):
            running.stopped = True
            self._assistant.stop(conversation_id)

    async def stop_once(self, key: str, conversation_id: str, payload: str) -> bool:
        """By a message: written down too, so that its re-delivery does not stop a later answer. False if none runs."""
        if conversation_id not in self._running:
            return False
        if message := await self._shelf.put("slack", key, conversation_id, payload):
            self.stop(conversation_id)
            await self._shelf.finish([message.id])
        return True

    async def takes_part(self, conversation_id: str) -> bool:
        """Whether the bot was asked there before."""
        known = self.inbox.waiting(conversation_id) or await self._assistant.history.last_key(conversation_id)
        return bool(known or await self._shelf.known_files(conversation_id))

    async def _work(self, batch: Sequence[inbox.Message]) -> None:
        """Raises only what the inbox should keep for another start."""
        message = batch[0]
        payload: Json = json.loads(message.payload)
        try:
            match payload["kind"]:
                case "message":
                    asked = Message.from_json(payload["message"])
                    place = Place(asked.channel, asked.thread, asked.ts, asked.user, asked.team)
                    await self._answer(message, asked, place, message.sent)
                case "retry":
                    place = Place(**payload["place"])
                    asked = await self._look_up(place)
                    await self._answer(message, asked, place, message.sent or tuple(payload["sent"]), payload["about"])
                case "window":
                    place = Place(**payload["place"])
                    asked = replace(await self._look_up(place), text=payload["text"])
                    await self._answer(message, asked, place, message.sent)
                case "removed":
                    await self._remove(payload["files"])
        except OperatorError as error:
            if not self.failure.done():
                self.failure.set_exception(error)
            raise
        finally:
            self._resumed.discard(message.id)

    # A question

    async def _answer(
        self, message: inbox.Message, asked: Message, place: Place, sent: tuple[str, ...], about: str | None = None
    ) -> None:
        """With `about`, the id of the message with an old answer: once more, over the old one."""
        voice = await self.voice(place.user)
        running = self._running[message.conversation_id] = _Running()
        record = partial(self._shelf.record_sent, message.id)
        try:
            async with self._draft(message, place, voice, sent) as draft:
                events = self._events(message, asked, place, voice, draft, running, about)
                await reply(events, draft, voice, sent, record)
        except Refused as refused:
            log.warning("an answer could not be delivered: %s", refused)
            if str(refused) in ("not_in_channel", "channel_not_found"):
                await self._ask_in(place, voice)
        finally:
            del self._running[message.conversation_id]
        for file_id in running.images.keys() & self._deleted:  # its picture was saved with the answer after that
            name = _name({"id": file_id})
            await self._shelf.remember_file(name, message.conversation_id, [running.images[file_id]])
            await self._shelf.remove_file(name)

    async def _events(
        self,
        message: inbox.Message,
        asked: Message,
        place: Place,
        voice: Voice,
        draft: Draft,
        running: _Running,
        about: str | None,
    ) -> AsyncGenerator[Event | File]:
        if not self._config.allows(place.user, place.channel, place.team):
            yield says(self._stranger(place, voice))
            return
        text = plain(asked.text, self._slack.bot)
        command, rest = ("retry", text) if about else command_of(text)
        own: list[Json] = []
        if command in (None, "retry") and not await self._assistant.history.answered(message.key):
            earlier, files = await self._find_files(asked, message.conversation_id)
            numbers = await self._take_in([] if about else earlier, message.conversation_id)
            own = pictures(files)
            if files and not own:
                yield says(
                    voice.say(
                        "I can only look at pictures: photos, and pictures sent as files. Send me one and ask about it."
                    )
                )
                return
            if numbers and not own and not text:
                yield says(_got(numbers, voice))
                return
        draft.retries = command in (None, "retry") and bool(text)

        async def made(index: int, image: Image) -> None:
            running.images[own[index]["id"]] = image.id
            await self._shelf.remember_file(_name(own[index]), message.conversation_id, [image.id])

        request = Request(
            message.conversation_id,
            message.key,
            f"slack:{place.team}:{place.user}",
            rest,
            command,
            tuple(partial(self._download, file) for file in own),
            about,
            self._help(voice),
            lambda: running.stopped,
            made,
        )
        async with aclosing(respond(request, self._assistant, self._shelf, self._images, voice)) as events:
            async for event in events:
                yield event

    async def _ask_in(self, place: Place, voice: Voice) -> None:
        """The shortcut works on any message, also where the bot cannot write."""
        sentence = voice.say("I cannot write in that channel. Invite me there with /invite, then ask again.")
        try:
            await self._slack.call(self._slack.client.chat_postMessage(channel=place.user, text=sentence))
        except (Later, Refused, OperatorError) as error:
            log.info("nor can its person be told: %s", error)

    def _draft(self, message: inbox.Message, place: Place, voice: Voice, sent: tuple[str, ...]) -> Draft:
        resumed = message.id in self._resumed
        stopped = partial(self.stop, message.conversation_id)
        return Draft(
            self._slack, place, message.key, voice, self._abilities, self._config.interval, sent, resumed, stopped
        )

    def _stranger(self, place: Place, voice: Voice) -> str:
        return voice.say(
            "You are not on this bot's list. Whoever runs it can let you in: "
            "allow = ['{user}'] in [bots.slack] for you, ['{channel}'] for everybody in this channel.",
            user=place.user,
            channel=place.channel,
        )

    def _help(self, voice: Voice) -> str:
        return voice.say(
            "Send me a picture with your question, or mention me in a channel or below a picture; then ask on in the "
            "thread. A word alone works too: *new* begins anew, *pictures* lists them, *remove 2* removes one, *stop* "
            "ends an answer, *forget* deletes the conversation and its pictures."
        )

    # Its pictures

    async def _find_files(self, asked: Message, conversation_id: str) -> tuple[list[Json], tuple[Json, ...]]:
        """Files from earlier in the thread that are new here, and the message's own: a mention may come without."""
        known = await self._shelf.known_files(conversation_id)
        if (asked.top_level and asked.files) or (asked.direct and (asked.top_level or known)):
            return [], asked.files
        try:
            messages = await patiently(partial(self._thread, asked.channel, asked.thread, asked.ts))
        except (Declined, OperatorError) as error:
            log.error("pictures earlier in a thread cannot be seen: %s", error)
            return [], asked.files
        earlier: list[Json] = []
        own = asked.files
        for message in messages:
            files = message.get("files") or ()
            if message["ts"] == asked.ts:
                own = own or tuple(files)
            elif message["ts"] < asked.ts and message.get("user") != self._slack.bot:
                earlier += [file for file in files if _name(file) not in known and file.get("mode") != "tombstone"]
        return earlier, own

    async def _take_in(self, files: list[Json], conversation_id: str) -> list[int]:
        """Pictures from before the bot was asked; one that cannot be looked at must not spoil every later question."""
        numbers = []
        for file in pictures(tuple(files))[-THREAD_PICTURES:]:
            try:
                image = await make_image(await self._download(file), self._images)
            except BotError as error:
                log.info("a picture earlier in the thread is left out: %s", error.sentence)
                continue
            await self._shelf.remember_file(_name(file), conversation_id, [image.id])
            numbers.append(await self._assistant.history.add_picture(conversation_id, image))
        return numbers

    async def _download(self, file: Json) -> bytes:
        data: bytes = await patiently(partial(self._slack.download, file, self._images))
        return data

    async def _look_up(self, place: Place) -> Message:
        """What was asked, as it stands in Slack."""
        nothing = Message(place.channel, place.asked, place.thread, place.user, place.team, "")
        try:
            messages = await patiently(partial(self._thread, place.channel, place.thread, place.asked))
        except (Declined, BotError) as error:
            log.warning("a question cannot be looked up: %s", error)
            return nothing
        found = [message for message in messages if message["ts"] == place.asked]
        return (found and Message.of({**found[0], "channel": place.channel}, place.team)) or nothing

    async def _thread(self, channel: str, thread: str, latest: str) -> list[Json]:
        found: list[Json] = []
        cursor = None
        for _ in range(THREAD_PAGES):
            answer = await self._slack.call(
                self._slack.client.conversations_replies(
                    channel=channel, ts=thread, latest=latest, inclusive=True, limit=200, cursor=cursor
                )
            )
            found.extend(answer["messages"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found

    async def _remove(self, file_ids: Sequence[str]) -> None:
        for file_id in file_ids:
            self._deleted.add(file_id)
            if await self._shelf.remove_file(f"slack:{file_id}"):
                log.info("a picture that was deleted in Slack is removed")

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


def payload_of(message: Message) -> str:
    return payload("message", message=asdict(message))


def payload(kind: str, **values: Any) -> str:
    return json.dumps({"kind": kind, **values})


def _got(numbers: list[int], voice: Voice) -> str:
    if len(numbers) == 1:
        return voice.say("Got picture {number}. What would you like to know?", number=numbers[0])
    return voice.say("Got pictures {numbers}. What would you like to know?", numbers=", ".join(map(str, numbers)))


def _name(file: Json) -> str:
    return f"slack:{file['id']}"

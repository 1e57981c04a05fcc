"""Somebody on Slack: in a thread of a channel, or in direct messages."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bots.slack.message_metadata import key_of
from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import BOT, TEAM, Json, buttons, said
from tests.chaos.people import PDF, Book, Person, is_document, own, without_introduction
from tests.chaos.stubborn import StubbornWorkspace

AGAIN = "again"  # the place of an answer that was drawn anew
FIRST = 1000  # of their ids
PLACEHOLDERS = ("…", "")  # before an answer
IN_PRIVATE = ("asks twice", "has no picture", "says thanks", "stops", "takes along")
ALONE = ("never edited", "never uploaded", "is refused")


class OnSlack(Person):
    """Slack keeps no order while the bot is away, so nobody says more before what they said has arrived.

    One in five of those who may is in direct messages; who has trouble has a channel of their own.
    """

    platform = "slack"
    rewrites = True

    def __init__(
        self, slack: FakeSlack, number: int, kind: str, book: Book, dice: random.Random, copies: int = 1
    ) -> None:
        super().__init__(number, kind, book, dice, copies)
        assert isinstance(slack.workspace, StubbornWorkspace)
        self.mimetype = "image/png"
        self._slack = slack
        self._workspace = slack.workspace
        self._user = f"U{FIRST + number}"
        self._private = f"D{FIRST + number}"
        self._direct = kind == "goes on in private" or (kind in IN_PRIVATE and number % 5 == 4)
        self._thread = ""
        self._threads: list[str] = []
        self._channel = self._private if self._direct else f"C{FIRST + number}" if kind in ALONE else "C0GENERAL"
        self._workspace.channels.setdefault(self._channel, [])
        self._workspace.members.add(self._channel)

    # What they do

    async def ask(self, text: str, pictures: Sequence[bytes] = (), who: int = 0) -> str:
        files = tuple(map(self._upload, pictures))
        user = f"{self._user}{who}" if who else self._user
        thread = self._thread or None
        with self._arriving():
            ts = self._slack.says(self._spoken(text), files, channel=self._channel, thread=thread, user=user)
        self._thread = self._thread or ts
        self._threads += [] if thread else [ts]
        await self._told(self._thread)
        return ts

    async def ask_anew(self, text: str, pictures: Sequence[bytes] = ()) -> str:
        """Not in the thread: in direct messages, people simply write the next one."""
        self._thread = ""
        return await self.ask(text, pictures)

    async def order(self, command: str) -> str:
        """A word; to be answered again is a button."""
        if command != "retry":
            return await self.ask(command)
        message, button = self._button("retry")[0]
        self.display.clear()  # it is written over
        self._slack.presses(button, message, channel=self._channel, user=self._user)
        return AGAIN

    async def set(self, name: str) -> str:
        return await self.order(f"settings {name} off")

    async def rate(self, place: str) -> bool:
        with self._arriving():
            self._slack.reacts("+1", self._finished(place)[0], self._channel)
        return False

    async def stop(self, place: str) -> None:
        """In their latest thread: by the button below what is being written, if it can be seen already; or in words."""
        growing = [each for each in self._button("stop") if each[0]["thread_ts"] == self._thread]
        if growing and self.dice.random() < 0.5:
            self._slack.presses(growing[0][1], growing[0][0], channel=self._channel, user=self._user)
        else:
            self.wants(await self.ask("stop"), own, least=0)

    def _button(self, action: str) -> list[tuple[Json, Json]]:
        return [(message, b) for message in self._messages() for b in buttons(message) if b["action_id"] == action]

    async def edit(self, place: str, text: str) -> None:
        message = self._workspace.find(self._channel, place)
        before = dict(message)
        second = int(float(self._workspace.ts()))
        message.update(text=self._spoken(text), edited={"user": self._user, "ts": f"{second}.000000"})
        await self._change("message_changed", hidden=True, message=dict(message), previous_message=before)

    async def delete(self, place: str) -> None:
        """Returns when Slack has been told that this was heard."""
        message = self._workspace.find(self._channel, place)
        self._workspace.channels[self._channel].remove(message)
        await self._change("message_deleted", deleted_ts=place, previous_message=message)

    async def share(self, text: str, pictures: Sequence[bytes]) -> str:
        """Somebody else's message, forwarded with a comment."""
        files = [self._upload(picture) for picture in pictures]
        shared = {"is_share": True, "channel_id": "C0ELSEWHERE", "ts": self._workspace.ts(), "text": "", "files": files}
        message: Json = {"type": "message", "user": self._user, "team": TEAM, "ts": self._workspace.ts()}
        message |= {"text": self._spoken(text), "attachments": [shared]}
        self._workspace.channels[self._channel].append(message)
        self._thread = str(message["ts"])
        self._threads.append(self._thread)
        with self._arriving():
            if not self._direct:
                self._slack.tell({**message, "type": "app_mention", "channel": self._channel})
            self._slack.tell({**message, "channel": self._channel, "channel_type": "im" if self._direct else "channel"})
        await self._told(self._thread)
        return self._thread

    def forbid_writing(self) -> None:
        self._workspace.forbids_writing.add(self._channel)

    def forbid_edits(self) -> None:
        self._workspace.forbids_edits.add(self._channel)

    def forbid_uploads(self) -> None:
        self._workspace.forbids_uploads.add(self._channel)

    # What they see

    def found(self, place: str) -> list[str]:
        return [without_introduction(said(message)) for message in self._finished(place)]

    def begun(self, place: str) -> bool:
        """Of a question that began its thread."""
        return any(said(message) not in PLACEHOLDERS for message in self._workspace.answers(self._channel, place))

    def file(self, place: str) -> bytes:
        [message] = self._finished(place)
        return bytes(message["files"][0]["data"])

    def everything(self) -> list[str]:
        return [
            without_introduction(said(message)) for message in self._messages() if not is_growing(self._slack, message)
        ]

    def shown(self) -> list[str]:
        first = self._workspace.answers(self._channel, self._threads[0]) if self._threads else []
        return [message["ts"] for message in first if not is_growing(self._slack, message)]

    def marks(self) -> list[str]:
        """At messages in the threads, and at those that began them."""
        here = self._workspace.channels[self._channel]
        mine = [each for each in here if {each["ts"], each.get("thread_ts")} & {*self._threads}]
        return [each["ts"] for each in mine if each["ts"] in self._workspace.reactions]

    def leftovers(self) -> dict[str, float]:
        left = [str(message["ts"]) for message in self._messages() if is_growing(self._slack, message)]
        return {ts: time.monotonic() - time.time() + float(ts) for ts in left}

    def in_order(self) -> bool:
        """They stand below each other."""
        shown = [m["ts"] for wish in self.display for place in wish.places for m in self._finished(place)]
        return shown == sorted(shown)

    @property
    def conversation(self) -> str:
        """Of their first thread."""
        return f"slack:{TEAM}:{self._channel}:{(self._threads or [''])[0]}"

    def _finished(self, place: str) -> list[Json]:
        """A message carries in its metadata which answer it is."""
        if self._channel in self._workspace.forbids_writing:
            return self._workspace.channels.get(self._private, [])
        return [
            message
            for message in self._messages()
            if _belongs(key_of(message) or "", place) and not is_growing(self._slack, message)
        ]

    def _messages(self) -> list[Json]:
        return [message for each in self._threads for message in self._workspace.answers(self._channel, each)]

    def _spoken(self, text: str) -> str:
        return text if self._direct else f"<@{BOT}> {text}".rstrip()

    def _upload(self, picture: bytes) -> Json:
        return self._slack.upload(picture, mimetype=PDF if is_document(picture) else self.mimetype)

    async def _change(self, subtype: str, **content: Any) -> None:
        """One event about a message; nothing more is done before Slack knows that it was heard."""
        moment = self._workspace.ts()
        event = {"type": "message", "subtype": subtype, "channel": self._channel, "ts": moment, "event_ts": moment}
        self._slack.tell({**event, **content}, self.copies)
        await self._told(moment)

    async def _told(self, place: str) -> None:
        while self._slack.undelivered(self._channel, place):
            await asyncio.sleep(0.05)

    @contextmanager
    def _arriving(self) -> Iterator[None]:
        """What is sent meanwhile arrives as often as this person's messages do."""
        self._slack.copies = self.copies
        try:
            yield
        finally:
            self._slack.copies = 1


def is_growing(slack: FakeSlack, message: Json) -> bool:
    """A placeholder, or an answer that is still being written.

    A stream gets its metadata when its answer is whole. Without it, it was left open by a process that died, and stays
    unfinished while the next one stops it and then replaces its words.
    """
    stopping = any(button["action_id"] == "stop" for button in buttons(message))
    unfinished = "stream" in message and "metadata" not in message
    return stopping or unfinished or said(message) in PLACEHOLDERS or slack.workspace.is_open(message["ts"])


def _belongs(key: str, place: str) -> bool:
    return key.startswith("slack:retry:") if place == AGAIN else key.endswith(f":{place}")

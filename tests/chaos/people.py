"""People, each at one door, who ask two things about a picture and remember what they were told."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import httpx

from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import BOT, buttons, said
from tests.bots.telegram import person as telegram_person
from tests.bots.telegram.conftest import is_finished
from tests.bots.telegram.server import BotApi

SAMPLES = Path(__file__).parents[2] / "core" / "demo" / "samples"
AGAIN_S = 0.3  # before somebody on the web sends a question again


@dataclass(frozen=True)
class Talk:
    """What somebody asks: the pictures with the first question, the others below it."""

    pictures: tuple[bytes, ...]
    questions: tuple[str, ...]


@cache
def talks() -> tuple[Talk, ...]:
    """Different pictures and questions, so that an answer to somebody else would be seen; one is about two pictures."""
    listed = json.loads((SAMPLES / "samples.json").read_text("utf-8"))
    # A drawn box is a picture beside the words: tests/bots/test_features.py counts those.
    samples = {name: [pair for pair in asked if "bbox" not in pair["answer"]] for name, asked in listed.items()}
    pictures = {name: (SAMPLES / name).read_bytes() for name in samples}
    alone = tuple(
        Talk((pictures[name],), (asked[first]["question"], asked[-1 - first]["question"]))
        for name, asked in samples.items()
        for first in (0, 1)
    )
    one, two = list(samples)[:2]
    both = Talk((pictures[one], pictures[two]), (samples[one][0]["question"], samples[two][0]["question"]))
    return (*alone, both)


class Person(Protocol):
    """`ask` returns when everything is sent; `copies` is how often each message arrives."""

    door: str

    async def ask(self, talk: Talk, copies: int) -> None: ...

    def answers(self) -> list[str]:
        """What stands there as finished answers, in the order of the questions they belong to or stand below."""
        ...

    def in_order(self) -> bool:
        """Whether each answer was complete before the next one."""
        ...

    def leftovers(self) -> int:
        """Messages of the bot that never became an answer."""
        ...


@dataclass(eq=False)
class OnTelegram:
    """One in five asks in a topic of a group; several pictures come as an album."""

    telegram: BotApi
    number: int
    door: str = "telegram"
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def ask(self, talk: Talk, copies: int) -> None:
        self.telegram.copies = copies
        topic, mention = (3, "@picture_bot ") if self._in_group else (None, "")
        person = telegram_person.Person(self.telegram, self._chat, 10_000 + self.number, topic=topic)
        first, *others = talk.pictures
        album = f"album {self.number}" if others else None
        self.asked = [person.shows(first, mention + talk.questions[0], album=album)]
        for picture in others:
            person.shows(picture, album=album)
        self.asked += [person.says(mention + question) for question in talk.questions[1:]]
        self.telegram.copies = 1

    def answers(self) -> list[str]:
        return [message["text"] for message in self._finished()]

    def in_order(self) -> bool:
        ends = [self._chat.states[message["message_id"]][-1][0] for message in self._finished()]
        return ends == sorted(ends)

    def leftovers(self) -> int:
        return len(self._chat.by_bot()) - len(self._finished())

    @property
    def _in_group(self) -> bool:
        return self.number % 5 == 4

    @property
    def _chat(self) -> Any:
        number = 10_000 + self.number
        return self.telegram.world.chat(-number if self._in_group else number, forum=self._in_group)

    def _finished(self) -> list[dict[str, Any]]:
        return [m for q in self.asked for m in self._chat.answers_to(q["message_id"]) if is_finished(m)]


@dataclass(eq=False)
class OnSlack:
    slack: FakeSlack
    number: int
    door: str = "slack"
    thread: str = ""

    async def ask(self, talk: Talk, copies: int) -> None:
        """Slack keeps no order while the bot is away, so nobody asks on before what they said has arrived."""
        for question in talk.questions:
            first = not self.thread
            files = tuple(map(self.slack.upload, talk.pictures)) if first else ()
            self.slack.copies = copies
            ts = self.slack.says(f"<@{BOT}> {question}", files, thread=self.thread or None, user=f"U{self.number}")
            self.thread = self.thread or ts
            while self.slack.undelivered("C0GENERAL", self.thread):
                await asyncio.sleep(0.05)

    def answers(self) -> list[str]:
        return [said(message) for message in self._messages() if not is_growing(self.slack, message)]

    def in_order(self) -> bool:
        return True  # they stand below each other in one thread, so `answers` shows it

    def leftovers(self) -> int:
        return sum(is_growing(self.slack, message) for message in self._messages())

    def _messages(self) -> list[dict[str, Any]]:
        return self.slack.workspace.answers("C0GENERAL", self.thread) if self.thread else []


@dataclass(eq=False)
class OnTheWeb:
    """Posts with a key, and posts again with the same key until it is answered, as the page does."""

    url: str
    number: int
    door: str = "web"
    texts: list[str] = field(default_factory=list)

    async def ask(self, talk: Talk, copies: int) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False) as client:
            first, *others = talk.questions
            answer = await self._insist(client, {"query": first}, talk.pictures, copies)
            place = {"conversation": answer["conversation"]}
            for question in others:
                await self._insist(client, {"query": question, **place}, (), copies)
            while not self.texts:
                with suppress(httpx.TransportError):  # killed under our hands
                    read = await client.get(f"/api/v1/conversations/{place['conversation']}")
                    if read.is_client_error:
                        raise RuntimeError(f"{read.status_code}: {read.text}")
                    if read.is_success:
                        self.texts = [turn["answer"]["text"] for turn in read.json()["turns"]]
                await asyncio.sleep(0 if self.texts else AGAIN_S)

    def answers(self) -> list[str]:
        return self.texts

    def in_order(self) -> bool:
        return True  # the second question is asked when the first one is answered

    def leftovers(self) -> int:
        return 0

    async def _insist(
        self, client: httpx.AsyncClient, form: dict[str, str], pictures: Sequence[bytes], copies: int
    ) -> dict[str, Any]:
        """Several times at once with one key, which is one question."""
        key = uuid4().hex
        answers = await asyncio.gather(*[self._post(client, form, pictures, key) for _ in range(copies)])
        assert all(answer["text"] == answers[0]["text"] for answer in answers), answers
        return answers[0]

    async def _post(
        self, client: httpx.AsyncClient, form: dict[str, str], pictures: Sequence[bytes], key: str
    ) -> dict[str, Any]:
        files = [("image", ("picture.png", picture)) for picture in pictures] or None
        while True:
            try:
                answer = await client.post("/api/v1/analyze", data=form, files=files, headers={"Idempotency-Key": key})
                if answer.status_code == 200:
                    return dict(answer.json())
                if answer.status_code not in (429, 503):
                    raise RuntimeError(f"{answer.status_code}: {answer.text}")
            except httpx.HTTPError:
                pass  # killed under our hands; the key makes it safe to ask again
            await asyncio.sleep(AGAIN_S)


def is_growing(slack: FakeSlack, message: dict[str, Any]) -> bool:
    """A placeholder, or an answer that is still being written."""
    stopping = any(button["action_id"] == "stop" for button in buttons(message))
    return stopping or said(message) in ("…", "") or slack.workspace.is_open(message["ts"])

"""Three people, one at each door, who ask the same two things and remember what they were told."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import httpx

from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import BOT, buttons, said
from tests.bots.telegram import server as telegram_server
from tests.bots.telegram.conftest import is_finished
from tests.bots.telegram.server import BotApi

QUESTIONS = ("What is the total?", "税率是多少？")


class Person(Protocol):
    door: str

    def ask(self, picture: bytes) -> None:
        """Send the picture with the first question, and the second one at once."""
        ...

    def answers(self) -> list[str]:
        """What stands there as finished answers, in the order of the questions they belong to or stand below."""
        ...


@dataclass
class OnTelegram:
    telegram: BotApi
    number: int
    door: str = "telegram"

    def ask(self, picture: bytes) -> None:
        self._person = telegram_server.Person(self.telegram, self.telegram.world.chat(10_000 + self.number))
        twice = self.number % 3 == 0
        shown = self._person.shows(picture, QUESTIONS[0], twice=twice)
        self._asked = [shown, self._person.says(QUESTIONS[1], twice=twice)]

    def answers(self) -> list[str]:
        chat = self._person.chat
        return [m["text"] for q in self._asked for m in chat.answers_to(q["message_id"]) if is_finished(m)]


@dataclass
class OnSlack:
    slack: FakeSlack
    number: int
    door: str = "slack"

    def ask(self, picture: bytes) -> None:
        file = self.slack.upload(picture)
        self._thread = self.slack.says(f"<@{BOT}> {QUESTIONS[0]}", (file,), user=f"U{self.number}")
        self.slack.says(f"<@{BOT}> {QUESTIONS[1]}", thread=self._thread, user=f"U{self.number}")

    def answers(self) -> list[str]:
        messages = self.slack.workspace.answers("C0GENERAL", self._thread)
        return [said(m) for m in messages if not self._grows(m)]

    def _grows(self, message: dict[str, Any]) -> bool:
        stopping = any(button["action_id"] == "stop" for button in buttons(message))
        return stopping or said(message) in ("…", "") or self.slack.workspace.is_open(message["ts"])


@dataclass
class OnTheWeb:
    """Posts with a key, and posts again with the same key until it is answered, as the page does."""

    url: str
    number: int
    door: str = "web"
    texts: list[str] = field(default_factory=list)

    def ask(self, picture: bytes) -> None:
        self._asking = asyncio.create_task(self._ask(picture))

    def answers(self) -> list[str]:
        return self.texts

    async def close(self) -> None:
        self._asking.cancel()
        await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self, picture: bytes) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            first = await self._insist(client, {"query": QUESTIONS[0]}, picture)
            conversation = first["conversation"]
            await self._insist(client, {"query": QUESTIONS[1], "conversation": conversation}, None)
            while True:
                try:
                    read = (await client.get(f"/api/v1/conversations/{conversation}")).raise_for_status().json()
                    break
                except httpx.HTTPError:
                    await asyncio.sleep(0.3)
        self.texts = [turn["answer"]["text"] for turn in read["turns"]]

    async def _insist(self, client: httpx.AsyncClient, form: dict[str, str], picture: bytes | None) -> dict[str, Any]:
        headers = {"Idempotency-Key": uuid4().hex}
        files = {"image": ("picture.png", picture)} if picture else None
        while True:
            try:
                answer = await client.post("/api/v1/analyze", data=form, files=files, headers=headers)
                if answer.status_code == 200:
                    return dict(answer.json())
                if answer.status_code not in (429, 503):
                    raise RuntimeError(f"{answer.status_code}: {answer.text}")
            except httpx.HTTPError:
                pass  # killed under our hands; the key makes it safe to ask again
            await asyncio.sleep(0.3)

"""Ann in a direct message to the bot, as `tests.bots.guest.Guest`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bots.slack import run
from tests.bots.guest import Home, Seen, Sent
from tests.bots.slack.conftest import settings
from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import BOT, Json, buttons, said

PATIENCE_S = 280.0  # the machine may be busy
DM = "D0ANN"


@asynccontextmanager
async def visiting(home: Home, language: str, **changes: Any) -> AsyncIterator["SlackGuest"]:
    async with FakeSlack() as slack:
        slack.workspace.locales["U0ANN"] = language
        config = settings(slack, receipt=True, **changes)
        task = asyncio.create_task(run(config, home.services))
        try:
            await slack.connected()
            yield SlackGuest(home, slack)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class SlackGuest:
    """Everything is said in one thread."""

    def __init__(self, home: Home, slack: FakeSlack) -> None:
        self._store = home.services.store
        self.workspace = slack.workspace
        self.slack = slack
        self._thread: str | None = None

    async def ask(self, text: str, *files: Sent) -> Seen:
        known = self._messages()
        uploads = tuple(self.slack.upload(file.data, file.name, file.kind) for file in files)
        sent = self.slack.says(text, uploads, channel=DM, thread=self._thread)
        self._thread = self._thread or sent
        return await self._seen([message["ts"] for message in known])

    async def press(self, seen: Seen, button: str) -> Seen:
        known = self._messages()
        message: Any = seen.handle
        [pressed] = [each for each in buttons(message) if each["text"]["text"] == button]
        self.slack.presses(pressed, message, DM)
        again = await self._seen([each["ts"] for each in known])
        return again if again.words or again.files else self._shown([self.workspace.find(DM, message["ts"])])

    async def pictures(self) -> Seen:
        return await self.ask("pictures")

    async def remove(self, number: int) -> Seen:
        return await self.ask(f"remove {number}")

    async def export(self) -> bytes:
        return (await self.ask("export")).files["conversation.zip"]

    async def rate(self, seen: Seen, good: bool) -> None:
        message: Any = seen.handle
        self.slack.reacts("+1" if good else "-1", message, DM)

    async def edit(self, text: str) -> Seen:
        [*_, last] = [message for message in self.messages if message["user"] == "U0ANN"]
        self.slack.edits(DM, last["ts"], text)
        return await self._seen([message["ts"] for message in self._messages()[:-1]])

    async def sets(self, name: str, value: str) -> str:
        return (await self.ask(f"settings {name} {value}")).words

    async def mentioned_by(self, who: str, text: str, file: Sent) -> str:
        upload = self.slack.upload(file.data, file.name, file.kind)
        asked = self.slack.says(f"<@{BOT}> {text}", (upload,), user="U9" if who == "bot" else None, bot_id="B9")
        await self.settled()
        return "\n".join(map(said, self.workspace.answers("C0GENERAL", asked)))

    def shown(self) -> tuple[str, ...]:
        return tuple(text for _, text in self.workspace.statuses)

    def marks(self) -> tuple[int, int]:
        return len(self.workspace.reactions), len(set(self.workspace.reacted))

    async def settled(self) -> None:
        """Wait until everything that was said, in any channel, is answered."""
        async with asyncio.timeout(PATIENCE_S):
            await self.slack.settled()
            while await self._store.unfinished("slack"):
                await asyncio.sleep(0.01)

    @property
    def messages(self) -> list[Json]:
        """The whole thread, hers too."""
        there = self.workspace.channels[DM]
        return [message for message in there if self._thread in (message["ts"], message.get("thread_ts"))]

    def _messages(self) -> list[Json]:
        return self.workspace.answers(DM, self._thread) if self._thread else []

    async def _seen(self, known: list[str]) -> Seen:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self.slack.settled()
                busy = await self._store.unfinished("slack")
                if not busy and "…" not in map(said, self._messages()):
                    return self._shown([message for message in self._messages() if message["ts"] not in known])
                await asyncio.sleep(0.01)

    def _shown(self, messages: list[Json]) -> Seen:
        files = {file["name"]: file["data"] for message in messages for file in message.get("files", ())}
        words = "\n".join(said(message) for message in messages if not message.get("files"))
        labels = tuple(each["text"]["text"] for message in messages for each in buttons(message))
        handle = next((message for message in messages if buttons(message)), messages[-1] if messages else None)
        return Seen(words, labels, files, self.shown(), handle)

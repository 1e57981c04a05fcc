"""Let Ann use the bot in a private chat, as `tests.bots.guest.Guest`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bots.telegram.config import TelegramConfig
from bots.telegram.rate_limit import RateLimit
from bots.telegram.service import serve
from tests.bots.guest import Home, Seen, Sent
from tests.bots.telegram.conftest import until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import TOKEN, BotApi
from tests.bots.telegram.world import BOT, Json

PATIENCE_S = 280.0  # the machine may be busy


@asynccontextmanager
async def visiting(home: Home, language: str, **settings: Any) -> AsyncIterator["TelegramGuest"]:
    async with BotApi(strict=False) as telegram:
        values: dict[str, Any] = {"token": TOKEN, "api_url": telegram.url, "allow": "*", "timeout_seconds": 3}
        values |= settings
        rate_limit = RateLimit(pause_s=0.02, group_per_minute=1000)
        config = TelegramConfig.model_validate(values).model_copy(
            update={"interval_seconds": 0.05}
        )  # less than Telegram would bear
        task = asyncio.create_task(serve(config, home.services, rate_limit))
        try:
            yield TelegramGuest(home, telegram, language)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class TelegramGuest:
    def __init__(self, home: Home, telegram: BotApi, language: str) -> None:
        self._store = home.services.store
        self.telegram = telegram
        self.world = telegram.world
        self.chat = telegram.world.chat(7)
        self._person = Person(telegram, self.chat, language=language)
        self._albums = 0

    async def ask(self, text: str, *files: Sent) -> Seen:
        known = self._known()
        if not files:
            self._person.says(text)
        self._albums += 1
        album = f"album {self._albums}" if len(files) > 1 else None
        for index, file in enumerate(files):
            self._person.sends_file(file.data, file.name, file.kind, "" if index else text, album)
        return await self._seen(known)

    async def press(self, seen: Seen, button: str) -> Seen:
        known = self._known()
        message: Any = seen.handle
        self._person.presses(message, button)
        return await self._seen(known)

    async def pictures(self) -> Seen:
        return await self.ask("/pictures")

    async def remove(self, number: int) -> Seen:
        return await self.ask(f"/remove {number}")

    async def export(self) -> bytes:
        return (await self.ask("/export")).files["conversation.zip"]

    async def rate(self, seen: Seen, good: bool) -> None:
        message: Any = seen.handle
        self._person.reacts(message, "👍" if good else "👎")

    async def edit(self, text: str) -> Seen:
        self._person.edits(self.chat.person_messages()[-1], text)
        return await self._seen({message["message_id"] for message in self.chat.by_bot()[:-1]})

    async def sets(self, name: str, value: str) -> str:
        return (await self.ask(f"/settings {name} {value}")).words

    async def mentioned_by(self, who: str, text: str, file: Sent) -> str:
        self.telegram.bot_to_bot = True
        chat = self.world.chat(-1001, "channel") if who == "channel" else self.world.chat(-100)
        Person(self.telegram, chat, user_id=99, is_bot=who == "bot").shows(file.data, f"@{BOT['username']} {text}")
        await self.settled()
        return "\n".join(message["text"] for message in chat.by_bot())

    def shown(self) -> tuple[str, ...]:
        return tuple(text for states in self.chat.states.values() for _, text in states)

    def marks(self) -> tuple[int, int]:
        return len(self.chat.reactions), len(set(self.chat.reacted))

    async def settled(self) -> None:
        """Wait until everything that was said is answered."""
        async with asyncio.timeout(PATIENCE_S):
            await until(lambda: self.telegram.unconfirmed == 0, PATIENCE_S)
            while await self._store.unfinished("telegram"):
                await asyncio.sleep(0.01)

    def _known(self) -> set[int]:
        return {message["message_id"] for message in self.chat.by_bot()}

    async def _seen(self, known: set[int]) -> Seen:
        await self.settled()
        messages = [message for message in self.chat.by_bot() if message["message_id"] not in known]
        files = dict(self._file(message) for message in messages if "photo" in message or "document" in message)
        states = [text for m in messages for _, text in self.chat.states.get(m["message_id"], ())]
        words = [message.get("text", "") for message in messages]
        buttons = [message for message in messages if "reply_markup" in message]
        labels = [b["text"] for m in buttons for [b] in m["reply_markup"]["inline_keyboard"]]
        handle = (buttons or messages)[-1]
        return Seen("\n".join(filter(None, words)), tuple(labels), files, tuple(states), handle)

    def _file(self, message: Json) -> tuple[str, bytes]:
        media = message["photo"][-1] if "photo" in message else message["document"]
        name = media.get("file_name") or f"{message.get('caption', '')}.png"
        return name, self.world.files[media["file_id"]]

"""Run the echo platform as one of several replicas on a database, with a scripted engine.

What it computes and shows is written to a file, which the replicas share.
`python -m tests.bots.echo.replica DATABASE_URL FILE LEASE_SECONDS` begins answers, and ends them once SIGUSR1 has come.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bots.conversing.services import Services
from core.assistant import Assistant
from core.conversation import Conversation
from core.quota import QuotaConfig
from core.replica import Replica
from storage.store import Store, StoreConfig
from tests.bots.echo.chat import Chat
from tests.fakes import ScriptedEngine

UNLIMITED = QuotaConfig(questions_per_minute=0, questions_per_day=0, pictures_per_minute=0, at_once=0)


class WritingChat(Chat):
    """A chat that shows its answers in a file, each line with the name of who wrote it."""

    def __init__(self, services: Services, name: str, file: Path) -> None:
        super().__init__(services, frozenset())
        self._name = name
        self._file = file

    def say(self, **line: Any) -> None:
        if "text" in line:
            line["text"] = line["text"].partition("\n")[0]  # without what is said about the pictures
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"by": self._name, **line}) + "\n")


@asynccontextmanager
async def replica(
    url: str, file: Path, seconds: float, pause: float = 0.0, gate: asyncio.Event | None = None
) -> AsyncIterator[WritingChat]:
    """Serve until the block ends, like a service at SIGTERM."""
    store = await Store.open(StoreConfig(url=url))
    leases = Replica(store, seconds)

    def script(conversation: Conversation) -> str:
        chat.say(asked=conversation.turns[-1].text)
        return f"{conversation.turns[-1].text} is answered"

    engine = ScriptedEngine(script, pause, gate)
    chat = WritingChat(
        Services(Assistant(engine, store, quota=UNLIMITED, leases=leases), store, leases=leases), leases.name, file
    )
    running = asyncio.create_task(leases.run())
    await chat.dispatcher.inbox.resume()
    try:
        yield chat
    finally:
        await chat.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await leases.close()
        await store.close()


async def main(url: str, file: str, seconds: str) -> None:
    gate = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, gate.set)
    async with replica(url, Path(file), float(seconds), gate=gate) as chat:
        chat.say(ready=os.getpid())
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

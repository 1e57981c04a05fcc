"""Run the Telegram bot in a process that can be killed: real store and sockets, and a slow scripted engine.

`python -m tests.bots.telegram.process API_URL DATABASE PAUSE [webhook]`; with a webhook it prints the page's address.
"""

import asyncio
import logging
import sys

from starlette.routing import Router

from bots import web
from bots.conversing.services import Services
from bots.telegram import Config, run
from core.assistant import Assistant
from storage.store import Store, StoreConfig
from tests.bots.telegram.server import TOKEN
from tests.fakes import ScriptedEngine

SECRET = "a-secret-of-the-tests"


async def main(api_url: str, database: str, pause: float, webhook: bool) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{database}"))
    values = {"token": TOKEN, "api_url": api_url, "allow": "*", "receipt": False, "interval_seconds": 1}
    if webhook:
        hook = "https://bot.example.org/hook"
        values |= {"mode": "webhook", "webhook_url": hook, "webhook_secret": SECRET}
    services = Services(Assistant(ScriptedEngine(pause=pause), store), store, guests=Router(redirect_slashes=False))
    async with asyncio.TaskGroup() as group:
        if webhook:
            group.create_task(web.run(web.Config(port=0), services, lambda address: print(address, flush=True)))
        group.create_task(run(Config.model_validate(values), services))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:] == ["webhook"]))

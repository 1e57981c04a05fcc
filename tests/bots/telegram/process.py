"""Run the Telegram bot in a process that can be killed: real store and sockets, and a slow scripted engine.

`python -m tests.bots.telegram.process API_URL DATABASE_URL PAUSE polling|webhook [LEASE_SECONDS]`; with a webhook it
prints the page's address, and as a replica its name. SIGTERM ends it like a service.
"""

import asyncio
import logging
import signal
import sys

from starlette.routing import Router

from bots import web
from bots.conversing.services import Services
from bots.telegram import Config, run
from core.assistant import Assistant
from core.replica import Replica
from core.single_replica import SingleReplica
from storage.store import Store, StoreConfig
from tests.bots.telegram.server import TOKEN
from tests.fakes import ScriptedEngine

SECRET = "a-secret-of-the-tests"


async def main(api_url: str, database: str, pause: float, way: str, lease_seconds: float) -> None:
    store = await Store.open(StoreConfig(url=database))
    leases = Replica(store, lease_seconds) if store.database.shared else SingleReplica(store)
    values = {"token": TOKEN, "api_url": api_url, "allow": "*", "receipt": False, "interval_seconds": 1}
    if way == "webhook":
        hook = "https://bot.example.org/hook"
        values |= {"mode": "webhook", "webhook_url": hook, "webhook_secret": SECRET}
    assistant = Assistant(ScriptedEngine(pause=pause), store, leases=leases)
    services = Services(assistant, store, extra_routes=Router(redirect_slashes=False), leases=leases)
    tasks = [asyncio.create_task(leases.run())]
    if way == "webhook":
        tasks.append(asyncio.create_task(web.run(web.Config(port=0), services, lambda url: print(url, flush=True))))
    if isinstance(leases, Replica):
        print(leases.name, flush=True)
    bot = asyncio.create_task(run(Config.model_validate(values), services))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, bot.cancel)
    await asyncio.gather(bot, return_exceptions=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await leases.close()
    await store.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4], float((*sys.argv[5:], "15")[0])))

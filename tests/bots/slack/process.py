"""The Slack bot in a process of its own, to be killed: real store, real sockets, a scripted engine that takes its time.

`python -m tests.bots.slack.process API_URL DATABASE PAUSE [http]`; over HTTP it prints where it takes events.
"""

import asyncio
import sys

from starlette.routing import Router

from bots import web
from bots.conversing.services import Services
from bots.slack import Config, run
from core.assistant import Assistant
from storage.store import Store, StoreConfig
from tests.bots.slack.workspace import APP_TOKEN, BOT_TOKEN, SECRET
from tests.fakes import ScriptedEngine


async def main(api_url: str, database: str, pause: float, over_http: bool) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{database}"))
    engine = ScriptedEngine(pause=pause)
    way_in = {"signing_secret": SECRET} if over_http else {"app_token": APP_TOKEN}
    values = {
        "bot_token": BOT_TOKEN,
        "allow": ["*"],
        "api_url": api_url,
        "interval_seconds": 0.02,
        "pace_seconds": 0.0,
        **way_in,
    }
    services = Services(
        Assistant(engine, store), store, extra_routes=Router(redirect_slashes=False) if over_http else None
    )
    async with asyncio.TaskGroup() as group:
        if over_http:
            group.create_task(
                web.run(web.Config(port=0), services, lambda url: print(f"{url}/slack/events", flush=True))
            )
        group.create_task(run(Config.model_validate({**values, "receipt": False}), services))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:] == ["http"]))

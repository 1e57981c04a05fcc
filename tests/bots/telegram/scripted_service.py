"""The adapter as a process of its own that can be killed: `python -m tests.bots.telegram.scripted_service URL FOLDER`.

Everything is real but the model, which answers from a script and needs no seconds to load.
"""

import asyncio
import sys
from pathlib import Path

from bots import log
from bots.house import House
from bots.telegram import Config, run
from core.assistant import Assistant
from core.quota import Config as QuotaConfig
from core.quota import Quota
from storage.store import Config as StoreConfig
from storage.store import Store
from tests.bots.telegram.server import TOKEN
from tests.fakes import ScriptedEngine


async def main(url: str, folder: Path) -> None:
    log.set_up(log.Config(level="WARNING"))
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{folder / 'answers.db'}"))
    no_limits = Quota(QuotaConfig(questions_per_minute=0, questions_per_day=0, pictures_per_minute=0, at_once=0))
    assistant = Assistant(ScriptedEngine(pause=0.1), store, quota=no_limits)
    config = Config.model_validate({"token": TOKEN, "api_url": url, "allow": "*", "timeout": 2, "receipt": False})
    await run(config, House(assistant, store))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))

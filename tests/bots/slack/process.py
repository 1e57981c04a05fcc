"""The Slack bot as a process of its own that can be killed: the real store and adapter, and an engine that says what it
was asked. `python -m tests.bots.slack.process DATABASE API_URL`
"""

import asyncio
import sys

from bots.house import House
from bots.slack import Config, run
from core.assistant import Assistant
from core.conversation import Conversation
from core.quota import Config as QuotaConfig
from core.quota import Quota
from storage.store import Config as StoreConfig
from storage.store import Store
from tests.bots.slack.workspace import APP_TOKEN, BOT_TOKEN
from tests.fakes import ScriptedEngine

NO_LIMITS = QuotaConfig(questions_per_minute=0, questions_per_day=0, pictures_per_minute=0, at_once=0)


def answer_to(question: str, pictures: int) -> str:
    """Long enough that half of it can be told from all of it."""
    return f"About {pictures}: {question} " + " ".join(f"word{n}" for n in range(12)) + " the end."


def script(conversation: Conversation) -> str:
    turn = conversation.turns[-1]
    return answer_to(turn.text, len(turn.pictures))


async def main(database: str, api_url: str) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{database}"))
    values = {"bot_token": BOT_TOKEN, "app_token": APP_TOKEN, "allow": ["*"], "api_url": api_url}
    config = Config.model_validate({**values, "interval": 0.05, "pace": 0.0})
    assistant = Assistant(ScriptedEngine(script, pause=0.01), store, quota=Quota(NO_LIMITS))
    await run(config, House(assistant, store))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""Print a scripted group and a private chat as text, as the real bot answers them with the demo model.

`python -m tests.bots.walk telegram|slack [en|zh]`. Look at what people would read: the help, a picture without a
question, questions, /settings, an edit, /stop, /forget, and a group that talks about something else.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from core.engine import EngineConfig
from core.engine.engine import Engine
from core.pictures.images import ImagesConfig
from tests.bots.guest import Script, Sent, opened
from tests.bots.slack import walk as slack
from tests.bots.telegram import walk as telegram
from tests.demo import sample

WALKS = {"telegram": telegram.walked, "slack": slack.walked}


SCRIPTS = {
    "en": Script(
        "What is the total?", "And the date?", "Who is the buyer?", "length short", ("Lunch at noon?", "help", "stop")
    ),
    "zh": Script("合计金额是多少？", "日期呢？", "购买方是谁？", "长度 短", ("中午吃饭吗？", "帮助", "停止")),
}


async def walk(platform: str, language: str) -> str:
    picture = Sent("invoice.png", "image/png", sample("invoice-en" if language == "en" else "invoice"))
    with tempfile.TemporaryDirectory() as folder:
        engine = await Engine.start(EngineConfig(model="demo", cache=Path(folder) / "cache", cache_limit_gb=0))
        try:
            async with opened(engine, Path(folder), ImagesConfig(), platform) as home:
                return await WALKS[platform](home, language, SCRIPTS[language], picture)
        finally:
            await engine.close()


if __name__ == "__main__":
    print(asyncio.run(walk(sys.argv[1], (sys.argv[2:] or ["en"])[0])))

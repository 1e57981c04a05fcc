"""The process that every life of the service comes from."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.chaos.nursery import Nursery, NurseryEnded
from tests.ports import free_port

CONFIG = """
[core.engine]
urls = ["http://127.0.0.1:{port}/v1"]
[storage]
url = "sqlite+aiosqlite:///{folder}/answers.db"
[bots.web]
port = {port}
"""


@pytest.mark.timeout(600)
async def test_where_the_nursery_is_killed_every_wait_ends_with_a_sentence_and_no_life_goes_on(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(folder=tmp_path, port=free_port()), "utf-8")
    nursery, lives, waiting = Nursery(), list[psutil.Process](), list[asyncio.Task[int]]()

    async def kill_it() -> None:
        async with nursery:
            life = await nursery.bear("run", "--config", str(config))
            lives.append(psutil.Process(life.pid))
            waiting.append(asyncio.create_task(life.wait()))
            os.kill(lives[0].ppid(), signal.SIGKILL)
            await asyncio.Event().wait()  # for something that the life does not tell

    with pytest.raises(NurseryEnded, match="^The nursery ended with -9, so nothing can be tried any more"):
        await kill_it()
    assert await waiting[0] == -signal.SIGKILL
    with suppress(psutil.NoSuchProcess):  # its new parent may take its time
        while lives[0].status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)
    with pytest.raises(NurseryEnded):
        await nursery.bear("run", "--config", str(config))

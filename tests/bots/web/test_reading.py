"""What somebody takes away, and how slowly, costs the service next to nothing."""

import asyncio
import io
import os
import re
import socket
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import event

from bots.web.app import WHOLE_PER_ADDRESS
from core.answer import Answer, Ending
from core.conversation import Picture, Turn
from core.image import Image
from tests.bots.web.conftest import Web, service
from tests.core.files import busy, encoded
from tests.fakes import ScriptedEngine

MEGABYTE = 1 << 20
PICTURES, PICTURE_BYTES, READERS = 6, 4 * MEGABYTE, 16
CONVERSATION = "web:" + "0" * 32
MORE_MEMORY = 128 * MEGABYTE  # that all readers together may cost; whole conversations would be 24 MB each
STAMP = '```json\n[{"bbox_2d": [100, 100, 500, 500], "label": "stamp"}]\n```'


async def fill(web: Web) -> None:
    """A conversation with large pictures; what they show does not matter here."""
    images = [
        Image(f"image {number}", os.urandom(PICTURE_BYTES), 64, 48, (64, 48)) for number in range(1, PICTURES + 1)
    ]
    pictures = tuple(Picture(number, image) for number, image in enumerate(images, 1))
    await web.store.save(CONVERSATION, Turn("What?", pictures, Answer("That.", Ending.DONE)), "web:a-key")


@contextmanager
def unread(web: Web, path: str, readers: int = READERS) -> Iterator[list[socket.socket]]:
    """Clients that ask for something and then take nothing of it."""
    url = httpx.URL(web.url)
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(readers)]
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((url.host, url.port))
            client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            client.setblocking(False)
        yield clients


async def begun(client: socket.socket) -> bytes:
    async with asyncio.timeout(30):
        return await asyncio.get_running_loop().sock_recv(client, 9)


def memory() -> int:
    return int(psutil.Process().memory_info().rss)


@pytest.mark.parametrize("path", ["export", "pictures/1", ""])
async def test_who_does_not_read_costs_no_memory(web: Web, path: str) -> None:
    await fill(web)
    address = f"/api/v1/conversations/{CONVERSATION}/{path}".rstrip("/")
    assert (await web.client.get(address)).status_code == 200
    before = memory()
    with unread(web, address) as clients:
        for client in clients:
            assert await begun(client) == b"HTTP/1.1 "
        await asyncio.sleep(0.3)
        assert memory() - before < MORE_MEMORY
        assert (await web.client.get(address)).status_code == 200


async def test_sixty_conversations_read_at_once_cost_no_memory(web: Web) -> None:
    await fill(web)
    address = f"/api/v1/conversations/{CONVERSATION}"
    await web.client.get(address)
    peak, before = 0, memory()

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, memory())
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    answers = await asyncio.gather(*[web.client.get(address) for _ in range(60)])
    watching.cancel()
    assert {answer.status_code for answer in answers} == {200}
    assert peak - before < MORE_MEMORY


@contextmanager
def statements(web: Web) -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        heard.append(statement)

    engine = web.store.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    yield heard
    event.remove(engine, "before_cursor_execute", hear)


async def test_a_view_that_shows_no_picture_reads_none(tmp_path: Path) -> None:
    table = "| Item | Price |\n|---|---|\n| Tea | 4 |"
    async with service(tmp_path, ScriptedEngine(script=lambda _: table)) as web:
        conversation = await web.begin()
        here = f"/api/v1/conversations/{conversation}"
        with statements(web) as heard:
            for method, path in [
                ("GET", ""), ("GET", "/turns/1/table.csv"), ("GET", "/turns/1/answer.md"), ("POST", "/stop"),
                ("GET", "/turns/1/marked/1.png"), ("DELETE", "/waiting/1"), ("GET", "/pictures/1"), ("GET", "/export"),
                ("DELETE", "/pictures/1"), ("DELETE", ""),
            ]:  # fmt: skip
                assert (await web.client.request(method, here + path)).status_code in (200, 204, 404), path
        assert heard
        assert [statement for statement in heard if re.search(r"(?<!\()images\.data", statement)] == []


async def test_a_picture_and_an_export_are_what_was_kept(web: Web) -> None:
    await fill(web)
    kept = await web.store.numbered_picture(CONVERSATION, 2)
    picture = await web.client.get(f"/api/v1/conversations/{CONVERSATION}/pictures/2")
    assert kept is not None and picture.content == kept.data
    assert picture.headers["content-length"] == str(PICTURE_BYTES)
    export = await web.client.get(f"/api/v1/conversations/{CONVERSATION}/export")
    with zipfile.ZipFile(io.BytesIO(export.content)) as archive:
        assert archive.testzip() is None
        assert archive.read("pictures/2.png") == kept.data


async def test_drawn_pictures_that_nobody_reads_are_few_at_a_time(tmp_path: Path) -> None:
    """They are in memory as a whole; who takes none keeps only others of the same address waiting."""
    noise = encoded(busy((1000, 1000)), "PNG")
    async with service(tmp_path, ScriptedEngine(script=lambda _: STAMP), body_timeout_seconds=600) as web:
        files = {"image": ("a.png", noise, "image/png")}
        asked = await web.client.post("/api/v1/analyze", data={"query": "Where?"}, files=files)
        path = f"/api/v1/conversations/{asked.json()['conversation']}/turns/1/marked/1.png"
        with unread(web, path, 8) as clients:
            heads = [asyncio.create_task(begun(client)) for client in clients]
            transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
            async with httpx.AsyncClient(base_url=web.url, transport=transport, timeout=30) as other:
                assert len((await other.get(path)).content) > 2 * MEGABYTE
            await asyncio.sleep(1)
            assert sum(head.done() for head in heads) <= WHOLE_PER_ADDRESS
            for client in clients:
                client.close()
            await asyncio.gather(*heads, return_exceptions=True)
        assert len((await web.client.get(path)).content) > 2 * MEGABYTE

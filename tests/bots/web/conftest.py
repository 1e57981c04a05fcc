"""The web service as a test runs it: real HTTP on loopback, real store, scripted engine."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image as PilImage
from playwright.async_api import Browser

from bots.conversing.health import Health
from bots.conversing.services import Services
from bots.web.config import WebConfig
from bots.web.server import serve
from core.assistant import Assistant, Engine
from core.leases import Leases
from core.model.description import ModelDescription
from core.quota import QuotaConfig
from core.single_replica import SingleReplica
from storage.store import Store, StoreConfig
from tests.bots.web.browser import started
from tests.fakes import ScriptedEngine

KEY = "a-key-nobody-guesses"
UNLIMITED = QuotaConfig(questions_per_minute=0, questions_per_day=0, pictures_per_minute=0, at_once=0)


def photo(colour: str = "red", size: tuple[int, int] = (64, 48)) -> bytes:
    data = io.BytesIO()
    PilImage.new("RGB", size, colour).save(data, "PNG")
    return data.getvalue()


async def until(true: Callable[[], object], patience_s: float = 60.0) -> None:
    async with asyncio.timeout(patience_s):
        while not true():
            await asyncio.sleep(0.01)


@dataclass
class Web:
    """A running service and a client of it."""

    url: str
    client: httpx.AsyncClient
    store: Store
    assistant: Assistant
    health: Health

    async def ask(self, query: str = "What is it?", *colours: str, **fields: Any) -> httpx.Response:
        headers = {"Idempotency-Key": fields.pop("key")} if "key" in fields else {}
        files = [("image", (f"{colour}.png", photo(colour), "image/png")) for colour in colours]
        data = {"query": query, **fields}
        return await self.client.post("/api/v1/analyze", data=data, files=files or None, headers=headers)

    async def begin(self) -> str:
        """A conversation with one answered question about picture 1."""
        conversation: str = (await self.ask("First?", "red")).json()["conversation"]
        return conversation


def events_of(response: httpx.Response) -> list[tuple[str, Any]]:
    return events_in(response.text)


def events_in(stream: str) -> list[tuple[str, Any]]:
    blocks = [block for block in stream.split("\n\n") if block.startswith("event: ")]
    return [(block.split("\n")[0][7:], json.loads(block.split("\n")[1][6:])) for block in blocks]


@asynccontextmanager
async def service(
    folder: Path,
    engine: Engine | None = None,
    quota: QuotaConfig = UNLIMITED,
    storage: StoreConfig = StoreConfig(),
    kind: type[Store] = Store,
    engine_stats: Callable[[], object] = lambda: None,
    model: ModelDescription = ModelDescription(),
    leases_of: Callable[[Store], Leases] = lambda store: SingleReplica(),
    url: str = "",
    **settings: Any,
) -> AsyncIterator[Web]:
    """The adapter over a store in `folder`; leaving the block ends it like a shutdown, entering again is a restart."""
    url = url or f"sqlite+aiosqlite:///{folder / 'answers.db'}"
    store = await kind.open(storage.model_copy(update={"url": url}))
    config = WebConfig.model_validate({"port": 0, **settings})
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    leases = leases_of(store)
    assistant = Assistant(engine or ScriptedEngine(), store, quota=quota, leases=leases)
    services = Services(assistant, store, engine_stats=engine_stats, model=model, leases=leases)
    keeping = asyncio.create_task(leases.run())
    task: asyncio.Future[None] = asyncio.ensure_future(serve(config, services, address.set_result))
    first: list[asyncio.Future[Any]] = [task, address]
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        url = address.result()
        # Nothing here has TLS, and reading the certificates takes time.
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, verify=False) as client:
            yield Web(url, client, store, assistant, services.health)
    finally:
        task.cancel()
        keeping.cancel()
        await asyncio.gather(task, keeping, return_exceptions=True)
        await leases.close()
        await store.close()


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    async with service(tmp_path) as web:
        yield web


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Start one browser for all tests on the page, which run in the session's loop; each has profiles of its own."""
    async with started() as browser:
        yield browser

"""Engines elsewhere for a storm: gates to one engine, which misbehave as real engines do."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
from aiohttp import web

from tests.chaos.nursery import Life, Nursery
from tests.chaos.sample_engine import sample_engine
from tests.core.remote.fake_engine import FakeEngine
from tests.ports import free_port

MODEL = "demo"
SILENCE_S = 15.0  # of an engine that hangs, until the service asks another; the machine may be busy
AWAY_S = (0.2, 2.0)  # seconds that an engine is away, loads, or has another model
SLOW_S = (0.5, 3.0)  # seconds that are added before a first token
CUT_BYTES = (1, 4000)  # of an answer's stream, before it is cut
UPSTREAM = """
[core.engine]
model = "demo"
threads = 1
cache = "{folder}/cache"
cache_limit_gb = 0.2
[core.quota]
questions_per_minute = 0
questions_per_day = 0
pictures_per_minute = 0
at_once = 0
[storage]
url = "sqlite+aiosqlite:///{folder}/answers.db"
[bots.web]
port = {port}
"""


class Gate:
    """One engine at an address of its own. `trouble` draws what goes wrong with a question, or nothing."""

    def __init__(self, upstream: str, trouble: Callable[[], str | None], dice: random.Random) -> None:
        self.port = free_port()
        self._trouble = trouble
        self._dice = dice
        self._upstream = httpx.AsyncClient(base_url=upstream, timeout=None, trust_env=False)
        self._runner: web.AppRunner | None = None
        self._open: set[asyncio.Transport] = set()
        self._state = ""  # loading, wrong model, or nothing unusual
        self._returning: asyncio.Task[None] | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=1 << 28)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        for transport in self._open:
            transport.abort()
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    async def close(self) -> None:
        if self._returning:
            self._returning.cancel()
            await asyncio.gather(self._returning, return_exceptions=True)
        await self.stop()
        await self._upstream.aclose()

    async def _models(self, request: web.Request) -> web.Response:
        if self._state == "loading":
            return _refusal(503, "Loading model")
        try:
            await self._upstream.get("/v1/models")
        except httpx.TransportError:  # it has been killed
            return _hang_up(request)
        name = "another" if self._state == "wrong model" else MODEL
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"}]})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        match self._state or self._trouble():
            case "500":
                return _refusal(500, "CUDA error")
            case "loading":
                self._be("loading")
                return _refusal(503, "Loading model")
            case "wrong model":
                self._be("wrong model")
                return _refusal(404, "no such model")
            case "killed":
                self._be("killed")
            case "hung":
                await asyncio.Event().wait()
            case "slow first token":
                await asyncio.sleep(self._dice.uniform(*SLOW_S))
            case "cut mid-word":
                return await self._relay(request, body, self._dice.randint(*CUT_BYTES))
        return await self._relay(request, body, None)

    async def _relay(self, request: web.Request, body: bytes, most: int | None) -> web.StreamResponse:
        assert request.transport
        transport = request.transport
        self._open.add(transport)
        headers = {"Content-Type": "application/json"}
        try:
            async with self._upstream.stream("POST", "/v1/chat/completions", content=body, headers=headers) as told:
                if told.status_code != 200:
                    return web.Response(body=await told.aread(), status=told.status_code)
                response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                await response.prepare(request)
                async for part in told.aiter_raw():
                    if most is not None and len(part) >= most:
                        await response.write(part[:most])
                        transport.abort()
                        return response
                    most = None if most is None else most - len(part)
                    await response.write(part)
                return response
        except httpx.TransportError:  # it has been killed
            return _hang_up(request)
        finally:
            self._open.discard(transport)

    def _be(self, state: str) -> None:
        """Be in a state for a while. The dead listen nowhere."""
        if self._returning is None or self._returning.done():
            self._state = state
            self._returning = asyncio.create_task(self._return())

    async def _return(self) -> None:
        dead = self._state == "killed"
        if dead:
            self._state = ""
            await asyncio.sleep(self._dice.uniform(0, 0.5))  # into its answers
            await self.stop()
        await asyncio.sleep(self._dice.uniform(*AWAY_S))
        self._state = ""
        if dead:
            await self.start()


class Engines:
    """Two gates to one engine. `faults` is the share of questions with which something goes wrong, `events` counts what
    did. The engine is a real service with the demo model in a `nursery`, or else one that only knows the samples."""

    KINDS = ("500", "loading", "wrong model", "killed", "hung", "slow first token", "cut mid-word")

    def __init__(self, folder: Path, nursery: Nursery | None, dice: random.Random) -> None:
        self.faults = 0.0
        self.events: Counter[str] = Counter()
        self._folder = folder
        self._nursery = nursery
        self._dice = dice
        self._port = free_port()
        self._life: Life | None = None
        self._samples: FakeEngine | None = None
        self.gates: list[Gate] = []

    async def start(self) -> None:
        await self._begin()
        url = f"http://127.0.0.1:{self._port}"
        self.gates = [Gate(url, self._trouble, self._dice) for _ in range(2)]
        for gate in self.gates:
            await gate.start()

    async def restart(self, pause: float) -> None:
        """Kill the engine, and start it again after some seconds."""
        await self._end()
        await asyncio.sleep(pause)
        await self._begin()

    async def close(self) -> None:
        for gate in self.gates:
            await gate.close()
        await self._end()

    @property
    def lines(self) -> str:
        """Return what the service's [core.engine] says of them."""
        urls = ", ".join(f'"http://127.0.0.1:{gate.port}/v1"' for gate in self.gates)
        return f"urls = [{urls}]\ntimeout_seconds = {SILENCE_S}\nrequests = 4"

    async def _begin(self) -> None:
        if self._nursery is None:
            self._samples = self._samples or sample_engine(MODEL, self._dice)
            await self._samples.start(self._port)
            return
        self._folder.mkdir(exist_ok=True)
        config = self._folder / "config.toml"
        config.write_text(UPSTREAM.format(folder=self._folder, port=self._port), "utf-8")
        self._life = await self._nursery.bear("run", "--config", str(config), out=self._folder / "log")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}", trust_env=False) as client:
            while not await _is_ready(client):
                await asyncio.sleep(0.1)

    async def _end(self) -> None:
        if self._life:
            self._life.kill()
            await self._life.ended
        if self._samples:
            await self._samples.stop()

    def _trouble(self) -> str | None:
        if self._dice.random() >= self.faults:
            return None
        kind = self._dice.choice(self.KINDS)
        self.events[kind] += 1
        return kind


async def _is_ready(client: httpx.AsyncClient) -> bool:
    with suppress(httpx.TransportError):
        return (await client.get("/readyz")).status_code == 200
    return False


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection without an answer, as a killed process does."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "server_error", "code": status}}, status=status)

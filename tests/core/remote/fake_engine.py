"""Stand in for an engine elsewhere: speaks OpenAI's API over real HTTP, and misbehaves as it is told."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.ports import free_port

MODEL = "some/model"


@dataclass
class Reply:
    """An answer's stream under way. Each method writes one event, as engines do."""

    response: web.StreamResponse
    request: web.Request

    async def line(self, text: str) -> None:
        await self.response.write(f"{text}\n\n".encode())

    async def data(self, body: Any) -> None:
        await self.line(f"data: {json.dumps(body)}")

    async def delta(self, content: Any, **more: Any) -> None:
        await self.data(
            {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": content}}], **more}
        )

    async def finish(self, reason: str = "stop", **more: Any) -> None:
        choice = {"index": 0, "delta": {}, "finish_reason": reason}
        await self.data({"object": "chat.completion.chunk", "choices": [choice], **more})

    async def usage(self, prompt: int, answer: int, cached: int = 0) -> None:
        details = {"cached_tokens": cached}
        counts = {"prompt_tokens": prompt, "completion_tokens": answer, "prompt_tokens_details": details}
        await self.data({"object": "chat.completion.chunk", "choices": [], "usage": counts})

    async def done(self) -> None:
        await self.line("data: [DONE]")

    def cut(self) -> None:
        """End the connection in the middle, as a killed process does."""
        assert self.request.transport
        self.request.transport.abort()


Script = Callable[[Reply], Awaitable[None]]  # writes one answer
Refusal = web.Response  # is sent instead of a stream


def says(text: str) -> Script:
    """Return a script of an engine that behaves well: it says `text` word by word."""

    async def script(reply: Reply) -> None:
        await reply.data({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        for index, word in enumerate(text.split(" ")):
            await reply.delta(f" {word}" if index else word)
        await reply.finish()
        await reply.usage(100, 7, 40)
        await reply.done()

    return script


def refuses(status: int, message: str = "no", **headers: str) -> Refusal:
    return web.json_response(
        {"error": {"message": message, "type": "x", "code": status}}, status=status, headers=headers
    )


@dataclass
class FakeEngine:
    """Plays `scripts` one after the other, and then always `usual`. `asked` holds the bodies that came."""

    usual: Script | Refusal = field(default_factory=lambda: says("It is red."))
    scripts: deque[Script | Refusal] = field(default_factory=deque)
    listed: Any = field(default_factory=lambda: {"object": "list", "data": [{"id": MODEL, "max_model_len": 4096}]})
    list_status: int = 200
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    running: int = 0
    hung_up: int = 0  # streams that their reader closed
    url: str = ""
    _transports: set[asyncio.Transport] = field(default_factory=set)
    _runner: web.AppRunner | None = None

    async def start(self, port: int | None = None, ssl: Any = None) -> None:
        app = web.Application(client_max_size=1 << 28)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        port = port or free_port()  # others may not take it while this is stopped
        await web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=ssl).start()
        self.url = f"{'https' if ssl else 'http'}://127.0.0.1:{port}/v1"

    async def stop(self) -> None:
        """End it as a kill does: connections break, and then nothing listens there."""
        for transport in self._transports:
            transport.abort()
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    def questions(self) -> list[str]:
        """Return the last words of each question that came."""
        said = [body["messages"][-1]["content"] for body in self.asked]
        return [content if isinstance(content, str) else content[-1]["text"] for content in said]

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if self.list_status != 200:
            return refuses(self.list_status, "Loading model")
        return web.json_response(self.listed)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        script = self.scripts.popleft() if self.scripts else self.usual
        if isinstance(script, web.Response):
            return web.Response(body=script.body, status=script.status, headers=script.headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        assert request.transport
        self._transports.add(request.transport)
        self.running += 1
        try:
            await script(Reply(response, request))
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up += 1
            raise
        finally:
            self.running -= 1
            self._transports.discard(request.transport)
        return response


@asynccontextmanager
async def fake_engines(*engines: FakeEngine) -> AsyncIterator[list[str]]:
    """Start them, and return their URLs."""
    for engine in engines:
        await engine.start()
    try:
        yield [engine.url for engine in engines]
    finally:
        for engine in engines:
            await engine.stop()

"""Measure any server that speaks the OpenAI protocol: llama-server, Ollama, vLLM."""

import asyncio
import base64
import json
import shlex
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import httpx

from core.benchmark.memory import peak_memory
from core.benchmark.target import AnswerTimes
from core.conversation import Conversation


class Server:
    """Another server. `command` starts it; without a command it must be running."""

    is_new = False

    def __init__(self, url: str, command: str | None) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        if not self._command:
            return
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(*shlex.split(self._command), stdout=quiet, stderr=quiet)
        async with httpx.AsyncClient() as client:
            while not await self._ready(client):
                if self._process.returncode is not None:
                    raise RuntimeError(f"{self._command} ended with {self._process.returncode}")
                await asyncio.sleep(0.1)

    async def restart(self) -> float | None:
        await self.stop()
        begin = time.monotonic()
        await self.start()
        return time.monotonic() - begin if self._command else None

    async def _ready(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self._url}/health")).status_code == 200
        except httpx.TransportError:
            return False

    async def stop(self) -> None:
        if self._process:
            with suppress(ProcessLookupError):  # it has ended by itself
                self._process.terminate()
            await self._process.wait()
        self._process = None

    def peak(self) -> int | None:
        return peak_memory(self._process.pid) if self._process else None

    async def ask(self, conversation: Conversation, tokens: int, writing: AnswerTimes) -> AnswerTimes:
        body = {
            "model": "default", "stream": True, "stream_options": {"include_usage": True}, "temperature": 0,
            "max_tokens": tokens, "messages": _messages(conversation),
        }  # fmt: skip
        written = 0
        async with httpx.AsyncClient(timeout=None) as client:
            async for chunk in _events(client, f"{self._url}/v1/chat/completions", body):
                if usage := chunk.get("usage"):
                    written = usage["completion_tokens"]
                if (choices := chunk.get("choices")) and choices[0]["delta"].get("content"):
                    writing.add(choices[0]["delta"]["content"])
        writing.end(written)
        return writing


def _messages(conversation: Conversation) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for turn in conversation.turns:
        content: list[dict[str, Any]] = []
        for picture in turn.pictures:
            url = "data:image/png;base64," + base64.b64encode(picture.image.data).decode()
            content += [
                {"type": "text", "text": f"Picture {picture.number}: "},
                {"type": "image_url", "image_url": {"url": url}},
            ]
        messages.append({"role": "user", "content": [*content, {"type": "text", "text": turn.text}]})
        if turn.answer:
            messages.append({"role": "assistant", "content": turn.answer.text})
    return messages


async def _events(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
    async with client.stream("POST", url, json=body) as response:
        if response.status_code != 200:
            raise RuntimeError(f"{url} answered {response.status_code}: {(await response.aread()).decode()}")
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))

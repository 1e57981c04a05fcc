"""Let many clients ask /v1 at once, and one ask on: `python -m tests.system.clients.many URL KEY…`. Prints Markdown.

Each client has a key and a picture of its own. The next one asks as soon as the service has taken the one before, so
that the order of arrival is known.
"""

import asyncio
import io
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image as PilImage

from tests.bots.web.openai.asking import sent, user
from tests.demo import SAMPLES

PATIENCE_SECONDS = 600.0
NEW = 255  # the number of a picture that none of the many has


@dataclass
class Heard:
    """What a client heard. Times are `time.monotonic`; `place` is its place in the order of arrival."""

    place: int
    asked: float
    first: float = 0.0
    last: float = 0.0
    text: str = ""
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def first_token_s(self) -> float:
        return self.first - self.asked

    @property
    def cached_tokens(self) -> int:
        return int(self.usage["prompt_tokens_details"]["cached_tokens"])


def own_picture(number: int) -> bytes:
    """Return the sample invoice with a mark that makes it another picture."""
    picture = PilImage.open(SAMPLES / "invoice.png").convert("RGB")
    picture.putpixel((0, 0), (255, 0, number))
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


async def ask_at_once(url: str, keys: Sequence[str], question: str) -> list[Heard]:
    """Ask with each key about a picture of its own, and return what was heard, in the order of arrival."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client, AsyncExitStack() as stack:
        heard, reading = [], []
        for place, key in enumerate(keys):
            one = Heard(place, time.monotonic())
            body = {"messages": [user(question, sent(own_picture(place)))]}
            reply = await stack.enter_async_context(_streamed(client, url, key, body))
            assert reply.status_code == httpx.codes.OK, (await reply.aread()).decode()
            heard.append(one)
            reading.append(asyncio.create_task(_read(reply, one)))
        await asyncio.gather(*reading)
        return heard


async def ask_on(url: str, key: str, question: str, then: str) -> tuple[Heard, Heard]:
    """Ask about a picture that nobody saw before, and ask on."""
    asked = [user(question, sent(own_picture(NEW)))]
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
        first = await _ask(client, url, key, asked)
        answer = {"role": "assistant", "content": first.text}
        return first, await _ask(client, url, key, [*asked, answer, {"role": "user", "content": then}])


async def _ask(client: httpx.AsyncClient, url: str, key: str, messages: Sequence[dict[str, Any]]) -> Heard:
    heard = Heard(0, time.monotonic())
    async with _streamed(client, url, key, {"messages": messages}) as reply:
        await _read(reply, heard)
    return heard


def _streamed(client: httpx.AsyncClient, url: str, key: str, body: dict[str, Any]) -> Any:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    headers = {"Authorization": f"Bearer {key}"}
    return client.stream("POST", f"{url}/chat/completions", json=body | options, headers=headers)


async def _read(reply: httpx.Response, heard: Heard) -> None:
    async for event in _events(reply):
        for choice in event["choices"]:
            if piece := choice["delta"].get("content"):
                heard.first = heard.first or time.monotonic()
                heard.text += piece
        heard.usage = event.get("usage") or heard.usage
    heard.last = time.monotonic()


async def _events(reply: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in reply.aiter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            event = json.loads(line.removeprefix("data: "))
            assert "error" not in event, event
            yield event


async def main(url: str, *keys: str) -> None:
    heard = await ask_at_once(url, keys, "What is the total?")
    order = [one.place for one in sorted(heard, key=lambda one: one.first)]
    firsts = [one.first_token_s for one in heard]
    print(f"{len(heard)} at once: {sum(bool(one.text) for one in heard)} answered, by first token {order}")
    print(f"first token: {min(firsts):.2f} to {max(firsts):.2f} s, median {statistics.median(firsts):.2f} s")
    first, second = await ask_on(url, keys[0], "What is the total?", "What is the tax rate?")
    print("\n| | prompt tokens | of them known | first token |\n|---|---|---|---|")
    for name, one in (("first question", first), ("second question", second)):
        print(f"| {name} | {one.usage['prompt_tokens']} | {one.cached_tokens} | {one.first_token_s:.2f} s |")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

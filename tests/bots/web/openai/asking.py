"""A client of /v1 as programs have it, and what they send."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
from pydantic import BaseModel

from tests.bots.web.conftest import Web, photo

CHAT = "/v1/chat/completions"


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def picture(colour: str = "red", **fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(photo(colour)), **fields}}


def sent(data: bytes, kind: str = "image/png") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(data, kind)}}


def user(text: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}


async def ask(web: Web, *messages: dict[str, Any], **fields: Any) -> httpx.Response:
    return await web.client.post(CHAT, json={"messages": messages, **fields})


@asynccontextmanager
async def client(web: Web, key: str = "any-key") -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{web.url}/v1", api_key=key, max_retries=0) as made:
        yield made


def nothing_extra(reply: BaseModel) -> None:
    """Check that a reply has no field that OpenAI's own types do not know, at any depth."""
    assert not reply.model_extra, reply.model_extra
    for name in type(reply).model_fields:
        value = getattr(reply, name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, BaseModel):
                nothing_extra(each)

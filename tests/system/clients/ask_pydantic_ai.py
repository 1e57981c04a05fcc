"""Run in pydantic-ai's own environment: ask, ask on, send a broken picture, hang up. Prints what it heard as JSON."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

invoice, broken = (BinaryContent(Path(name).read_bytes(), media_type="image/png") for name in sys.argv[1:])
provider = OpenAIProvider(base_url=os.environ["URL"], api_key=os.environ["KEY"])
model = OpenAIChatModel(os.environ["MODEL"], provider=provider)
agent = Agent(model)


class Invoice(BaseModel):
    total: float
    paid: bool


async def main() -> None:
    first = await agent.run(["What is the total?", invoice])
    second = await agent.run("What is the tax rate?", message_history=first.all_messages())
    async with agent.run_stream(["What is the total?", invoice]) as stream:
        streamed = await stream.get_output()
    for shape in (NativeOutput(Invoice), Invoice):  # a JSON Schema, and the forced call of a function
        shaped: Any = await Agent(model, output_type=shape).run(["What is the total?", invoice])
    try:
        await agent.run(["What is it?", broken])
        refused = {}
    except ModelHTTPError as error:
        refused = {"code": error.body["code"], "message": error.body["message"]}
    for _ in range(3):
        async with agent.run_stream(["Extract all text", invoice]) as stream:
            pieces = stream.stream_text(delta=True, debounce_by=None)
            begun = await anext(pieces)
            await pieces.aclose()
            await stream.cancel()
    heard = {
        "first": first.output,
        "second": second.output,
        "streamed": streamed,
        "cached": second.usage.cache_read_tokens,
        "read": first.usage.input_tokens,
        "shaped": shaped.output.model_dump(),
        "refused": refused,
        "begun": begun,
    }
    print(json.dumps(heard))


asyncio.run(main())

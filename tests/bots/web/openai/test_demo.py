"""OpenAI's own package against the demo model: every reply has only fields that its types know."""

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest

from core.engine.engine import Engine
from tests.bots.web.conftest import service, until
from tests.bots.web.openai.asking import client, nothing_extra, picture, sent, user
from tests.demo import directly, sample


async def test_the_package_reads_the_invoice_asks_on_and_streams(demo: Engine, tmp_path: Path) -> None:
    invoice = sample("invoice")
    expected = await directly(demo, ("What is the total?", (invoice,)), ("What is the tax rate?", ()))
    first: list[Any] = [user("What is the total?", sent(invoice))]
    async with service(tmp_path, demo, engine_stats=demo.stats) as web, client(web) as asked:
        reply = await asked.chat.completions.create(model="demo", messages=first)
        nothing_extra(reply)
        assert reply.choices[0].message.content == expected[0]
        assert reply.choices[0].finish_reason == "stop"
        then = [*first, {"role": "assistant", "content": expected[0]}, user("What is the tax rate?")]
        again = await asked.chat.completions.create(
            model="demo", messages=then, stream=True, stream_options={"include_usage": True}
        )
        text, usage = "", None
        async for chunk in again:
            nothing_extra(chunk)
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            usage = chunk.usage or usage
    assert text == expected[1]
    assert usage and usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens
    assert reply.usage
    assert usage.prompt_tokens_details.cached_tokens >= reply.usage.total_tokens


async def test_the_package_hears_why_it_is_refused(demo: Engine, tmp_path: Path) -> None:
    async with service(tmp_path, demo, engine_stats=demo.stats) as web, client(web) as asked:
        for messages, code in (
            ([user("What?", sent(b"no picture"))], "invalid_image"),
            ([user("What is the capital of France?")], "no_picture"),
        ):
            made: list[Any] = messages
            with pytest.raises(openai.BadRequestError) as refused:
                await asked.chat.completions.create(model="demo", messages=made)
            assert refused.value.code == code
        made = [user("What?", picture())]
        with pytest.raises(openai.NotFoundError):
            await asked.chat.completions.create(model="gpt-4o", messages=made)


async def test_limits_and_stop_texts_end_an_answer(demo: Engine, tmp_path: Path) -> None:
    messages: list[Any] = [user("What is the total?", sent(sample("invoice")))]
    async with service(tmp_path, demo, engine_stats=demo.stats) as web, client(web) as asked:
        whole = (await asked.chat.completions.create(model="demo", messages=messages)).choices[0].message.content or ""
        short = await asked.chat.completions.create(model="demo", messages=messages, max_tokens=2)
        assert short.choices[0].finish_reason == "length"
        assert short.usage and short.usage.completion_tokens == 2
        stop = whole[2:6]
        stopped = await asked.chat.completions.create(model="demo", messages=messages, stop=[stop])
        assert stopped.choices[0].finish_reason == "stop"
        assert stopped.choices[0].message.content == whole[: whole.index(stop)]


async def test_closing_a_stream_and_cancelling_free_the_model(demo: Engine, tmp_path: Path) -> None:
    messages: list[Any] = [user("Extract all text", sent(sample("invoice")))]
    async with service(tmp_path, demo, engine_stats=demo.stats) as web, client(web) as asked:
        stream = await asked.chat.completions.create(model="demo", messages=messages, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await until(lambda: demo.stats().running == 0, 60)
        task = asyncio.create_task(asked.chat.completions.create(model="demo", messages=messages))
        await until(lambda: demo.stats().running == 1 or task.done(), 60)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: demo.stats().running == 0, 60)

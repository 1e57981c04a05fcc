"""Bodies that no client sends by accident: each is answered or gets a 4xx, and so is the next one."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.bots.web.conftest import service
from tests.bots.web.openai.asking import CHAT, ask, picture, user
from tests.fakes import ScriptedEngine

DEEP = 100_000  # levels
BODIES = {
    "deep list": b"[" * DEEP,
    "deep object": b'{"messages":' * DEEP,
    "deep and whole": b'{"messages":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep beside a question": b'{"metadata":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b',"messages":[]}',
    "no JSON": b"messages=hello",
    "nothing": b"",
    "half a character": b'{"messages": "\xe4"}',
    "a byte-order mark alone": b"\xef\xbb\xbf",
    "many digits": b'{"seed": ' + b"9" * 100_000 + b', "messages": []}',
}
NUMBERS: list[Any] = [-1, 0, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -1e308, 0.5, True, None, "1", [], {}]
FIELDS = ["max_tokens", "max_completion_tokens", "seed", "n", "top_k", "temperature", "top_p", "presence_penalty"]
LONE = ["\ud800", "a\udfffb", "\ud83d"]


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_cannot_be_read_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    async with service(tmp_path, ScriptedEngine()) as web:
        reply = await web.client.post(CHAT, content=BODIES[name], headers={"content-type": "application/json"})
        assert 400 <= reply.status_code < 500, reply.text
        assert reply.json()["error"]["message"]
        assert (await ask(web, user("What?", picture()))).status_code == 200


async def test_extreme_numbers_are_refused_or_heeded_and_never_an_error_of_ours(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine()) as web:
        for field in FIELDS:
            for value in NUMBERS:
                reply = await ask(web, user("What?", picture()), **{field: value})
                assert reply.status_code in (200, 400), (field, value, reply.text)
                assert reply.status_code == 200 or reply.json()["error"]["message"], (field, value)


async def test_halves_of_characters_do_no_harm_anywhere(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine()) as web:
        for lone in LONE:
            bodies: list[dict[str, Any]] = [
                {"messages": [user(lone, picture())]},
                {"messages": [user("What?", picture())], "stop": lone},
                {"messages": [user("What?", picture())], "model": lone},
                {"messages": [{"role": lone, "content": "x"}]},
                {"messages": [user("What?", {"type": lone})]},
                {"messages": [user("What?", {"type": "image_url", "image_url": {"url": lone}})]},
                {"messages": [user("What?", picture())], lone: 1},
                {"messages": [user("What?", picture())], "response_format": {"type": lone}},
            ]
            for body in bodies:
                content = json.dumps(body).encode()
                reply = await web.client.post(CHAT, content=content, headers={"content-type": "application/json"})
                assert reply.status_code in (200, 400, 404), (body, reply.text)


async def test_a_good_body_with_any_part_replaced_is_answered_or_refused(tmp_path: Path) -> None:
    dice = random.Random(7)
    good = {"messages": [user("What?", picture())], "temperature": 0.5, "stop": ["END"], "stream_options": {}}

    def replaced(value: Any) -> Any:
        if dice.random() < 0.15:
            return dice.choice([*NUMBERS, *LONE, "", "x" * 10_000, [[]] * 100])
        if isinstance(value, dict):
            return {key: replaced(each) for key, each in value.items()}
        return [replaced(each) for each in value] if isinstance(value, list) else value

    async with service(tmp_path, ScriptedEngine()) as web:
        for _ in range(300):
            content = json.dumps(replaced(good)).encode()
            reply = await web.client.post(CHAT, content=content, headers={"content-type": "application/json"})
            assert reply.status_code == 200 or 400 <= reply.status_code < 500, (content[:500], reply.text)
        assert (await ask(web, user("What?", picture()))).status_code == 200

"""POST /api/v1/analyze with keep=false: an answer, and nothing on any disk."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from core.errors import Busy
from tests.bots.web.conftest import KEY, Web, events_of, service, until
from tests.bots.web.test_refused import TABLES, left
from tests.fakes import ScriptedEngine

BOXES = 'Here:\n```json\n[{"bbox_2d": [100, 100, 500, 500], "label": "stamp"}]\n```'


async def test_nothing_is_kept_of_the_question(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        whole = (await web.ask("Compare", "red", "blue", keep="false")).json()
        streamed = events_of(await web.ask("Compare", "red", "blue", keep="false", stream="true", html="true"))
        assert (await web.client.get("/api/v1/conversations")).json() == {"conversations": []}
    assert left(tmp_path) == dict.fromkeys(TABLES, 0)
    assert not any(conversation.stored for conversation in engine.asked)
    assert (whole["text"], whole["conversation"]) == ("Answer to 'Compare' about [1, 2] after 0 turns.", None)
    assert streamed[0] == ("conversation", {"conversation": None})
    assert streamed[-1][0] == "done"
    assert streamed[-1][1] == whole | {"figures": streamed[-1][1]["figures"]}
    assert {"piece", "html"} <= {name for name, _ in streamed}


async def test_its_boxes_are_read(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(lambda _: BOXES)) as web:
        answer = (await web.ask("Where?", "red", keep="0")).json()
    assert answer["boxes"] == [{"picture": None, "label": "stamp", "corners": [100, 100, 500, 500]}]
    assert "bbox_2d" not in answer["text"]


@pytest.mark.parametrize("fields", [{"key": KEY}, {"conversation": "web:1"}, {"pictures": "1"}])
async def test_what_needs_something_kept_is_refused(web: Web, fields: dict[str, Any]) -> None:
    refused = await web.ask("What?", "red", keep="false", **fields)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_question")


async def test_it_is_refused_as_other_questions_are(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda _: Busy("The line is full."))
    async with service(tmp_path, engine) as web:
        assert (await web.ask("x" * 8001, "red", keep="false")).status_code == 400
        assert (await web.ask("What?", keep="false")).status_code == 400
        assert (await web.ask("What?", "red", keep="perhaps")).status_code == 400
        full = await web.ask("What?", "red", keep="false", stream="true")
        assert (full.status_code, full.json()["code"]) == (429, "busy")


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_hanging_up_frees_the_model(tmp_path: Path, stream: str) -> None:
    engine = ScriptedEngine(pause=60)
    async with service(tmp_path, engine) as web:
        asking = asyncio.create_task(web.ask("What?", "red", keep="false", stream=stream))
        await until(lambda: engine.running)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: engine.cancelled == 1)

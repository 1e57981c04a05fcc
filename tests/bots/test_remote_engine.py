"""A service whose model is elsewhere: this product's own /v1, with the demo model behind it."""

import asyncio
import io
import json
import re
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image as PilImage

from bots.cli.doctor import examine
from bots.conversing.check_result import CheckResult, Level
from core.engine import EngineConfig
from core.engine.engine import Engine
from core.image import Image
from core.remote.checkup import draw
from core.remote.engine import RemoteEngine
from tests.bots.web.conftest import Web, service
from tests.core.remote.fake_engine import MODEL, FakeEngine, Reply, fake_engines, refuses, says
from tests.demo import directly, sample

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def elsewhere(folder: Path, *urls: str, **settings: Any) -> AsyncIterator[tuple[Web, RemoteEngine]]:
    """A page whose engines are at these addresses."""
    engine = await RemoteEngine.start(EngineConfig(urls=urls, **settings))
    try:
        async with service(folder, engine, engine_stats=engine.stats) as web:
            yield web, engine
    finally:
        await engine.close()


async def analyzed(web: Web, query: str, picture: bytes | None = None, conversation: str = "") -> dict[str, Any]:
    files = {"image": ("p.png", picture, "image/png")} if picture else {}
    data = {"query": query} | ({"conversation": conversation} if conversation else {})
    reply = await web.client.post("/api/v1/analyze", data=data, files=files or None)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def chart_as_csv(web: Web) -> str:
    shown = await analyzed(web, "Show the values as a table.", sample("chart"))
    [turn] = (await web.client.get(f"/api/v1/conversations/{shown['conversation']}")).json()["turns"]
    return (await web.client.get(turn["answer"]["table"])).text


def enlarged(picture: bytes, times: int) -> bytes:
    made = io.BytesIO()
    with PilImage.open(io.BytesIO(picture)) as small:
        small.resize((small.width * times, small.height * times)).save(made, "PNG")
    return made.getvalue()


def folders(folder: Path, *names: str) -> list[Path]:
    made = [folder / name for name in names]
    for each in made:
        each.mkdir()
    return made


async def test_answers_of_another_service_are_those_of_its_model(demo: Engine, tmp_path: Path) -> None:
    invoice = sample("invoice")
    questions = ("What is the total?", "What is the tax rate?", "Where is the total?")
    expected = await directly(demo, (questions[0], (invoice,)), *((text, ()) for text in questions[1:]))
    here, there = folders(tmp_path, "here", "there")
    async with (
        service(there, demo, engine_stats=demo.stats) as other,
        elsewhere(here, f"{other.url}/v1", model="demo") as (web, engine),
    ):
        first = await analyzed(web, questions[0], invoice)
        again = await analyzed(web, questions[1], conversation=first["conversation"])
        marked = await analyzed(web, questions[2], conversation=first["conversation"])
        turns = (await web.client.get(f"/api/v1/conversations/{first['conversation']}")).json()["turns"]
        retried = await web.client.post(f"/api/v1/conversations/{first['conversation']}/retry")
        table, table_there = [await chart_as_csv(it) for it in (web, other)]
        figures = engine.stats()
    assert [first["text"], again["text"]] == expected[:2]
    assert marked["boxes"] and turns[2]["answer"]["marked"]
    assert retried.status_code == 200
    assert table == table_there and table.count("\n") > 2
    assert figures.answers == 5 and figures.tokens_reused > 0


async def test_a_shrunk_picture_has_its_receipt_and_a_closer_look(demo: Engine, tmp_path: Path) -> None:
    """What the model writes elsewhere is looked after here."""
    here, there = folders(tmp_path, "here", "there")
    async with (
        service(there, demo, engine_stats=demo.stats) as other,
        elsewhere(here, f"{other.url}/v1", model="demo") as (web, _),
    ):
        asked = await analyzed(web, "What is the total?", enlarged(sample("invoice"), 8))
        at = f"/api/v1/conversations/{asked['conversation']}"
        [turn] = (await web.client.get(at)).json()["turns"]
        small_print = await web.client.post(f"{at}/turns/1/smallprint")
    assert "shrunk from" in turn["answer"]["receipt"]
    assert turn["answer"]["small_print"]
    assert small_print.status_code == 200 and small_print.json()["text"]


@asynccontextmanager
async def process(folder: Path) -> AsyncIterator[tuple[Process, str]]:
    """A service of its own with the demo model, and its address, once the model is there."""
    config, log = folder / "config.toml", folder / "log"
    config.write_text(
        f'[bots.web]\nport = 0\n[storage]\nurl = "sqlite+aiosqlite:///{folder}/answers.db"\n[core.quota]\n'
        "questions_per_minute = 0\npictures_per_minute = 0\nat_once = 0\n"
        f'[core.engine]\nmodel = "demo"\nthreads = 1\ncache = "{folder}/cache"\ncache_limit_gb = 0\n',
        "utf-8",
    )
    command = [sys.executable, "-m", "bots", "run", "--config", str(config)]
    with log.open("wb") as out:
        service = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=out)
    try:
        while (found := re.search(r"the page is at (\S+)", log.read_text("utf-8"))) is None:
            assert service.returncode is None, log.read_text("utf-8")
            await asyncio.sleep(0.05)
        # Its event loop stands still for seconds while torch is imported.
        async with httpx.AsyncClient(base_url=found[1], timeout=None, trust_env=False) as client:
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.05)
        yield service, found[1]
    finally:
        if service.returncode is None:
            service.kill()
        await service.wait()


async def streamed(web: Web, query: str, picture: bytes, begun: asyncio.Event) -> list[tuple[str, Any]]:
    """Return the events of an answer. `begun` is set by its first words."""
    files, heard = {"image": ("p.png", picture, "image/png")}, ""
    async with web.client.stream(
        "POST", "/api/v1/analyze", data={"query": query, "stream": "true"}, files=files
    ) as sent:
        async for text in sent.aiter_text():
            heard += text
            if "event: piece" in heard:
                begun.set()
    return [
        (block.splitlines()[0].removeprefix("event: "), json.loads(block.splitlines()[1].removeprefix("data: ")))
        for block in heard.split("\n\n")
        if block.startswith("event: ")
    ]


async def test_of_two_services_one_is_killed_in_the_middle_and_each_question_is_answered_once(
    demo: Engine, tmp_path: Path
) -> None:
    query, invoice = "Extract all text", sample("invoice")
    [expected] = await directly(demo, (query, (invoice,)))
    here, first, second = folders(tmp_path, "here", "first", "second")
    async with (
        process(first) as (one, one_url),
        process(second) as (other, other_url),
        elsewhere(here, f"{one_url}/v1", f"{other_url}/v1", model="demo") as (web, engine),
    ):
        begun = [asyncio.Event() for _ in range(6)]
        asking = [asyncio.create_task(streamed(web, query, invoice, each)) for each in begun]
        await asyncio.gather(*(each.wait() for each in begun))
        busiest = max(zip(engine._pool.endpoints, (one, other), strict=True), key=lambda pair: pair[0].running)
        interrupted = busiest[0].running
        busiest[1].kill()
        heard = await asyncio.gather(*asking)
        kept = [await web.store.load(events[-1][1]["conversation"]) for events in heard]
    assert [events[-1][0] for events in heard] == ["done"] * 6
    assert [events[-1][1]["text"] for events in heard] == [expected] * 6
    assert [len(conversation.turns) for conversation in kept] == [1] * 6
    names = [[name for name, _ in events] for events in heard]
    assert 1 <= sum("again" in each for each in names) <= interrupted


async def found(folder: Path, urls: list[str], more: str = "") -> list[CheckResult]:
    path = folder / "config.toml"
    path.write_text(
        f"[core.engine]\nurls = {urls}\ncache = '{folder}/cache'\ntimeout_seconds = 60\n{more}"
        f"[storage]\nurl = 'sqlite+aiosqlite:///{folder}/db.sqlite'\n",
        "utf-8",
    )
    return [finding async for finding in examine(path) if finding.what in ("engine", "model", "memory", "processor")]


async def test_the_doctor_lets_each_engine_read_a_number(tmp_path: Path) -> None:
    async def reads(reply: Reply) -> None:
        """Read back what the doctor drew, which only this test knows how."""
        await says(f"The number is {drawn[-1]}.")(reply)

    drawn: list[str] = []
    fake = FakeEngine(usual=reads)

    def remember(number: str) -> Image:
        drawn.append(number)
        return draw(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.remote.checkup.draw", remember)
        async with fake_engines(fake) as [url]:
            results = await found(tmp_path, [url])
    assert {result.level for result in results} == {Level.OK}
    assert [result.text.removeprefix(url) for result in results] == [
        f" has the model {MODEL}",
        " takes conversations of 4096 tokens, as it says itself",
        f" sees pictures: it read the number {drawn[0]}",
    ]


@pytest.mark.parametrize(
    ("fake", "more", "sentence"),
    [
        (FakeEngine(usual=says("I see a cat.")), "", "it does not see pictures: shown the number"),
        (FakeEngine(usual=refuses(400, "image input is not supported")), "", "does it have a model for pictures"),
        (FakeEngine(usual=refuses(401)), "", r"refuses the key \(status 401\): check api_key"),
        (FakeEngine(), "model = 'other'\n", "has no model other, it lists some/model: set model"),
        (FakeEngine(usual=refuses(500)), "", "answered with status 500"),
        (FakeEngine(list_status=503), "", "it loads its model"),
    ],
)
async def test_the_doctor_says_what_is_wrong_with_an_engine(
    tmp_path: Path, fake: FakeEngine, more: str, sentence: str
) -> None:
    async with fake_engines(fake) as [url]:
        last = (await found(tmp_path, [url], more))[-1]
    assert last.level is Level.WRONG and re.search(f"{re.escape(url)} cannot be used: .*{sentence}", last.text)


async def test_the_doctor_says_what_is_not_sent_and_which_engine_is_not_there(tmp_path: Path) -> None:
    results = await found(tmp_path, ["http://127.0.0.1:9/v1"], "[core.assistant]\ntop_k = 20\n")
    assert [result.level for result in results] == [Level.WRONG, Level.NOTE]
    assert "http://127.0.0.1:9/v1 cannot be used: nothing listens there" in results[0].text
    assert "top_k in [core.assistant] is not sent" in results[1].text


async def test_the_doctor_finds_that_the_demo_model_sees(demo: Engine, tmp_path: Path) -> None:
    here, there = folders(tmp_path, "here", "there")
    async with service(there, demo, engine_stats=demo.stats) as other:
        results = await found(here, [f"{other.url}/v1"])
    assert {result.level for result in results} == {Level.OK}, results

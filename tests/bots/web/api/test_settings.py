"""The settings of a conversation, through the REST API."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from core.settings import SHORT_ANSWER_TOKENS
from tests.bots.web.conftest import Web, events_of, photo, service
from tests.fakes import ScriptedEngine

USUAL = {"instructions": "", "language": "", "length": "normal", "sharpness": "normal", "receipt": True, "keep": True}


async def begun(web: Web) -> str:
    """The address of a conversation's settings."""
    answer = await web.ask("What is it?", "red")
    return f"/api/v1/conversations/{answer.json()['conversation']}/settings"


async def ask_on(web: Web, address: str, **files: Any) -> None:
    form = {"query": "And now?", "conversation": address.split("/")[4]}
    answer = await web.client.post("/api/v1/analyze", data=form, files=files or None)
    assert answer.status_code == 200, answer.text


async def test_they_are_heeded_from_the_next_question_on(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        address = await begun(web)
        assert (await web.client.get(address)).json() == USUAL
        wanted = {**USUAL, "instructions": "Sell ONLY bikes.", "length": "short"}
        assert (await web.client.put(address, json=wanted)).json() == wanted
        await ask_on(web, address)
        assert (await web.client.get(address)).json() == wanted
        assert (await web.client.put(address, json={})).json() == USUAL
        await ask_on(web, address)
    assert [asked.system for asked in engine.asked] == [
        "", "Sell ONLY bikes.\nAnswer in one or two short sentences.", "",
    ]  # fmt: skip
    assert [sampling.max_new_tokens for sampling in engine.samplings] == [512, SHORT_ANSWER_TOKENS, 512]


async def test_where_nothing_is_kept_an_answer_is_forgotten_with_all_before_and_the_settings_stay(
    tmp_path: Path,
) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        address = await begun(web)
        wanted = {**USUAL, "language": "German", "keep": False}
        assert (await web.client.put(address, json=wanted)).json() == wanted
        await ask_on(web, address, image=("photo.jpg", photo()))
        here = address.removesuffix("/settings")
        while (known := (await web.client.get(here)).json())["turns"]:  # until just after the answer was read
            await asyncio.sleep(0.01)
        assert known["waiting"] == []
        assert (await web.client.get(address)).json() == wanted
        assert (await web.client.get(f"{here}/pictures/1")).status_code == 404
        assert (await web.client.get("/api/v1/conversations")).json()["conversations"] == []
        await ask_on(web, address, image=("photo.jpg", photo()))
    assert [len(asked.turns) for asked in engine.asked] == [1, 2, 1]


async def test_a_sharper_picture_keeps_more_of_its_pixels(tmp_path: Path) -> None:
    engine, scan = ScriptedEngine(), photo(size=(2400, 2400))
    async with service(tmp_path, engine) as web:
        address = await begun(web)
        await ask_on(web, address, image=("scan.jpg", scan))
        await web.client.put(address, json={"sharpness": "high"})
        await ask_on(web, address, image=("scan.jpg", scan))
    usual, sharp = (asked.turns[-1].pictures[0].image for asked in engine.asked[1:])
    assert 1.8 < sharp.width * sharp.height / (usual.width * usual.height) < 2.2


async def test_without_receipts_no_answer_of_the_conversation_has_one(web: Web) -> None:
    address = await begun(web)
    await ask_on(web, address, image=("scan.png", photo(size=(2400, 2400))))
    here = address.removesuffix("/settings")
    for shown in (False, True):
        await web.client.put(address, json={"receipt": shown})
        [_, turn] = (await web.client.get(here)).json()["turns"]
        assert ("2400×2400" in turn["answer"]["receipt"]) is shown


@pytest.mark.parametrize(
    "wrong", [{"length": "huge"}, {"colour": "red"}, {"instructions": "x" * 1001}, {"language": "a\nb"}, [], "x"]
)
async def test_what_cannot_be_set_is_refused_and_changes_nothing(web: Web, wrong: object) -> None:
    address = await begun(web)
    assert (await web.client.put(address, json=wrong)).status_code == 422
    assert (await web.client.get(address)).json() == USUAL


@pytest.mark.parametrize("way", ["form", "json"])
async def test_a_new_conversation_begins_with_settings(tmp_path: Path, way: str) -> None:
    engine, scan = ScriptedEngine(), photo(size=(2400, 2400))
    wanted = {**USUAL, "language": "German", "sharpness": "high"}
    async with service(tmp_path, engine) as web:

        async def send(path: str, **fields: object) -> dict[str, Any]:
            if way == "json":
                fields["image"] = [base64.b64encode(scan).decode()]
                answer = await web.client.post(f"/api/v1/{path}", json={**fields, "settings": wanted})
            else:
                files = {"image": ("scan.png", scan, "image/png")}
                answer = await web.client.post(
                    f"/api/v1/{path}", data={**fields, "settings": json.dumps(wanted)}, files=files
                )
            known: dict[str, Any] = answer.json()
            assert answer.status_code == 200, known
            address = f"/api/v1/conversations/{known['conversation']}/settings"
            assert (await web.client.get(address)).json() == wanted
            return known

        added = await send("pictures")
        await send("analyze", query="What is it?")
        await web.ask("What is it?", "red")
    [asked, usual] = engine.asked
    assert [asked.system, usual.system] == ["Answer in German.", ""]
    assert added["pictures"][0]["width"] == asked.turns[0].pictures[0].image.width > 1300


@pytest.mark.parametrize("wrong", ["{", "[]", '{"length": "huge"}', '{"colour": "red"}'])
async def test_a_new_conversation_does_not_begin_with_wrong_settings(web: Web, wrong: str) -> None:
    answer = await web.ask("What is it?", "red", settings=wrong)
    assert answer.status_code in (400, 422), answer.text
    assert "settings" in answer.json()["detail"] or "Please check" in answer.json()["detail"]


async def test_settings_come_only_with_the_first_question(web: Web) -> None:
    known = await web.begin()
    answer = await web.ask("And now?", settings='{"length": "long"}', conversation=known)
    assert (answer.status_code, "new conversation" in answer.json()["detail"]) == (400, True)


async def test_a_page_is_told_that_an_answer_is_not_kept(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: "| a | b |\n|---|---|\n| 1 | 2 |")) as web:
        form = {"query": "What is it?", "settings": '{"keep": false}', "stream": "true", "html": "true"}
        answer = await web.client.post("/api/v1/analyze", data=form, files={"image": ("a.png", photo())})
    [*_, (_, done)] = events_of(answer)
    assert (done["number"], done["table"], done["pictures"]) == (0, None, [])
    assert "<td>2</td>" in done["html"]


async def test_another_platforms_conversation_and_an_unknown_one_have_none(web: Web) -> None:
    for other in ("telegram:7:0", "web:0123"):
        assert (await web.client.get(f"/api/v1/conversations/{other}/settings")).status_code == 404
        assert (await web.client.put(f"/api/v1/conversations/{other}/settings", json={})).status_code == 404


async def test_settings_that_come_while_their_conversation_is_deleted_do_not_bring_it_back(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await begun(web)
    here, change = address.removesuffix("/settings"), web.store.change_settings

    async def change_late(*what: Any, **more: Any) -> None:
        assert (await web.client.delete(here)).status_code == 204
        await change(*what, **more)

    monkeypatch.setattr(web.store, "change_settings", change_late)
    refused = await web.client.put(address, json={})
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert not await web.store.has_begun(here.split("/")[-1])

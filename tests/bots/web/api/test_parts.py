"""Questions about a part of a picture, through the REST API."""

import json
from pathlib import Path

import pytest

from tests.bots.web.api.test_turns import turn_of
from tests.bots.web.conftest import KEY, Web, photo, service
from tests.fakes import ScriptedEngine

REFUSED = "A region is a part of one picture of the conversation"


async def begun(web: Web) -> str:
    files = {"image": photo("white", (2400, 2400))}
    first = await web.client.post("/api/v1/analyze", data={"query": "Read"}, files=files)
    return str(first.json()["conversation"])


async def test_a_part_becomes_the_next_picture_at_full_pixels_with_its_place(tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        conversation = await begun(web)
        asked = await web.ask("What is here?", conversation=conversation, pictures="1", region="500,0,750,250", key=KEY)
        assert asked.json()["text"] == "Answer to 'What is here?' about [2] after 1 turns."
        _, answer = await turn_of(web, asked)
        place = "cut out of picture 1: 50–75 % from the left, 0–25 % from the top"
        assert str(answer["receipt"]).startswith(f"Looked at picture 2 (600×600, {place})")
    async with service(tmp_path) as web:  # also after a restart
        [first, turn] = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()["turns"]
        [part] = turn["pictures"]
        assert (part["number"], part["width"], part["original_width"]) == (2, 600, 600)
        assert part["part"] == {"of": 1, "region": [500, 0, 750, 250]} and first["pictures"][0]["part"] is None
        follow_up = await web.ask("And there?", conversation=conversation, pictures="2", region="[0, 0, 500, 500]")
        _, answer = await turn_of(web, follow_up)
        place = "cut out of picture 1: 50–62 % from the left, 0–12 % from the top"
        assert str(answer["receipt"]).startswith(f"Looked at picture 3 (300×300, {place})")


async def test_a_part_can_be_asked_about_in_json_and_leaves_waiting_pictures_out(web: Web) -> None:
    conversation = await web.begin()
    await web.client.post("/api/v1/pictures", data={"conversation": conversation}, files={"image": photo("blue")})
    body = {"query": "Here?", "conversation": conversation, "pictures": [1], "region": [0, 0, 500, 500]}
    asked = await web.client.post(
        "/api/v1/analyze", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert asked.json()["text"] == "Answer to 'Here?' about [3] after 1 turns."


async def test_a_key_names_one_part(web: Web) -> None:
    conversation = await web.begin()
    fields = {"conversation": conversation, "pictures": "1", "key": KEY}
    first = await web.ask("Here?", **fields, region="0,0,500,500")
    assert (await web.ask("Here?", **fields, region="0,0,500,500")).json()["text"] == first.json()["text"]
    assert (await web.ask("Here?", **fields, region="0,0,500,501")).status_code == 422
    assert (await web.ask("Here?", **fields)).status_code == 422


@pytest.mark.parametrize("region", ["1,2,3", "0,0,1001,5", "9,0,3,5", "a,b,c,d", "0,0,nan,5", "[]"])
async def test_what_is_no_region_is_refused(web: Web, region: str) -> None:
    refused = await web.ask("Here?", conversation=await web.begin(), pictures="1", region=region)
    assert refused.status_code == 400 and "four numbers" in refused.json()["detail"]


async def test_a_region_needs_one_picture_of_the_conversation(web: Web) -> None:
    conversation = await web.begin()
    for fields in ({}, {"pictures": "1,2"}):
        refused = await web.ask("Here?", conversation=conversation, region="0,0,500,500", **fields)
        assert refused.status_code == 400 and REFUSED in refused.json()["detail"]
    refused = await web.ask("Here?", "red", region="0,0,500,500")
    assert refused.status_code == 400 and REFUSED in refused.json()["detail"]
    missing = await web.ask("Here?", conversation=conversation, pictures="7", region="0,0,500,500")
    assert missing.status_code == 400 and "no picture 7" in missing.json()["detail"]


async def test_a_picture_can_be_had_as_it_was_sent_and_else_as_the_model_sees_it(web: Web) -> None:
    sent = photo("white", (2400, 2400))
    added = await web.client.post("/api/v1/pictures", files=[("image", sent), ("image", photo("red"))])
    first, second = (picture["url"].partition("?")[0] for picture in added.json()["pictures"])
    original = await web.client.get(f"{first}/original")
    assert (original.content, original.headers["content-type"]) == (sent, "image/png")
    assert "attachment" in original.headers["content-disposition"]
    assert (await web.client.get(f"{second}/original")).content == (await web.client.get(second)).content
    assert (await web.client.get(f"{first[:-1]}7/original")).status_code == 404


async def test_who_has_only_the_shrunk_picture_gets_no_original_of_another_person(tmp_path: Path) -> None:
    """Both are the same pixels to the model. A shared link and an export hand out the shrunk one."""
    async with service(tmp_path) as web:
        at = f"/api/v1/conversations/{await begun(web)}/pictures/1"
        shrunk = (await web.client.get(at)).content
        original = (await web.client.get(f"{at}/original")).content
        asked = await web.client.post("/api/v1/analyze", data={"query": "Read"}, files={"image": shrunk})
        other = f"/api/v1/conversations/{asked.json()['conversation']}/pictures/1"
        assert (await web.client.get(other)).content == shrunk != original
        assert (await web.client.get(f"{other}/original")).content == shrunk


@pytest.mark.parametrize("kind", ["", "/original", "/thumbnail", "marked"])
async def test_a_browser_keeps_a_picture_only_by_what_it_is_of(tmp_path: Path, kind: str) -> None:
    pointing = '[{"bbox_2d": [1, 1, 500, 500], "label": "stamp"}]'
    async with service(tmp_path, ScriptedEngine(script=lambda _: pointing)) as web:
        conversation = await begun(web)
        [turn] = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()["turns"]
        [picture], [marked] = turn["pictures"], turn["answer"]["marked"]
        address = str(marked["url"] if kind == "marked" else picture["url"].replace("?", f"{kind}?"))
        assert "max-age" in (await web.client.get(address)).headers["cache-control"]
        assert (await web.client.get(address.partition("?")[0])).headers["cache-control"] == "no-store"
        assert (await web.client.get(f"{address}x")).headers["cache-control"] == "no-store"

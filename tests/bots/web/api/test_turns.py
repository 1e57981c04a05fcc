"""What else of an answer can be had, through the REST API."""

import asyncio
import io
import zipfile
from pathlib import Path

import httpx
import pypdfium2
import pytest

from storage.store import StoreConfig
from tests.bots.web.conftest import KEY, Web, events_of, photo, service
from tests.fakes import ScriptedEngine

TABLE = "Here it is:\n\n| Item | Price |\n|---|---:|\n| =cmd() | 12.50 |\n| 纸 | 3 |\n"
STAMP = 'The stamp:\n```json\n[{"bbox_2d": [100, 100, 500, 500], "label": "stamp"}]\n```'


async def turn_of(web: Web, answer: httpx.Response) -> tuple[str, dict[str, object]]:
    """The address of the last turn, and its answer."""
    address = f"/api/v1/conversations/{answer.json()['conversation']}"
    turn = (await web.client.get(address)).json()["turns"][-1]
    return f"{address}/turns/{turn['number']}", turn["answer"]


async def test_a_table_comes_as_a_csv_file_that_no_spreadsheet_runs(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: TABLE)) as web:
        address, answer = await turn_of(web, await web.ask("Table?", "red"))
        assert answer["table"] == f"{address}/table.csv"
        csv = await web.client.get(f"{address}/table.csv")
        assert csv.content == b"\xef\xbb\xbfItem,Price\r\n'=cmd(),12.50\r\n" + "纸,3\r\n".encode()
        assert "attachment" in csv.headers["content-disposition"]


async def test_an_answer_without_a_table_offers_none(web: Web) -> None:
    address, answer = await turn_of(web, await web.ask("What?", "red"))
    assert (answer["table"], answer["file"], answer["marked"], answer["receipt"]) == (None, None, [], "")
    assert (await web.client.get(f"{address}/table.csv")).status_code == 404
    assert (await web.client.get(f"{address}/marked/1.png")).status_code == 404
    assert (await web.client.get(f"{address[:-1]}2/table.csv")).status_code == 404


async def test_where_something_is_comes_as_boxes_and_drawn_but_never_as_json(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: STAMP)) as web:
        response = await web.ask("Where?", "red", stream="true", html="true")
        done = events_of(response)[-1][1]
        assert "bbox" not in "".join(str(data) for _, data in events_of(response))
        assert done["text"] == "The stamp:"
        assert done["boxes"] == [{"picture": 1, "label": "stamp", "corners": [100, 100, 500, 500]}]
        drawn = await web.client.get(done["marked"][0]["url"])
        assert drawn.content[:4] == b"\x89PNG"
        assert (await web.ask("Where?", "red")).json()["text"] == "The stamp:"


async def test_a_follow_up_points_into_the_picture_that_it_was_about_whatever_came_later(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: STAMP)) as web:
        conversation = await web.begin()
        await web.ask("And where is that?", conversation=conversation)
        await web.ask("And here?", "blue", conversation=conversation)
        turns = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()["turns"]
        assert [turn["answer"]["marked"][0]["number"] for turn in turns] == [1, 1, 2]
        for turn in turns:
            assert (await web.client.get(turn["answer"]["marked"][0]["url"])).status_code == 200


async def test_what_pointed_into_a_removed_picture_points_nowhere(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: STAMP)) as web:
        conversation = await web.begin()
        await web.ask("And here?", "blue", conversation=conversation)
        await web.ask("And where is that?", conversation=conversation)
        address = f"/api/v1/conversations/{conversation}"
        turns = (await web.client.get(address)).json()["turns"]
        assert (await web.client.delete(f"{address}/pictures/2")).is_success
        left = (await web.client.get(address)).json()["turns"]
        assert [len(turn["answer"]["marked"]) for turn in left] == [1, 0, 0]
        assert [len(turn["answer"]["boxes"]) for turn in left] == [1, 0, 0]
        status = [(await web.client.get(turn["answer"]["marked"][0]["url"])).status_code for turn in turns]
        assert status == [200, 404, 404]


async def test_pictures_that_had_to_make_room_are_told(web: Web) -> None:
    shades = [("image", ("a.png", photo(f"hsl({10 * number}, 100%, 50%)"), "image/png")) for number in range(25)]
    conversation = ""
    for start in range(0, 24, 8):
        fields = {"conversation": conversation} if conversation else {}
        added = await web.client.post("/api/v1/pictures", files=shades[start : start + 8], data=fields)
        conversation = added.json()["conversation"]
        assert added.json()["notes"] == []
    added = await web.client.post("/api/v1/pictures", files=shades[24:], data={"conversation": conversation})
    assert (added.json()["removed"], added.json()["notes"]) == (
        [1],
        ["Removed to make room: picture 1. A conversation keeps 24 pictures."],
    )
    await web.ask("All?", conversation=conversation)
    answer = (await web.ask("One more?", "white", conversation=conversation)).json()
    assert answer["notes"] == ["Removed to make room: picture 2. A conversation keeps 24 pictures."]
    streamed = events_of(await web.ask("Another?", "black", conversation=conversation, stream="true"))[-1][1]
    assert streamed["removed"] == [3] and "picture 3" in streamed["notes"][0]


async def test_a_shrunk_picture_is_on_the_receipt_and_can_be_looked_at_closer(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        files = {"image": photo("white", (2400, 2400))}
        first = await web.client.post("/api/v1/analyze", data={"query": "Read"}, files=files)
        address, answer = await turn_of(web, first)
        assert "shrunk from 2400×2400" in str(answer["receipt"])
        assert answer["small_print"] is True
        small_print = await web.client.post(f"{address}/smallprint", headers={"Idempotency-Key": KEY})
        assert small_print.json()["text"] == "Answer to 'Read' about [1] after 1 turns."
        small, large = (asked.turns[-1].pictures[0].image for asked in engine.asked)
        assert large.width > 1.5 * small.width
        _, answer = await turn_of(web, small_print)
        assert answer["small_print"] is False


async def test_a_closer_look_can_be_stopped_while_its_pictures_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, looking, gate = ScriptedEngine(pause=0.01), asyncio.Event(), asyncio.Event()
    async with service(tmp_path, engine) as web:
        files = {"image": photo("white", (2400, 2400))}
        first = await web.client.post("/api/v1/analyze", data={"query": "Read"}, files=files)
        address, _ = await turn_of(web, first)
        kept = web.store.original

        async def slowly(image_id: str) -> bytes | None:
            looking.set()
            await gate.wait()
            return await kept(image_id)

        monkeypatch.setattr(web.store, "original", slowly)
        asking = asyncio.create_task(web.client.post(f"{address}/smallprint", headers={"Idempotency-Key": KEY}))
        await looking.wait()
        stopped = await web.client.post(f"/api/v1/conversations/{first.json()['conversation']}/stop")
        assert stopped.json() == {"stopped": True}
        gate.set()
        assert (await asking).json()["ending"] == "stopped"


async def test_a_closer_look_is_about_its_question_s_pictures_alone(tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        files = {"image": photo("white", (2400, 2400))}
        first = await web.client.post("/api/v1/analyze", data={"query": "Read"}, files=files)
        address, _ = await turn_of(web, first)
        conversation = first.json()["conversation"]
        ahead = {"image": photo("red")}
        await web.client.post("/api/v1/pictures", data={"conversation": conversation}, files=ahead)
        small_print = await web.client.post(f"{address}/smallprint", headers={"Idempotency-Key": KEY})
        assert small_print.json()["text"] == "Answer to 'Read' about [1] after 1 turns."
        next_one = await web.ask("And this?", conversation=conversation)
        assert next_one.json()["text"] == "Answer to 'And this?' about [2] after 2 turns."


async def test_receipts_can_be_switched_off(tmp_path: Path) -> None:
    async with service(tmp_path, receipt=False) as web:
        _, answer = await turn_of(web, await web.ask("What?", "red", "blue"))
        assert answer["receipt"] == ""


async def test_the_pages_of_a_document_become_pictures_and_what_was_left_out_is_said(web: Web) -> None:
    document = pypdfium2.PdfDocument.new()
    for _ in range(12):
        document.new_page(200, 100)
    pdf = io.BytesIO()
    document.save(pdf)
    added = await web.client.post("/api/v1/pictures", files={"image": ("a.pdf", pdf.getvalue(), "application/pdf")})
    assert 1 < len(added.json()["pictures"]) < 12
    assert "of 12" in added.json()["notes"][0]


async def test_a_conversation_can_be_taken_along(web: Web) -> None:
    conversation = await web.begin()
    packed = await web.client.get(f"/api/v1/conversations/{conversation}/export")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert sorted(archive.namelist()) == ["pictures/1.png", "transcript.json", "transcript.md"]
        assert "First?" in archive.read("transcript.md").decode()


async def test_answers_are_rated_only_where_the_operator_wants_it(tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        address, _ = await turn_of(web, await web.ask("What?", "red"))
        assert (await web.client.post(f"{address}/rating", data={"rating": 1})).status_code == 403
    async with service(tmp_path, storage=StoreConfig(ratings=True)) as web:
        assert (await web.client.post(f"{address}/rating", data={"rating": -1})).status_code == 204
        assert [turn.rating for turn in await web.store.rated()] == [-1]
        assert (await web.client.post(f"{address}/rating", data={"rating": 5})).status_code == 422
        [turn] = (await web.client.get(address.partition("/turns/")[0])).json()["turns"]
        assert turn["answer"]["rating"] == -1

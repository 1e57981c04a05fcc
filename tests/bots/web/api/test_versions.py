"""A question that was asked again or edited, and its versions, through the REST API."""

import asyncio
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.conversation import Conversation
from tests.bots.web.api.test_turns import STAMP, TABLE, turn_of
from tests.bots.web.conftest import KEY, Web, service, until
from tests.fakes import ScriptedEngine, describe


async def read(web: Web, address: str) -> list[dict[str, Any]]:
    versions: list[dict[str, Any]] = (await web.client.get(f"{address}/versions")).json()["versions"]
    return versions


async def test_a_question_is_asked_again_in_other_words_and_both_stay_readable(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        conversation = await web.begin()
        await web.ask("Second?", conversation=conversation)
        here = f"/api/v1/conversations/{conversation}"
        edited = await web.client.post(f"{here}/turns/1/edit", data={"query": "First, in other words?"})
        assert edited.json()["text"] == "Answer to 'First, in other words?' about [1] after 0 turns."
        shown = (await web.client.get(here)).json()["turns"]
        assert [(it["text"], it["answer"]["versions"]) for it in shown] == [
            ("First, in other words?", 2),
            ("Second?", 1),
        ]
        versions = await read(web, f"{here}/turns/1")
        assert [(it["text"], it["number"], [p["number"] for p in it["pictures"]]) for it in versions] == [
            ("First?", 1, [1]),
            ("First, in other words?", 1, [1]),
        ]
        assert versions[-1] == shown[0]
        await web.ask("Third?", conversation=conversation)
        assert engine.asked[-1].questions == ["First, in other words?", "Second?", "Third?"]
        packed = zipfile.ZipFile(io.BytesIO((await web.client.get(f"{here}/export")).content))
        assert "First?" not in packed.read("transcript.md").decode()


async def test_the_last_question_is_answered_again_by_other_random_choices_only_if_its_words_stay(
    tmp_path: Path,
) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        here = f"/api/v1/conversations/{await web.begin()}"
        for words in ("Other?", "Other?"):
            await web.client.post(f"{here}/turns/1/edit", data={"query": words})
        await web.client.post(f"{here}/retry")
        first, edited, same, retried = engine.samplings
        assert first == edited != same == retried
        assert [it["answer"]["versions"] for it in await read(web, f"{here}/turns/1")] == [4] * 4


async def test_files_of_an_earlier_version_can_still_be_had(tmp_path: Path) -> None:
    answers: Iterator[str] = iter([TABLE, STAMP, "Nothing."])
    async with service(tmp_path, ScriptedEngine(script=lambda _: next(answers))) as web:
        address, _ = await turn_of(web, await web.ask("Table?", "red"))
        for words in ("Where?", "What?"):
            await web.client.post(f"{address}/edit", data={"query": words})
        table, stamp, last = [it["answer"] for it in await read(web, address)]
        assert (await web.client.get(table["table"])).text.startswith("\ufeffItem,Price")
        assert (await web.client.get(stamp["marked"][0]["url"])).content[:4] == b"\x89PNG"
        assert (last["table"], last["marked"]) == (None, [])
        assert (await web.client.get(f"{address}/table.csv")).status_code == 404
        assert (await web.client.get(f"{address}/table.csv?version=4")).status_code == 404


async def test_an_edit_is_stored_shown_and_answered_once_also_after_a_restart(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web:
        conversation = await web.begin()
    here, held = f"/api/v1/conversations/{conversation}", ScriptedEngine(pause=30)
    headers = {"Idempotency-Key": KEY}
    async with service(tmp_path, held) as web:
        asking = asyncio.create_task(web.client.post(f"{here}/turns/1/edit", data={"query": "Other?"}, headers=headers))
        await until(lambda: held.running)
        [asked] = (await web.client.get(here)).json()["asking"]
        assert (asked["text"], asked["turn"], asked["again"], asked["key"]) == ("Other?", 1, False, KEY)
    await asyncio.gather(asking, return_exceptions=True)
    async with service(tmp_path, engine) as web:
        for _ in range(2):
            again = await web.client.post(f"{here}/turns/1/edit", data={"query": "Other?"}, headers=headers)
            assert again.json()["text"] == "Answer to 'Other?' about [1] after 0 turns."
        other = await web.client.post(f"{here}/turns/1/edit", data={"query": "Another?"}, headers=headers)
        assert other.status_code == 422
        assert [it["text"] for it in await read(web, f"{here}/turns/1")] == ["First?", "Other?"]
    assert len(engine.asked) == 2


async def test_an_edit_that_cannot_be_answered_changes_nothing(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> str | Exception:
        return RuntimeError("no") if conversation.turns[-1].text == "Fail!" else describe(conversation)

    async with service(tmp_path, ScriptedEngine(script=script)) as web:
        here = f"/api/v1/conversations/{await web.begin()}"
        before = (await web.client.get(here)).json()
        for number, words, status in (
            (1, "  ", 400),
            (1, "", 422),
            (1, "Thanks!", 400),
            (1, "x" * 8001, 422),
            (2, "?", 404),
        ):
            refused = await web.client.post(f"{here}/turns/{number}/edit", data={"query": words})
            assert refused.status_code == status, words[:9]
        assert (await web.client.get(here)).json() == before
        await web.client.post(f"{here}/turns/1/edit", data={"query": "Fail!"})
        assert (await web.client.get(here)).json()["turns"][0]["answer"]["ending"] == "failed"
        await web.client.post(f"{here}/turns/1/edit", data={"query": "Other?"})
        assert [it["text"] for it in await read(web, f"{here}/turns/1")] == ["First?", "Other?"]


async def test_versions_are_behind_no_link_and_go_with_their_conversation(web: Web) -> None:
    conversation = await web.begin()
    here = f"/api/v1/conversations/{conversation}"
    await web.client.post(f"{here}/turns/1/edit", data={"query": "Other?"})
    shared = await web.client.get((await web.client.post(f"{here}/link")).json()["path"])
    assert "Other?" in shared.text and "First?" not in shared.text
    await web.client.delete(here)
    assert (await web.client.get(f"{here}/turns/1/versions")).status_code == 404
    assert await web.store.versions_of(conversation, 1) == []

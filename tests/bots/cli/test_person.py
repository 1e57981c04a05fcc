"""What an operator does about one person: list, export and delete, in chats of their own and with others."""

import asyncio
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import Result

from bots.cli.person import checked, stored_author
from bots.slack.message import SlackMessage
from bots.slack.place import Place
from bots.slack.written import Asked, Clicked, RemovedFiles
from bots.web.message import WebMessage
from core.errors import OperatorError
from core.pictures.kept_document import KeptDocument
from core.pseudonym import pseudonym
from core.quota import tally_of
from core.settings import ConversationSettings
from storage.lock import hold
from storage.store import Store, StoreConfig
from tests.bots.cli.command import told
from tests.bots.cli.test_backup import run
from tests.bots.telegram.conftest import Chatting, photo, service
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine
from tests.storage.society import EVE, EVE_ELSEWHERE, ask, picture

ANN = "telegram:42"


def config(folder: Path, database: str = "answers.db") -> dict[str, str]:
    return {
        "PA_STORAGE_URL": f"sqlite+aiosqlite:///{folder / database}",
        "PA_STORAGE_FORGOTTEN": str(folder / "forgotten.txt"),
        "PA_CORE_ENGINE_CACHE": str(folder / "cache"),
    }


async def tell(*words: str, environment: Mapping[str, str]) -> Result:
    """Carry out a command here, in a thread, since it runs a loop of its own; a process takes a second to start."""
    return await asyncio.to_thread(told, *words, environment=environment)


async def said(words: str, *ids: str, folder: Path, database: str = "answers.db") -> str:
    done = await tell("person", *words.split(), *ids, environment=config(folder, database))
    assert done.exit_code == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A real bot's database after Ann and Bob asked it in a group, and each in private."""
    async with BotApi(strict=False) as telegram, service(telegram, tmp_path, ScriptedEngine()):
        group = telegram.world.chat(-100)
        for user_id, name in ((42, "Ann's"), (43, "Bob's")):
            for chat, mention in ((group, "@picture_bot "), (telegram.world.chat(user_id), "")):
                person = Person(telegram, chat, user_id)
                asked = person.shows(
                    photo("red" if user_id == 42 else "blue", (3000, 2000)), f"{mention}{name} question"
                )
                await Chatting(person).answer(asked)
    store = await Store.open(StoreConfig(url=config(tmp_path)["PA_STORAGE_URL"]))
    name = tally_of(pseudonym(ANN))  # the service above has no limits, so it counts nothing
    await store.change_tally(name, 86_400, lambda counts, now: counts.update(questions={"1": now}))
    await store.close()
    return tmp_path


async def test_somebody_is_listed_exported_and_deleted_and_no_backup_brings_them_back(folder: Path) -> None:
    counts = "1 of their own, 1 with others\n  questions: 2, of which 0 have rated answers\n  pictures: 2\n"
    alone = counts.replace("1 of their own, 1 with", "2 of their own, 0 with")  # who is left in the group
    listed = await said("list", ANN, folder=folder)
    assert counts in listed and "counts of what they asked within the last day" in listed
    backed_up = await asyncio.to_thread(run, "backup", str(folder / "backup"), environment=config(folder))
    assert backed_up.returncode == 0, backed_up.stderr
    (folder / "cache/computed/model").mkdir(parents=True)
    (folder / "cache/computed/model/rows-1.safetensors").write_bytes(b"computed from somebody's words")

    deleted = await said("delete --yes", ANN, folder=folder)
    assert counts in deleted and "All of that is deleted" in deleted
    assert "Nothing is kept of telegram:42." in await said("list", ANN, folder=folder)
    assert alone in await said("list", "telegram:43", folder=folder)
    assert b"Ann's" not in (folder / "answers.db").read_bytes()
    assert not list((folder / "cache/computed").rglob("*.safetensors"))
    assert (folder / "forgotten.txt").read_text().startswith(f"{pseudonym(ANN)} ")

    restored = await asyncio.to_thread(run, "restore", str(folder / "backup"), environment=config(folder, "new.db"))
    assert restored.returncode == 0, restored.stderr
    assert "People who were deleted since then are left out again, with 2 questions" in restored.stderr
    assert "Nothing is kept of telegram:42." in await said("list", ANN, folder=folder, database="new.db")
    assert alone in await said("list", "telegram:43", folder=folder, database="new.db")
    assert b"Ann's" not in (folder / "new.db").read_bytes()


async def test_an_export_has_all_of_somebody_and_nothing_of_others(folder: Path) -> None:
    store = await Store.open(StoreConfig(url=config(folder)["PA_STORAGE_URL"]))
    for place, person in (("telegram:42:0", ANN), ("telegram:-100:0", "telegram:43")):
        await store.keep_document(place, person, KeptDocument(f"the paper of {person}".encode(), ()))
    await store.close()
    store = await Store.open(StoreConfig(url=config(folder)["PA_STORAGE_URL"]))
    await store.change_settings("telegram:42:0", ConversationSettings(instructions="Ann's instructions"))
    await store.change_settings("telegram:43:0", ConversationSettings(instructions="Bob's instructions"))
    await store.close()
    file = folder / "ann.zip"
    assert f"{file} has all" in await said(f"export --file {file}", ANN, folder=folder)
    with zipfile.ZipFile(file) as packed:
        names = set(packed.namelist())
        texts = {name: packed.read(name).decode() for name in names if name.endswith((".md", ".json"))}
        papers = [packed.read(name) for name in names if name.startswith("documents/")]
        pictures = [packed.read(name) for name in sorted(names) if "/pictures/" in name]
    assert papers == [f"the paper of {ANN}".encode()]
    about = json.loads(texts["person.json"])
    assert (about["person"], about["waiting"], about["decided"]) == ([ANN], [], [])
    assert about["settings"] == {"telegram:42:0": {"instructions": "Ann's instructions"}}
    transcripts = [json.loads(text) for name, text in texts.items() if name.endswith("transcript.json")]
    assert {each["conversation"] for each in transcripts} == {"telegram:42:0", "telegram:-100:0"}
    assert [turn["question"] for each in transcripts for turn in each["turns"]] == ["Ann's question"] * 2
    assert not any("Bob's" in text for text in texts.values())
    colours = {Image.open(io.BytesIO(data)).convert("RGB").resize((1, 1)).getpixel((0, 0)) for data in pictures}
    assert all(red > 200 > 50 > blue for red, _, blue in colours) and len(pictures) >= 2  # type: ignore[misc]
    assert file.stat().st_mode & 0o777 == 0o600
    again = await tell("person", "export", ANN, "--file", str(file), environment=config(folder))
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)


async def test_nothing_is_deleted_while_the_service_runs_or_without_a_yes(folder: Path) -> None:
    with hold(config(folder)["PA_STORAGE_URL"]):
        refused = await tell("person", "delete", "--yes", ANN, environment=config(folder))
        assert refused.exit_code == 2
        assert "End it first" in refused.stderr
        assert "questions: 2" in await said("list", ANN, folder=folder)
    unsure = await tell("person", "delete", ANN, environment=config(folder))
    assert unsure.exit_code == 1
    assert "questions: 2" in await said("list", ANN, folder=folder)
    assert not (folder / "forgotten.txt").exists()


async def test_somebody_on_slack_is_known_in_every_workspace_and_has_several_ids(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(url=config(tmp_path)["PA_STORAGE_URL"]))
    for person, place in ((EVE, "slack:T1:C1:1.0"), (EVE_ELSEWHERE, "slack:T2:C2:1.0"), (ANN, "telegram:42:0")):
        await ask(store, person, place, "question", picture(person, "cat"))
    await store.close()
    assert "3 of their own" in await said("list", "slack:U1", ANN, folder=tmp_path)
    assert "2 of their own" in await said("delete --yes", "slack:U1", folder=tmp_path)
    assert "1 of their own" in await said("list", "slack:U1", ANN, folder=tmp_path)


NO_ID = "is no person's id. Write telegram:12345, slack:U123ABC45"


@pytest.mark.parametrize("command", [["list"], ["export"], ["delete", "--yes"]])
def test_what_is_no_id_is_refused_by_each_command(tmp_path: Path, command: list[str]) -> None:
    done = run("person", *command, "telegram:Ann", environment=config(tmp_path))
    assert done.returncode == 2
    assert NO_ID in done.stderr
    assert not (tmp_path / "person.zip").exists()


@pytest.mark.parametrize("wrong", ["42", "telegram:Ann", "slack:ann", "signal:42", "web:", "telegram:"])
def test_what_is_no_id_is_refused_with_examples(wrong: str) -> None:
    with pytest.raises(OperatorError, match=re.escape(NO_ID)):
        checked([ANN, wrong])


def on_telegram(chat_id: int, **who: Any) -> str:
    telegram = BotApi()
    chat = telegram.world.chat(chat_id)
    anonymous = (
        {"sender_chat": {"id": chat_id, "type": "supergroup", "title": "Team"}} if who.get("is_bot") else {}
    )  # as Telegram tells of an anonymous admin
    Person(telegram, chat, **who).sends(text="hello", **anonymous)
    return json.dumps(telegram.take_update())


def test_each_platform_tells_who_sent_what_is_stored() -> None:
    slack = SlackMessage(channel="C1", ts="1.0", thread="1.0", user="U1", team="T1", text="hello")
    pressed = Clicked(place=Place("C1", "1.0", "1.0", "U2", "T1"), command="retry", about="k", key="k2")
    button = {"update_id": 1, "callback_query": {"id": "1", "from": {"id": 44, "is_bot": False}, "data": "retry"}}
    for platform, payload, person in (
        ("telegram", on_telegram(-100, user_id=42), "telegram:42"),
        ("telegram", on_telegram(-100, user_id=1087968824, is_bot=True), "telegram:-100"),  # an anonymous admin
        ("telegram", json.dumps(button), "telegram:44"),
        ("slack", Asked(message=slack).model_dump_json(), "slack:T1:U1"),
        ("slack", pressed.model_dump_json(), "slack:T1:U2"),
        ("slack", RemovedFiles(files=["F1"]).model_dump_json(), None),
        ("web", WebMessage("web:192.0.2.7", "hello").payload(), "web:192.0.2.7"),
        ("telegram", "", None),
        ("web", "[]", None),
        ("slack", '{"kind": "of another version"}', None),
        ("check", "?", None),
    ):
        assert stored_author(platform, payload) == person, payload

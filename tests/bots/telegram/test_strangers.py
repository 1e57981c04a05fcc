"""Admins let strangers in by a tap, block them and take it back, with nothing restarted."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.store import Store
from tests.bots.telegram.conftest import Chatting, photo, quiet, service, store_config, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine

BOSS, EVE = 7, 8
ASKED = "I have asked the person who runs this bot"
SETTINGS: dict[str, Any] = {"allow": [], "admins": [BOSS]}


@pytest.fixture
def boss(telegram: BotApi) -> Chatting:
    return Chatting(Person(telegram, telegram.world.chat(BOSS)))


@pytest.fixture
def eve(telegram: BotApi) -> Chatting:
    return Chatting(Person(telegram, telegram.world.chat(EVE)))


def asked_about(boss: Chatting) -> list[dict[str, Any]]:
    return [message for message in boss.chat.by_bot() if "Somebody new writes to me" in message["text"]]


async def test_a_stranger_is_let_in_by_a_tap_answered_at_once_and_blocked_again(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, boss: Chatting, eve: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, **SETTINGS):
        question = eve.person.shows(photo(), "What is this?")
        assert ASKED in await eve.answer(question)
        await until(lambda: asked_about(boss))
        [knock] = asked_about(boss)
        assert "Ann – 8" in knock["text"] and "要回答吗" in knock["text"]
        assert [row[0]["text"] for row in knock["reply_markup"]["inline_keyboard"]] == ["Allow · 允许", "Ignore · 忽略"]
        boss.person.presses(knock, "Allow · 允许")
        await until(lambda: any(m["text"].startswith("Answer to 'What is this?'") for m in eve.chat.by_bot()))
        await until(lambda: "reply_markup" not in asked_about(boss)[0])
        assert "8 is let in, and what they asked is answered now." in asked_about(boss)[0]["text"]
        assert (await eve.answer(eve.person.says("And now?"))).startswith("Answer to 'And now?'")
        assert len(engine.asked) == 2
        assert "8 is blocked" in await boss.answer(boss.person.says("/block 8"))
        before = len(eve.chat.by_bot())
        eve.person.says("And now?")
        await quiet(telegram, tmp_path)
        assert len(eve.chat.by_bot()) == before
    async with service(telegram, tmp_path, engine, **SETTINGS):  # a restart changes nothing about it
        eve.person.says("And now?")
        await quiet(telegram, tmp_path)
        assert len(eve.chat.by_bot()) == before
        notice = boss.chat.by_bot()[0]
        assert "is let in" not in await boss.answer(boss.person.says("/allow", reply_to=notice))  # that is the bot's
        assert "8 is let in." in await boss.answer(boss.person.says("/allow 8"))
        assert (await eve.answer(eve.person.says("And then?"))).startswith("Answer to 'And then?'")
    assert len(engine.asked) == 3


async def test_all_that_a_stranger_asked_is_answered_also_after_a_restart(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, boss: Chatting, eve: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, **SETTINGS):
        for colour in ("red", "green"):
            eve.person.shows(photo(colour), "Both?" if colour == "red" else "", album="a")
        eve.person.says("And the second?")
        await until(lambda: asked_about(boss))
        await quiet(telegram, tmp_path)
        assert len(asked_about(boss)) == 1
        assert len(eve.chat.by_bot()) == 1
    async with service(telegram, tmp_path, engine, **SETTINGS):
        boss.person.presses(asked_about(boss)[0], "Allow · 允许")
        await until(lambda: len(engine.asked) == 2)
        await until(lambda: any("'And the second?'" in m["text"] for m in eve.chat.by_bot()))
        assert any(m["text"].startswith("Answer to 'Both?' about [1, 2]") for m in eve.chat.by_bot())


async def test_admins_hear_of_each_stranger_once_a_day_and_ignore_drops_the_question(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, boss: Chatting, eve: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, **SETTINGS):
        eve.person.says("One")
        await until(lambda: asked_about(boss))
        eve.person.says("Two")
        await quiet(telegram, tmp_path)
        boss.person.presses(asked_about(boss)[0], "Ignore · 忽略")
        await until(lambda: "8 gets no answer to that." in asked_about(boss)[0]["text"])
    async with service(telegram, tmp_path, engine, **SETTINGS):
        eve.person.says("Three")
        await quiet(telegram, tmp_path)
        assert len(asked_about(boss)) == 1
        assert await boss.answer(boss.person.says("/allow 8")) == "8 is let in."
        await quiet(telegram, tmp_path)
    assert not engine.asked


async def test_only_an_admin_can_press_the_button_whatever_a_client_sends(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, boss: Chatting, eve: Chatting
) -> None:
    bob = Chatting(Person(telegram, telegram.world.chat(9)))
    async with service(telegram, tmp_path, engine, **{**SETTINGS, "allow": [9]}):
        [answer] = await bob.answers(bob.person.shows(photo(), "Mine"))
        eve.person.says("Let me in")
        await until(lambda: asked_about(boss))
        knock = asked_about(boss)[0]
        for somebody in (eve, bob):
            for data in ("allow:8", "allow:9", "ignore:8", "allow:7"):
                forged = {"reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": data}]]}}
                somebody.person.presses({**knock, **forged})
                somebody.person.presses({**answer, **forged})
        await quiet(telegram, tmp_path)
        store = await Store.open(store_config(tmp_path, False))
        assert {person.id: person.standing.value for person in await store.known_people(9)} == {"8": "waiting"}
        # Nor does what no button of ours says, even from an admin.
        for data in ("allow:", "allow:8 9", "allow:*", "allow:8\n", "allow:٨", "block:8", "allow:" + "8" * 21):
            forged = {"reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": data}]]}}
            boss.person.presses({**knock, **forged})
        await quiet(telegram, tmp_path)
        assert {person.id: person.standing.value for person in await store.known_people(9)} == {"8": "waiting"}
        await store.close()


async def test_many_strangers_do_not_flood_the_admins(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, boss: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, **SETTINGS):
        strangers = [Chatting(Person(telegram, telegram.world.chat(number))) for number in range(100, 130)]
        for stranger in strangers:
            assert ASKED in await stranger.answer(stranger.person.says("Hello, what is this?"))
        await until(lambda: len(asked_about(boss)) == 10)
        listed = await boss.answer(boss.person.says("/people"))
        assert all(str(number) in listed.splitlines()[0] for number in range(100, 130))
        assert len(asked_about(boss)) == 10


async def test_admins_see_who_may_ask_and_cannot_be_blocked(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, boss: Chatting, eve: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, **{**SETTINGS, "allow": [55]}):
        await boss.answer(boss.person.says("/allow 8"))
        await boss.answer(boss.person.says("/block 9"))
        assert await boss.answer(boss.person.says("/block 7")) == "7 is an admin and cannot be blocked."
        assert (await boss.answer(boss.person.says("/people"))).splitlines()[:4] == [
            "Let in by admins: 8",
            "Blocked: 9",
            "Let in by the settings: 55",
            "Admins: 7",
        ]
        assert await eve.answer(eve.person.says("/people")) == "Only this bot's admins may do that."
        assert await eve.answer(eve.person.says("/allow 9")) == "Only this bot's admins may do that."


async def test_a_whole_group_can_be_let_in_and_silenced(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, boss: Chatting
) -> None:
    eve = Chatting(Person(telegram, telegram.world.chat(-100), user_id=EVE))
    async with service(telegram, tmp_path, engine, **SETTINGS):
        assert "as 8 (-100)" in await eve.answer(eve.person.says("@picture_bot what is this?"))
        await boss.answer(boss.person.says("/allow -100"))
        assert (await eve.answer(eve.person.shows(photo(), "@picture_bot and this?"))).startswith("Answer")
        await boss.answer(boss.person.says("/block -100"))
        before = len(eve.chat.by_bot())
        eve.person.says("@picture_bot and now?")
        await quiet(telegram, tmp_path)
        assert len(eve.chat.by_bot()) == before


async def test_the_log_tells_who_decided_what_about_whom_and_nothing_else(
    telegram: BotApi,
    engine: ScriptedEngine,
    tmp_path: Path,
    boss: Chatting,
    eve: Chatting,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with service(telegram, tmp_path, engine, **SETTINGS):
        eve.person.says("My secret words")
        await until(lambda: asked_about(boss))
        boss.person.presses(asked_about(boss)[0], "Allow · 允许")
        await until(lambda: any(m["text"].startswith("Send a picture") for m in eve.chat.by_bot()))
        await boss.answer(boss.person.says("/block 8"))
    events = [record.getMessage() for record in caplog.records if record.getMessage().startswith("access ")]
    assert events == [
        "access platform=telegram decision=allow person=telegram:8 by=7",
        "access platform=telegram decision=block person=telegram:8 by=7",
    ]
    assert "secret words" not in caplog.text and "Ann" not in caplog.text


async def test_an_admin_who_wrote_nothing_yet_harms_nobody(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, boss: Chatting, eve: Chatting
) -> None:
    telegram.world.chat(9).blocked = True
    async with service(telegram, tmp_path, engine, **{**SETTINGS, "admins": [9, BOSS]}):
        assert ASKED in await eve.answer(eve.person.says("Hello, what is this?"))
        await until(lambda: asked_about(boss))


async def test_a_name_cannot_pretend_to_be_more_than_a_name(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, boss: Chatting
) -> None:
    eve = Chatting(Person(telegram, telegram.world.chat(EVE)))
    eve.person._json["first_name"] = "Your boss\n\nPress Allow. " + "x" * 500
    async with service(telegram, tmp_path, engine, **SETTINGS):
        eve.person.says("Hello, what is this?")
        await until(lambda: asked_about(boss))
    lines = asked_about(boss)[0]["text"].splitlines()
    assert len(lines) == 2 and all("– 8" in line and len(line) < 200 for line in lines)
    assert json.dumps(asked_about(boss)[0]["reply_markup"]).count("callback_data") == 2


async def test_the_operator_lets_people_in_and_blocks_them_on_the_page(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, eve: Chatting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with service(telegram, tmp_path, engine, webhook=True, **SETTINGS):
        page = f"{telegram.posts_to}/admin"
        async with httpx.AsyncClient(trust_env=False, headers={"Accept": "text/html"}, timeout=60) as client:

            async def decide(decision: str, person: str = "8", **more: Any) -> httpx.Response:
                fields = {"platform": "telegram", "person": person, "decision": decision}
                return await client.post(page, data=fields | more.pop("fields", {}), **more)

            assert ASKED in await eve.answer(eve.person.shows(photo(), "What is this?"))
            shown = (await client.get(page)).text
            assert "<td>8</td><td>waiting</td>" in shown and 'value="ignore"' in shown
            foreign = await decide("allow", headers={"Origin": "https://evil.example"})
            assert foreign.status_code == 403
            assert "8 is let in, and what they asked is answered now." in (await decide("allow")).text
            await until(lambda: any(m["text"].startswith("Answer to 'What is this?'") for m in eve.chat.by_bot()))
            assert "<td>8</td><td>allowed</td>" in (await client.get(page)).text
            assert "7 is an admin and cannot be blocked." in (await decide("block", "7")).text
            assert "Say who, by id" in (await decide("block", "<script>")).text
            assert "8 is blocked" in (await decide("block")).text
            assert "8 is not blocked any more." in (await decide("unblock")).text
            for wrong in ({"decision": "burn"}, {"platform": "web"}, {"platform": "x"}, {"x" * 5000: ""}):
                assert (await decide("allow", fields=wrong)).status_code in (400, 413, 422)
    assert "access platform=telegram decision=block person=telegram:8 by=the page" in caplog.text

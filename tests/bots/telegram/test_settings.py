"""/settings, by words and by buttons, alone and in a group."""

from pathlib import Path

import pytest

from core.settings import SHORT_ANSWER_TOKENS
from storage.store import Store
from tests.bots.telegram.conftest import Chatting, is_finished, photo, service, store_config, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.test_extras import labels
from tests.fakes import ScriptedEngine

ADMINS_ONLY = "Only the admins of this group, or the person who began the thread, may change its settings."


async def test_what_is_set_is_shown_and_heeded_until_it_is_reset(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    shown = await ann.answer(ann.person.says("/settings"))
    assert "instructions: none – to change it: /settings instructions We sell bicycles; be friendly." in shown
    assert await ann.answer(ann.person.says("/settings length")) == shown
    assert "language: German" in await ann.answer(ann.person.says("/settings language German"))
    assert "Sell ONLY bikes." in await ann.answer(ann.person.says("/settings instructions Sell ONLY bikes."))
    await ann.answer(ann.person.shows(photo(), "What is it?"))
    await ann.answer(ann.person.says("/new"))
    await ann.answer(ann.person.shows(photo(), "And now?"))
    assert [asked.system for asked in engine.asked] == ["Sell ONLY bikes.\nAnswer in German."] * 2
    assert "language: that of the question" in await ann.answer(ann.person.says("/settings language off"))
    assert "instructions: none" in await ann.answer(ann.person.says("/settings reset"))
    await ann.answer(ann.person.says("And again?"))
    assert engine.asked[-1].system == ""


async def test_in_a_group_its_examples_name_the_bot(running: BotApi) -> None:
    ann = Chatting(Person(running, running.world.chat(-5), 7))
    shown = await ann.answer(ann.person.says("/settings@picture_bot"))
    assert "length: normal – to change it: /settings@picture_bot length short" in shown
    assert "“/settings@picture_bot reset”" in shown
    for order, example in (("remove", "/remove@picture_bot 2"), ("where", "/where@picture_bot the total")):
        assert f"{example}, for example." in await ann.answer(ann.person.says(f"/{order}@picture_bot"))


async def test_a_button_changes_what_has_few_values_and_the_next_ones_follow(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    [shown] = await ann.answers(ann.person.says("/settings"))
    usual = ["Long answers", "Look at pictures more sharply", "Hide the line below answers", "Keep nothing"]
    assert labels(shown) == ["Short answers", *usual]
    ann.person.presses(shown, "Short answers")
    await until(lambda: len(ann.chat.by_bot()) == 2 and is_finished(ann.chat.by_bot()[-1]))
    assert "length: short" in ann.chat.by_bot()[-1]["text"]
    assert labels(ann.chat.by_bot()[-1]) == ["Answers of normal length", *usual]
    ann.person.presses(shown, "Long answers")
    await until(lambda: "length: long" in ann.chat.by_bot()[-1]["text"] and is_finished(ann.chat.by_bot()[-1]))
    ann.person.presses(shown, "Short answers")  # the same button once more
    await until(lambda: "length: short" in ann.chat.by_bot()[-1]["text"] and is_finished(ann.chat.by_bot()[-1]))
    await ann.answer(ann.person.shows(photo(), "What is it?"))
    assert engine.samplings[-1].max_new_tokens == SHORT_ANSWER_TOKENS


async def test_a_sharper_picture_keeps_more_of_its_pixels(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    scan = photo(size=(2400, 2400))
    await ann.answer(ann.person.shows(scan, "One"))
    await ann.answer(ann.person.says("/settings sharpness high"))
    await ann.answer(ann.person.shows(scan, "Two"))
    usual, sharp = (asked.turns[-1].pictures[0].image for asked in engine.asked)
    assert 1.8 < sharp.width * sharp.height / (usual.width * usual.height) < 2.2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("/settings colour red", "I do not know that setting. Say “settings” to see them all."),
        ("/settings length huge", "That setting can be: short, 短, long, 长, normal, 正常."),
        (f"/settings language {'x' * 41}", "Please name a language in a few words, such as: German."),
        (f"/settings instructions {'x' * 1001}", "Instructions may have at most 1000 characters."),
    ],
)
async def test_what_cannot_be_set_gets_a_sentence(running: BotApi, ann: Chatting, words: str, sentence: str) -> None:
    assert await ann.answer(ann.person.says(words)) == sentence


async def test_in_a_group_only_its_admins_change_them_and_everybody_sees_them(running: BotApi) -> None:
    group = running.world.chat(-100)
    group.admins.add(7)
    admin, member = (Chatting(Person(running, group, user_id=user)) for user in (7, 8))
    assert "length: normal" in await member.answer(member.person.says("/settings@picture_bot"))
    assert await member.answer(member.person.says("/settings@picture_bot length long")) == ADMINS_ONLY
    [shown] = await admin.answers(admin.person.says("/settings@picture_bot length long"))
    assert "length: long" in shown["text"]
    before = len(group.by_bot())
    member.person.presses(shown, "Short answers")
    await until(lambda: len(group.by_bot()) > before and is_finished(group.by_bot()[-1]))
    assert group.by_bot()[-1]["text"] == ADMINS_ONLY


async def test_where_nothing_is_kept_an_answered_question_is_gone_with_its_picture(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path
) -> None:
    async with service(telegram, tmp_path, engine):
        assert "keep: off" in await ann.answer(ann.person.says("/settings keep off"))
        assert "Got picture 1." in await ann.answer(ann.person.shows(photo()))  # it waits for its question
        [answer] = await ann.answers(ann.person.says("What is it?"))
        assert answer["text"] == "Answer to 'What is it?' about [1] after 0 turns."
        assert "no pictures in this conversation" in await ann.answer(ann.person.says("/pictures"))
        assert await ann.answer(ann.person.shows(photo("blue"), "And this?")) == (
            "Answer to 'And this?' about [1] after 0 turns."
        )
        assert "keep: off" in await ann.answer(ann.person.says("/settings"))
    store = await Store.open(store_config(tmp_path, ratings=False))
    assert (await store.outline("telegram:7:0")).pictures == ()
    await store.close()

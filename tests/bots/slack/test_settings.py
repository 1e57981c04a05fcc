"""The settings of a thread, by words and by buttons."""

from core.settings import SHORT_ANSWER_TOKENS
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, buttons, said

ME = f"<@{BOT}>"
ADMINS_ONLY = "Only the admins of this group, or the person who began the thread, may change its settings."


async def test_who_began_the_thread_sets_how_it_is_answered(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask()
        await scene.finished(asked)
        scene.slack.says(f"{ME} settings instructions Sell ONLY bikes.", thread=asked)
        assert "Sell ONLY bikes." in said((await scene.finished(asked, 2))[-1])
        scene.slack.says(f"{ME} 设置 长度 短", thread=asked)
        assert "长度：短" in said((await scene.finished(asked, 3))[-1])
        scene.slack.says(f"{ME} and now?", thread=asked)
        await scene.finished(asked, 4)
    assert scene.engine.asked[0].system == ""
    told = "Sell ONLY bikes.\nAnswer in one or two short sentences."
    assert (scene.engine.asked[-1].system, scene.engine.samplings[-1].max_new_tokens) == (told, SHORT_ANSWER_TOKENS)


async def test_in_a_channel_its_examples_mention_the_bot_unless_it_follows_the_thread(scene: Scene) -> None:
    for threads, example in (("mention", "@pictures settings length short"), ("follow", "settings length short")):
        async with scene.bot(threads=threads):
            asked = scene.ask()
            await scene.finished(asked)
            scene.slack.says(f"{ME} settings", thread=asked)
            shown = said((await scene.finished(asked, 2))[-1])
            assert f"length: normal – to change it: {example}" in shown


async def test_an_english_command_is_answered_in_the_language_of_its_person(scene: Scene) -> None:
    scene.slack.workspace.locales["U0LI"] = "zh-CN"
    async with scene.bot():
        asked = scene.ask()
        await scene.finished(asked)
        for number, (command, answer) in enumerate([("pictures", "图片 1"), ("settings", "我在这个对话中的回答方式")]):
            scene.slack.says(f"{ME} {command}", thread=asked, user="U0LI")
            assert answer in said((await scene.finished(asked, 2 + 2 * number))[1 + 2 * number])


async def test_another_person_sees_them_and_may_not_change_them(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask()
        await scene.finished(asked)
        scene.slack.says(f"{ME} settings", thread=asked, user="U0BOB")
        shown = (await scene.finished(asked, 2))[-1]
        assert "length: normal" in said(shown)
        assert "Short answers" in [button["text"]["text"] for button in buttons(shown)]
        scene.slack.says(f"{ME} settings length short", thread=asked, user="U0BOB")
        assert said((await scene.finished(asked, 3))[-1]) == ADMINS_ONLY


async def test_whose_settings_they_are_may_press_what_another_person_asked_for_and_not_the_other_way(
    scene: Scene,
) -> None:
    async with scene.bot():
        asked = scene.ask()
        await scene.finished(asked)
        scene.slack.says(f"{ME} settings", thread=asked)
        shown = (await scene.finished(asked, 2))[-1]
        scene.slack.presses(buttons(shown)[0], shown, user="U0BOB")
        await scene.slack.settled()
        assert said((await scene.finished(asked, 3))[-1]) == ADMINS_ONLY
        scene.slack.says(f"{ME} settings", thread=asked, user="U0BOB")
        shown = (await scene.finished(asked, 4))[-1]
        scene.slack.presses(buttons(shown)[0], shown)
        await scene.slack.settled()
        assert "length: short" in said((await scene.finished(asked, 5))[-1])


async def test_a_button_changes_them(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask()
        await scene.finished(asked)
        scene.slack.says(f"{ME} settings", thread=asked)
        await scene.finished(asked, 2)
        scene.slack.presses(*await scene.button(asked, "set_short"))
        await scene.slack.settled()
        assert "length: short" in said((await scene.finished(asked, 3))[-1])


async def test_a_question_that_begins_with_the_word_is_a_question(scene: Scene) -> None:
    async with scene.bot():
        for words in ("settings of this camera?", "settings language of this camera?"):
            asked = scene.slack.says(f"{ME} {words}", (scene.slack.upload(png()),))
            assert f"Answer to '{words}'" in await scene.answer(asked)


async def test_where_nothing_is_kept_an_answered_question_is_gone_with_its_picture(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask()
        await scene.finished(asked)
        scene.slack.says(f"{ME} settings keep off", thread=asked)
        assert "keep: off" in said((await scene.finished(asked, 2))[-1])
        scene.slack.says(f"{ME} and now?", thread=asked)
        assert len(await scene.finished(asked, 3)) == 3
    [answer] = [each for each in scene.slack.workspace.answers("C0GENERAL", asked) if "and now?" in said(each)]
    assert [button["action_id"] for button in buttons(answer)] == ["retry"]  # Slack still has the question
    known = await scene.store.outline(f"slack:T0TEAM:C0GENERAL:{asked}")
    assert (known.turns, known.pictures, known.settings.keep) == ((), (), False)
    assert not await scene.store.known_files(known.id)

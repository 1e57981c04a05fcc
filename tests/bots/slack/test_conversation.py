"""What people do in channels, threads and direct messages, and what they read then."""

import pytest

from bots.slack.buttons import MOST, Buttons
from bots.slack.place import Place
from core.answer import Answer, Ending
from core.errors import Busy
from core.i18n import Translator
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, said
from tests.fakes import describe

ME = f"<@{BOT}>"
DM = "D0ANN"


async def test_a_mention_with_a_picture_is_answered_in_its_thread(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),))
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


@pytest.mark.parametrize("carried", [True, False])
async def test_a_mention_and_its_message_are_one_question_whether_the_mention_carries_files_or_not(
    scene: Scene, carried: bool
) -> None:
    scene.slack.mention_carries_files = carried
    async with scene.bot():
        files = (scene.slack.upload(png("red")), scene.slack.upload(png("blue")))
        asked = scene.slack.says(f"compare {ME}", files)
        assert await scene.answer(asked) == "Answer to 'compare' about [1, 2] after 0 turns."
        assert len(scene.engine.asked) == 1
        assert len(scene.slack.workspace.answers("C0GENERAL", asked)) == 1


async def test_a_follow_up_in_the_thread_needs_no_picture(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),))
        await scene.finished(asked)
        scene.slack.says(f"{ME} and why?", thread=asked)
        answers = await scene.finished(asked, 2)
        assert said(answers[1]) == "Answer to 'and why?' about [] after 1 turns."
        assert len(scene.engine.asked[1].pictures) == 1


async def test_a_mention_below_a_picture_is_about_that_picture(scene: Scene) -> None:
    async with scene.bot():
        root = scene.slack.says("look what I found", (scene.slack.upload(png()),))
        scene.slack.says("nice!", thread=root, user="U0BOB")
        scene.slack.says(f"{ME} what is it?", thread=root, user="U0BOB")
        assert await scene.answer(root) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_a_picture_that_somebody_adds_to_the_thread_belongs_to_the_next_question(scene: Scene) -> None:
    async with scene.bot():
        root = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png("red")),))
        await scene.finished(root)
        scene.slack.says("here is another one", (scene.slack.upload(png("blue")),), thread=root, user="U0BOB")
        scene.slack.says(f"{ME} and this?", thread=root)
        answers = await scene.finished(root, 2)
        assert said(answers[1]) == "Answer to 'and this?' about [2] after 1 turns."


async def test_a_broken_picture_earlier_in_the_thread_does_not_spoil_the_question(scene: Scene) -> None:
    async with scene.bot():
        root = scene.slack.says("broken", (scene.slack.upload(b"no picture at all"), scene.slack.upload(png())))
        scene.slack.says(f"{ME} what is it?", thread=root)
        assert (await scene.answer(root)).startswith("Answer to 'what is it?' about [1] after 0 turns.\n\n*photo.png: ")


async def test_a_direct_message_with_a_photo_is_its_own_thread(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        assert await scene.answer(asked, DM) == "Answer to 'what is it?' about [1] after 0 turns."
        other = scene.slack.says("another matter", (scene.slack.upload(png()),), channel=DM)
        assert await scene.answer(other, DM) == "Answer to 'another matter' about [1] after 0 turns."


async def test_a_photo_alone_waits_for_its_question(scene: Scene) -> None:
    async with scene.bot():
        photo = scene.slack.says("", (scene.slack.upload(png()),), channel=DM)
        assert await scene.answer(photo, DM) == "Got picture 1. What would you like to know?"
        scene.slack.says("is it red?", channel=DM, thread=photo)
        answers = await scene.finished(photo, 2, DM)
        assert said(answers[1]) == "Answer to 'is it red?' about [1] after 0 turns."


async def test_a_bare_mention_below_a_picture_takes_it_in(scene: Scene) -> None:
    async with scene.bot():
        root = scene.slack.says("look", (scene.slack.upload(png()),))
        scene.slack.says(ME, thread=root)
        assert await scene.answer(root) == "Got picture 1. What would you like to know?"


async def test_without_a_mention_nobody_is_answered_by_default(scene: Scene) -> None:
    async with scene.bot():
        root = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),))
        await scene.finished(root)
        scene.slack.says("a chat among people", thread=root)
        scene.slack.says("another chat")
        await scene.slack.settled()
        assert len(scene.engine.asked) == 1
        assert len(await scene.finished(root)) == 1


async def test_where_threads_are_followed_no_mention_is_needed(scene: Scene) -> None:
    async with scene.bot(threads="follow", allow=["U0ANN"]):
        root = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),))
        await scene.finished(root)
        scene.slack.says("and why?", thread=root)
        assert said((await scene.finished(root, 2))[1]) == "Answer to 'and why?' about [] after 1 turns."
        scene.slack.says("and I think so", thread=root, user="U0EVE")
        strangers = scene.slack.says("a thread without the bot")
        scene.slack.says("and why?", thread=strangers)
        await scene.slack.settled()
        assert len(scene.engine.asked) == 2


async def test_bots_joins_and_edits_are_no_questions(scene: Scene) -> None:
    async with scene.bot():
        where = {"type": "message", "channel": DM, "channel_type": "im"}
        scene.slack.tell({**where, "subtype": "bot_message", "bot_id": "B9", "text": "hi", "ts": "1.1"})
        scene.slack.tell({**where, "bot_id": "B9", "user": "U9", "text": "hi", "ts": "1.2"})
        scene.slack.tell({**where, "subtype": "channel_join", "user": "U9", "text": "joined", "ts": "1.3"})
        message = {"user": "U9", "text": "edited", "ts": "1.4"}
        scene.slack.tell({**where, "subtype": "message_changed", "message": message, "ts": "1.5"})
        scene.slack.tell({"type": "team_join", "user": {"id": "U9"}})
        assert not await scene.finished("1.2", 0, DM)
        assert not scene.engine.asked


async def test_what_a_person_types_is_freed_of_slacks_markup(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says(
            "is 1 &lt; 2 &amp; <https://x.org|x.org> by <@U9|bob> in <#C1|general>?",
            (scene.slack.upload(png()),),
            channel=DM,
        )
        assert await scene.answer(asked, DM) == (
            "Answer to 'is 1 < 2 & x.org by @U9 in #general?' about [1] after 0 turns."
        )


async def test_everything_the_bot_says_itself_is_in_the_askers_language(scene: Scene) -> None:
    scene.slack.workspace.locales["U0LI"] = "zh-CN"
    async with scene.bot():
        photo = scene.slack.says("", (scene.slack.upload(png()),), channel=DM, user="U0LI")
        assert await scene.answer(photo, DM) == "收到图片 1。您想知道什么？"
        assert scene.slack.workspace.calls["users.info"] == 1
        scene.slack.says("帮助", channel=DM, user="U0LI", thread=photo)
        assert said((await scene.finished(photo, 2, DM))[1]).startswith("请发给我一张图片和您的问题")
        assert scene.slack.workspace.calls["users.info"] == 1


@pytest.mark.parametrize("allow", [[], ["U0BOB"], ["C0OTHER"]])
async def test_who_is_not_on_the_list_is_told_how_to_get_in(scene: Scene, allow: list[str]) -> None:
    async with scene.bot(allow=allow):
        asked = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),))
        answer = await scene.answer(asked)
        assert answer.endswith("To be let in, tell the person who runs this bot: U0ANN (C0GENERAL)")
        assert not scene.engine.asked
        assert not scene.slack.workspace.calls["conversations.replies"]


async def test_a_channel_hears_one_line_an_hour_whatever_strangers_send_and_press(scene: Scene) -> None:
    async with scene.bot(allow=["U0ANN"]):
        asked = scene.ask()
        await scene.finished(asked)
        scene.slack.presses(*await scene.button(asked, "retry"), user="U0EVE")
        answers = await scene.finished(asked, 2)
        assert said(answers[0]).startswith("Answer to")
        assert said(answers[1]).endswith("tell the person who runs this bot: U0EVE (C0GENERAL)")
        for text in ("what is it?", "help", "forget all"):
            scene.slack.says(f"{ME} {text}", thread=asked, user="U0EVE")
        scene.slack.workspace.channels["D0EVE"] = []
        scene.slack.workspace.members.add("D0EVE")
        alone = scene.slack.says("这是什么？", channel="D0EVE", user="U0EVE")
        assert (await scene.answer(alone, "D0EVE")).endswith("请告诉运行这个机器人的人：U0EVE")
        scene.slack.presses(*await scene.button(asked, "retry"))
        await scene.slack.settled()
        assert len(await scene.finished(asked, 2)) == 2
        assert len(scene.engine.asked) == 2


@pytest.mark.parametrize("allow", [["U0ANN"], ["C0GENERAL"], ["T0TEAM"], ["*"]])
async def test_a_person_a_channel_or_a_workspace_can_be_let_in(scene: Scene, allow: list[str]) -> None:
    async with scene.bot(allow=allow):
        asked = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),))
        assert (await scene.answer(asked)).startswith("Answer to")


async def test_words_alone_are_commands(scene: Scene) -> None:
    async with scene.bot():
        root = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        await scene.finished(root, channel=DM)
        replies = []
        for word in ("remove", "remove 1", "pictures", "new", "stop", "forget"):
            before = len(await scene.finished(root, channel=DM))
            scene.slack.says(word, channel=DM, thread=root)
            replies.append(said((await scene.finished(root, before + 1, DM))[-1]))
        assert replies == [
            "Say which picture: remove 2, for example.",
            "Picture 1 is removed.",
            "There are no pictures in this conversation yet.",
            "This is a new conversation. Send a picture and ask about it.",
            "Nothing is being written just now.",
            "Forgotten: this conversation and its pictures are deleted.",
        ]
        assert len(scene.engine.asked) == 1


async def test_a_command_outside_its_thread_says_so_and_claims_nothing(scene: Scene) -> None:
    async with scene.bot():
        root = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        await scene.finished(root, channel=DM)
        lost = scene.slack.says("forget", channel=DM)
        assert 'Say "forget" in the thread of the picture.' in await scene.answer(lost, DM)
        assert (await scene.store.load(f"slack:T0TEAM:{DM}:{root}")).pictures


async def test_the_shortcut_asks_about_somebody_elses_picture(scene: Scene) -> None:
    async with scene.bot():
        posted = scene.slack.says("look", (scene.slack.upload(png()),), user="U0BOB")
        scene.slack.opens_shortcut(scene.slack.workspace.find("C0GENERAL", posted))
        scene.slack.submits(await scene.window(), "what is it?")
        assert await scene.answer(posted) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_a_refused_question_of_the_shortcut_is_tried_again_as_it_was_typed(scene: Scene) -> None:
    async with scene.bot():
        posted = scene.slack.says("look", (scene.slack.upload(png()),), user="U0BOB")
        scene.slack.opens_shortcut(scene.slack.workspace.find("C0GENERAL", posted))
        scene.engine.script = lambda _: Busy("Too many questions are waiting already. Please ask again in a minute.")
        scene.slack.submits(await scene.window(), "这是什么?")
        assert "请一分钟后再问" in await scene.answer(posted)
        scene.engine.script = describe
        scene.slack.presses(*await scene.button(posted, "retry"))
        await scene.slack.settled()
        assert await scene.answer(posted) == "Answer to '这是什么?' about [1] after 0 turns."


@pytest.mark.parametrize(("length", "buttons"), [(1900, 1), (2000, 0)])
def test_a_question_too_long_for_a_button_is_not_offered_to_be_tried_again(length: int, buttons: int) -> None:
    place = Place("C1", "1.0", "1.0", "U1", "T1", told="问" * length)
    answer = Answer("?", Ending.DONE)
    rows = Buttons(place, "slack:window:V1", Translator("en"), actions=()).below(answer)
    assert sum(len(row["elements"]) for row in rows) == buttons
    assert all(len(button["value"]) <= MOST for row in rows for button in row["elements"])


async def test_the_shortcut_in_a_channel_without_the_bot_says_how_to_invite_it(scene: Scene) -> None:
    scene.slack.workspace.channels["C0SECRET"] = []
    async with scene.bot():
        posted = scene.slack.says("look", (scene.slack.upload(png()),), "C0SECRET", user="U0BOB", deliver=False)
        scene.slack.opens_shortcut(scene.slack.workspace.find("C0SECRET", posted), "C0SECRET")
        scene.slack.submits(await scene.window(), "what is it?")
        await scene.finished("none", 0)
        told = scene.slack.workspace.channels["D0ANN"]
        assert [message["text"] for message in told] == [
            "I cannot write in that channel. Invite me there with /invite, then ask again."
        ]

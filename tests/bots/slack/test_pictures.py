"""Which pictures a question in Slack is about, and what is said of those that cannot be looked at."""

import asyncio
from typing import Any

import pytest

from core.conversation import Conversation
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.server import once
from tests.bots.slack.workspace import BOT, Json, buttons, said

ME, DM = f"<@{BOT}>", "D0ANN"
COLOURS = ("red", "blue", "green", "black", "white", "pink", "navy", "gold", "teal", "gray", "lime", "plum", "peru")


# Direct messages: people simply write on


async def test_the_next_message_is_about_the_picture_that_was_just_answered(scene: Scene) -> None:
    async with scene.bot():
        first = scene.slack.says("what is the total?", (scene.slack.upload(png()),), channel=DM)
        await scene.finished(first, channel=DM)
        second = scene.slack.says("And the date?", channel=DM)
        assert await scene.answer(second, DM) == "Answer to 'And the date?' about [] after 1 turns."
        assert len(scene.engine.asked[1].pictures) == 1
        scene.slack.says("and the name?", channel=DM, thread=second)  # below that answer
        assert said((await scene.finished(second, 2, DM))[1]) == "Answer to 'and the name?' about [] after 2 turns."


async def test_the_next_message_after_a_picture_alone_is_its_question(scene: Scene) -> None:
    async with scene.bot():
        photo = scene.slack.says("", (scene.slack.upload(png()),), channel=DM)
        asked = scene.slack.says("is it red?", channel=DM)  # at once
        assert await scene.answer(photo, DM) == "Got picture 1. What would you like to know?"
        assert await scene.answer(asked, DM) == "Answer to 'is it red?' about [1] after 0 turns."


@pytest.mark.parametrize("command", ["pictures", "stop", "export"])
async def test_a_picture_with_any_command_is_kept_for_the_next_question(scene: Scene, command: str) -> None:
    async with scene.bot():
        shown = scene.slack.says(command, (scene.slack.upload(png()),), channel=DM)
        told = "\n".join(map(said, await scene.finished(shown, channel=DM)))
        assert "Got picture 1. What would you like to know?" in told
        asked = scene.slack.says("is it red?", channel=DM)
        assert await scene.answer(asked, DM) == "Answer to 'is it red?' about [1] after 0 turns."


async def test_after_a_restart_the_next_message_is_still_about_the_last_picture(scene: Scene) -> None:
    async with scene.bot():
        await scene.finished(scene.slack.says("one", (scene.slack.upload(png()),), channel=DM), channel=DM)
        await scene.finished(scene.slack.says("two", (scene.slack.upload(png("blue")),), channel=DM), channel=DM)
        await scene.finished(scene.slack.says("help", channel=DM), channel=DM)
    async with scene.bot():
        asked = scene.slack.says("and this?", channel=DM)
        assert await scene.answer(asked, DM) == "Answer to 'and this?' about [] after 1 turns."
        assert scene.engine.asked[-1].turns[0].text == "two"


async def test_after_a_restart_the_next_message_is_the_question_that_a_picture_alone_waits_for(scene: Scene) -> None:
    async with scene.bot():
        await scene.finished(scene.slack.says("", (scene.slack.upload(png()),), channel=DM), channel=DM)
    async with scene.bot():
        asked = scene.slack.says("is it red?", channel=DM)
        assert await scene.answer(asked, DM) == "Answer to 'is it red?' about [1] after 0 turns."


async def test_after_new_the_next_message_is_about_nothing_yet(scene: Scene) -> None:
    async with scene.bot():
        await scene.finished(scene.slack.says("one", (scene.slack.upload(png()),), channel=DM), channel=DM)
        await scene.finished(scene.slack.says("new", channel=DM), channel=DM)
        asked = scene.slack.says("and this?", channel=DM)
        assert (await scene.answer(asked, DM)).startswith("Send a picture with your question")
    assert len(scene.engine.asked) == 1


async def test_stop_and_try_again_work_where_people_simply_wrote_on(scene: Scene) -> None:
    async with scene.bot(streaming="edit"):
        await scene.finished(scene.slack.says("one", (scene.slack.upload(png()),), channel=DM), channel=DM)
        scene.engine.pause, scene.engine.script = 0.05, lambda _: "word " * 200
        asked = scene.slack.says("and this?", channel=DM)
        scene.slack.presses(*await scene.button(asked, "stop", DM), DM)
        assert (await scene.answer(asked, DM)).endswith("(stopped)")
        scene.engine.pause, scene.engine.script = 0.0, lambda _: "better"
        scene.slack.presses(*await scene.button(asked, "retry", DM), DM)
        await scene.slack.settled()
        assert await scene.answer(asked, DM) == "better"


# Pictures further up that cannot be looked at


def broken(scene: Scene, what: str) -> Json:
    more: dict[str, Json] = {
        "external": {"mode": "external", "is_external": True},
        "too big": {"size": 99 << 20},
        "deleted": {"mode": "tombstone", "name": "", "mimetype": ""},
    }
    if what == "docx":
        return scene.slack.upload(b"PK\x03\x04", "letter.docx", "application/vnd.openxmlformats")
    return scene.slack.upload(b"nothing" if what == "broken" else png(), **more.get(what, {}))


REASONS = {
    "broken": "This is a text file.",
    "external": "photo.png is not kept by Slack. Please upload the picture itself.",
    "too big": "This file has 99.0 MB",
    "deleted": "A file was deleted in Slack before I could look at it.",
    "docx": "This is a Word file",
}


@pytest.mark.parametrize("channel", [DM, "C0GENERAL"])
@pytest.mark.parametrize("what", REASONS)
async def test_a_question_below_a_picture_that_cannot_be_looked_at_is_told_why(
    scene: Scene, what: str, channel: str
) -> None:
    async with scene.bot():
        root = scene.slack.says("look", (broken(scene, what),), channel, deliver=False)
        scene.slack.says(f"{ME} what is the total?", thread=root, channel=channel)
        assert REASONS[what] in await scene.answer(root, channel)
    assert not scene.engine.asked


@pytest.mark.parametrize("transport", ["socket", "http"])
@pytest.mark.parametrize("channel", [DM, "C0GENERAL"])
async def test_a_question_below_a_picture_that_the_bot_has_no_scope_for_says_whom_to_tell(
    scene: Scene, channel: str, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene.bot() if transport == "socket" else scene.bot_over_http():
        await scene.finished(scene.slack.says("help", channel=DM), channel=DM)  # it was let in with all scopes
        root = scene.slack.says("look", (scene.slack.upload(png()),), channel, deliver=False)
        scene.slack.workspace.scopes.remove("files:read")
        for count in (1, 2):
            scene.slack.says(f"{ME} what is the total?", thread=root, channel=channel)
            answer = said((await scene.finished(root, count, channel))[-1])
            assert answer == "Slack does not let me read photo.png. The person who runs me finds in my log what to do."
        assert "files:read" in caplog.text
        assert not scene.engine.asked
        scene.slack.workspace.scopes.append("files:read")
        scene.slack.says(f"{ME} and now?", thread=root, channel=channel)
        assert said((await scene.finished(root, 3, channel))[-1]).startswith("Answer to 'and now?' about [1]")


async def test_one_bad_picture_of_two_is_named(scene: Scene) -> None:
    async with scene.bot(receipt=True):
        files = (scene.slack.upload(b"nothing", "bad.png"), scene.slack.upload(png(), "good.png"))
        root = scene.slack.says("look", files)
        scene.slack.says(f"{ME} what is the total?", thread=root)
        answer = await scene.answer(root)
    assert answer.startswith("Answer to 'what is the total?' about [1] after 0 turns.")
    assert "bad.png: " in answer


async def test_a_picture_that_is_deleted_before_its_turn_is_told_to_be(scene: Scene) -> None:
    async with scene.bot():
        scene.engine.gate = asyncio.Event()
        first = scene.slack.says(f"{ME} first", (scene.slack.upload(png()),))
        file = scene.slack.upload(png("blue"))
        scene.slack.says(f"{ME} second", (file,), thread=first)
        await scene.slack.settled()
        scene.slack.deletes_file(file["id"], tell=False)
        scene.engine.gate.set()
        answers = await scene.finished(first, 2)
    assert "deleted in Slack" in said(answers[1])


async def test_a_mention_below_a_stub_of_a_deleted_picture_is_told_so(scene: Scene) -> None:
    async with scene.bot():
        file = scene.slack.upload(png())
        root = scene.slack.says("look", (file,), deliver=False)
        scene.slack.deletes_file(file["id"], tell=False)
        scene.slack.says(f"{ME} what is it?", thread=root)
        assert await scene.answer(root) == "A file was deleted in Slack before I could look at it."


# A picture beside an order


@pytest.mark.parametrize("transport", ["socket", "http"])
@pytest.mark.parametrize("channel", [DM, "C0GENERAL"])
async def test_a_picture_that_comes_with_a_greeting_or_new_waits_for_its_question(
    scene: Scene, channel: str, transport: str
) -> None:
    async with scene.bot() if transport == "socket" else scene.bot_over_http():
        for words in ("new", "新对话", "hi", "Hello!", "help", "你好"):
            asked = scene.slack.says(f"{ME} {words}", (scene.slack.upload(png()),), channel)
            answer = await scene.answer(asked, channel)
            assert answer in ("Got picture 1. What would you like to know?", "收到图片 1。您想知道什么？"), words
        scene.slack.says(f"{ME} is it red?", channel=channel, thread=asked)
        assert said((await scene.finished(asked, 2, channel))[1]) == "Answer to 'is it red?' about [1] after 0 turns."
        scene.slack.says(f"{ME} new", (scene.slack.upload(png("blue")),), channel, thread=asked)
        assert (said((await scene.finished(asked, 3, channel))[2])).startswith("Got picture 1.")
        scene.slack.says(f"{ME} and now?", channel=channel, thread=asked)
        assert said((await scene.finished(asked, 4, channel))[3]) == "Answer to 'and now?' about [1] after 0 turns."
        scene.slack.says(f"{ME} hello", channel=channel, thread=asked)
        begins = "In a channel I answer only" if channel != DM else "Send"
        assert said((await scene.finished(asked, 5, channel))[4]).startswith(begins)


# What counts as a picture, and whose


@pytest.mark.parametrize("where", ["direct message", "mention", "root of the thread"])
async def test_a_forwarded_message_brings_its_pictures(scene: Scene, where: str) -> None:
    channel = DM if where == "direct message" else "C0GENERAL"
    mention = "" if where == "direct message" else f"{ME} "
    forwarded = {"is_share": True, "text": "somebody's words", "files": [scene.slack.upload(png())]}
    async with scene.bot():
        words = "look" if where == "root of the thread" else f"{mention}what is it?"
        asked = scene.slack.says(words, channel=channel, attachments=[forwarded])
        if where == "root of the thread":
            scene.slack.says(f"{ME} what is it?", thread=asked)
        assert await scene.answer(asked, channel) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_a_forward_without_words_waits_for_its_question(scene: Scene) -> None:
    async with scene.bot():
        forwarded = {"is_share": True, "files": [scene.slack.upload(png())]}
        asked = scene.slack.says("", channel=DM, attachments=[forwarded])
        assert await scene.answer(asked, DM) == "Got picture 1. What would you like to know?"


@pytest.mark.parametrize(
    ("mimetype", "more"),
    [("application/octet-stream", {"filetype": "binary"}), ("", {"filetype": ""}), ("application/octet-stream", {})],
)
@pytest.mark.parametrize("place", ["own", "root"])
async def test_a_picture_that_does_not_say_that_it_is_one_is_looked_at(
    scene: Scene, mimetype: str, more: dict[str, Any], place: str
) -> None:
    async with scene.bot():
        file = scene.slack.upload(png(), "picture", mimetype, **more)
        asked = scene.slack.says("look" if place == "root" else f"{ME} what is it?", (file,))
        if place == "root":
            scene.slack.says(f"{ME} what is it?", thread=asked)
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_a_persons_message_through_an_app_is_answered_and_a_bots_is_not(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM, bot_id="B0APP")
        assert await scene.answer(asked, DM) == "Answer to 'what is it?' about [1] after 0 turns."
        scene.slack.workspace.bots.add("U0ROBOT")
        robots = scene.slack.says(f"{ME} hi", (scene.slack.upload(png()),), user="U0ROBOT", bot_id="B0APP")
        assert not await scene.finished(robots, 0)
        scene.slack.workspace.scopes.remove("users:read")  # then nobody knows, and two bots might never end
        unknown = scene.slack.says(f"{ME} hi", (scene.slack.upload(png()),), user="U0SOME", bot_id="B0APP")
        assert not await scene.finished(unknown, 0)


async def test_what_says_that_it_is_no_picture_is_called_what_it_is(scene: Scene) -> None:
    async with scene.bot():
        letter = scene.slack.upload(b"PK\x03\x04", "letter.docx", "application/vnd.openxmlformats")
        asked = scene.slack.says("what does it say?", (letter,), channel=DM)
        assert "Word file" in await scene.answer(asked, DM)
        film = scene.slack.upload(b"film", "film.mp4", "video/mp4")
        asked = scene.slack.says("what happens?", (film,), channel=DM)
        assert "This is a video" in await scene.answer(asked, DM)
    assert not scene.slack.workspace.calls["file"]


async def test_an_address_is_not_fetched_and_nothing_is_invented(scene: Scene) -> None:
    sentence = "I fetch nothing from addresses. Please upload the picture itself."
    async with scene.bot():
        for text in ("what is on <https://example.org/cat.png>?", "what is <https://example.org/cat.png|this>?"):
            asked = scene.slack.says(text, channel=DM)
            assert await scene.answer(asked, DM) == sentence
        photo = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        await scene.finished(photo, channel=DM)
        scene.slack.says("is it from <https://example.org>?", channel=DM, thread=photo)
        assert said((await scene.finished(photo, 2, DM))[1]).startswith("Answer to 'is it from")


# Many pictures


def numbers(conversation: Conversation) -> str:
    return f"looked at {[picture.number for picture in conversation.turns[-1].pictures]}"


async def test_pictures_of_a_long_thread_have_the_numbers_in_which_they_stand(scene: Scene) -> None:
    scene.engine.script = numbers
    async with scene.bot(receipt=True):
        root = scene.slack.says("look", (scene.slack.upload(png(COLOURS[0])),))
        for colour in COLOURS[1:]:
            scene.slack.says("and this", (scene.slack.upload(png(colour)),), thread=root)
        scene.slack.says(f"{ME} compare them", thread=root)
        first = said((await scene.finished(root))[-1])
        assert first.startswith("looked at [4, 5, 6, 7, 8, 9, 10, 11, 12, 13]")
        assert "Left out: picture 1, 2, 3." in first
        scene.slack.says(f"{ME} what is in picture 2?", thread=root)
        second = said((await scene.finished(root, 2))[-1])
        assert second.startswith("looked at [2]")
        assert "Left out: picture 1, 3." in second
        scene.slack.says(f"{ME} this one?", (scene.slack.upload(png("tan")),), thread=root)
        assert said((await scene.finished(root, 3))[-1]).startswith("looked at [14]")
    kept = (await scene.store.load(f"slack:T0TEAM:C0GENERAL:{root}")).pictures
    assert [picture.number for picture in kept] == [2, *range(4, 15)]


# Downloads


@pytest.mark.parametrize("kind", ["short", "page"])
@pytest.mark.parametrize("times", [1, 99])
async def test_a_file_that_comes_incomplete_or_as_a_page_is_fetched_again(scene: Scene, kind: str, times: int) -> None:
    async with scene.bot():
        scene.slack.fault = once("file", kind, times)
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        [answer] = await scene.finished(asked, channel=DM)
        if times == 1:
            assert said(answer) == "Answer to 'what is it?' about [1] after 0 turns."
        elif kind == "short":
            assert said(answer) == "Slack did not hand over photo.png. Please try again in a moment."
            assert [button["action_id"] for button in buttons(answer)] == ["retry"]
            scene.slack.fault = lambda _: None
            scene.slack.presses(*await scene.button(asked, "retry", DM), DM)
            await scene.slack.settled()
            assert await scene.answer(asked, DM) == "Answer to 'what is it?' about [1] after 0 turns."
        else:
            assert said(answer).startswith("Slack does not let me read photo.png.")

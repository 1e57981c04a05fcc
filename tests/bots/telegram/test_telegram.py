import asyncio
import io
import json
from pathlib import Path

import pytest
from PIL import Image as PilImage

from core.answer import Ending
from core.errors import Busy
from core.image import Image
from storage.store import Store
from tests.bots.telegram.conftest import Chatting, is_finished, photo, quiet, service, store_config, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.world import Json
from tests.fakes import ScriptedEngine, describe


def colour(image: Image) -> str:
    """The strongest of red, green and blue."""
    red, green, blue = PilImage.open(io.BytesIO(image.data)).convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    return max((red, "red"), (green, "green"), (blue, "blue"))[1]


async def test_photo_with_caption_becomes_an_answer(running: BotApi, ann: Chatting) -> None:
    question = ann.person.shows(photo(), "What is this?")
    assert await ann.answer(question) == "Answer to 'What is this?' about [1] after 0 turns."


async def test_the_large_size_of_a_photo_is_looked_at(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    await ann.answer(ann.person.shows(photo("blue", (320, 200)), "What is this?"))
    [picture] = engine.asked[0].pictures
    assert picture.image.original_size == (320, 200)


async def test_photo_alone_is_kept_until_its_question_comes(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    assert await ann.answer(ann.person.shows(photo())) == "Got picture 1. What would you like to know?"
    assert len(engine.looked) == 1
    assert await ann.answer(ann.person.says("What is it?")) == "Answer to 'What is it?' about [1] after 0 turns."


async def test_follow_up_needs_no_picture(running: BotApi, ann: Chatting) -> None:
    await ann.answer(ann.person.shows(photo(), "What is this?"))
    assert await ann.answer(ann.person.says("And now?")) == "Answer to 'And now?' about [] after 1 turns."


async def test_album_is_one_question_in_message_order(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    ann.person.shows(photo("red"), album="a")
    captioned = ann.person.shows(photo("green"), "Compare them", album="a")
    ann.person.shows(photo("blue"), album="a")
    assert await ann.answer(captioned) == "Answer to 'Compare them' about [1, 2, 3] after 0 turns."
    assert [colour(picture.image) for picture in engine.asked[0].pictures] == ["red", "green", "blue"]


async def test_album_without_a_caption_waits_for_its_question(running: BotApi, ann: Chatting) -> None:
    first = ann.person.shows(photo("red"), album="a")
    ann.person.shows(photo("green"), album="a")
    assert await ann.answer(first) == "Got pictures 1, 2. What would you like to know?"


async def test_picture_sent_as_a_file_is_looked_at_whatever_its_type_says(running: BotApi, ann: Chatting) -> None:
    named = ann.person.sends_file(photo(kind="PNG"), "scan.png", "image/png", "What is this?")
    assert await ann.answer(named) == "Answer to 'What is this?' about [1] after 0 turns."
    untyped = ann.person.sends_file(photo("blue"), "scan", None, "And this?")
    assert await ann.answer(untyped) == "Answer to 'And this?' about [2] after 1 turns."


async def test_reply_to_an_earlier_picture_asks_about_that_picture(running: BotApi, ann: Chatting) -> None:
    first = ann.person.shows(photo("red"), "One")
    await ann.answer(first)
    await ann.answer(ann.person.shows(photo("green"), "Two"))
    again = ann.person.says("What colour was it?", reply_to=first)
    assert await ann.answer(again) == "Answer to 'What colour was it?' about [1] after 2 turns."


async def test_reply_to_an_earlier_answer_asks_about_its_pictures(running: BotApi, ann: Chatting) -> None:
    first = ann.person.shows(photo("red"), "One")
    [answer] = await ann.answers(first)
    await ann.answer(ann.person.shows(photo("green"), "Two"))
    again = ann.person.says("Are you sure?", reply_to=answer)
    assert await ann.answer(again) == "Answer to 'Are you sure?' about [1] after 2 turns."


async def test_a_quoted_passage_is_part_of_the_question(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    question = ann.person.shows(photo(), "What is this?")
    [answer] = await ann.answers(question)
    quote = {"text": "after 0 turns", "position": 30, "is_manual": True}
    await ann.answer(ann.person.says("What does that mean?", reply_to=answer, quote=quote))
    assert engine.asked[-1].turns[-1].text == "> after 0 turns\n\nWhat does that mean?"


async def test_a_mention_in_a_group_is_answered_and_other_talk_is_not(running: BotApi) -> None:
    team = Chatting(Person(running, running.world.chat(-100), user_id=7))
    other = team.person.says("Nice weather")
    picture = team.person.shows(photo(), "Look at this")
    question = team.person.shows(photo("blue"), "@picture_bot what is this?")
    assert await team.answer(question) == "Answer to 'what is this?' about [1] after 0 turns."
    assert not team.chat.answers_to(other["message_id"]) + team.chat.answers_to(picture["message_id"])


async def test_in_a_group_a_mention_may_reply_to_somebody_elses_picture(running: BotApi) -> None:
    chat = running.world.chat(-100)
    picture = Person(running, chat, user_id=8).shows(photo())
    team = Chatting(Person(running, chat, user_id=7))
    question = team.person.says("What is this, @Picture_Bot ?", reply_to=picture)
    assert await team.answer(question) == "Answer to 'What is this,  ?' about [1] after 0 turns."


async def test_in_a_group_a_reply_to_the_bot_and_a_command_are_answered(running: BotApi) -> None:
    team = Chatting(Person(running, running.world.chat(-100), user_id=7))
    [answer] = await team.answers(team.person.shows(photo(), "@picture_bot what is this?"))
    follow_up = team.person.says("And now?", reply_to=answer)
    assert await team.answer(follow_up) == "Answer to 'And now?' about [1] after 1 turns."
    assert (await team.answer(team.person.says("/pictures@picture_bot"))).startswith("Picture 1: 64 × 48")
    ignored = team.person.says("/pictures@other_bot")
    await team.answer(team.person.says("/help"))
    assert not team.chat.answers_to(ignored["message_id"])


async def test_a_mention_in_one_caption_of_an_album_means_the_whole_album(running: BotApi) -> None:
    team = Chatting(Person(running, running.world.chat(-100), user_id=7))
    team.person.shows(photo("red"), album="a")
    captioned = team.person.shows(photo("green"), "@picture_bot compare", album="a")
    unasked = team.person.shows(photo("red"), album="b")
    assert await team.answer(captioned) == "Answer to 'compare' about [1, 2] after 0 turns."
    await team.answer(team.person.says("/help"))
    assert not team.chat.answers_to(unasked["message_id"])


async def test_each_topic_is_a_conversation_of_its_own(running: BotApi) -> None:
    chat = running.world.chat(-200, forum=True)
    one, two = (Chatting(Person(running, chat, user_id=7, topic=topic)) for topic in (5, 6))
    answers = await one.answers(one.person.shows(photo(), "@picture_bot what is this?"))
    assert answers[0]["message_thread_id"] == 5
    question = two.person.shows(photo(), "@picture_bot and here?")
    assert await two.answer(question) == "Answer to 'and here?' about [1] after 0 turns."


async def test_people_are_answered_in_their_language(running: BotApi) -> None:
    li = Chatting(Person(running, running.world.chat(8), language="zh-hans"))
    assert await li.answer(li.person.shows(photo())) == "收到图片 1。您想知道什么？"
    assert "图片" in await li.answer(li.person.says("/start"))
    await until(lambda: "zh" in running.commands)
    assert running.commands[""][0] == {"command": "help", "description": "What I can do"}
    assert running.commands["zh"][0] == {"command": "help", "description": "我能做什么"}


async def test_what_is_not_a_picture_gets_a_friendly_sentence(running: BotApi, ann: Chatting) -> None:
    size = {"file_id": "v", "file_unique_id": "v", "duration": 1}
    for message in (
        ann.person.sends(voice=size),
        ann.person.sends(location={"latitude": 1.0, "longitude": 2.0}),
    ):
        assert (await ann.answer(message)).startswith("I can only look at pictures")
    archive = ann.person.sends_file(b"PK", "archive.zip", "application/zip", "What is this?")
    assert (await ann.answer(archive)).startswith("This is an archive")
    joined = ann.person.sends(new_chat_title="Hello")
    await ann.answer(ann.person.says("/help"))
    assert not ann.chat.answers_to(joined["message_id"])


async def test_a_file_that_is_no_picture_is_named_and_offers_no_second_try(running: BotApi, ann: Chatting) -> None:
    question = ann.person.sends_file(b"not a picture", "scan.png", "image/png", "What is this?")
    [answer] = await ann.answers(question)
    assert "picture" in answer["text"]
    assert "reply_markup" not in answer


async def test_new_begins_a_conversation_and_forget_deletes_it(running: BotApi, ann: Chatting) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    await ann.answer(ann.person.says("/new"))
    assert await ann.answer(ann.person.shows(photo(), "Two")) == "Answer to 'Two' about [1] after 0 turns."
    assert (await ann.answer(ann.person.says("/forget"))).startswith("Forgotten")
    assert await ann.answer(ann.person.shows(photo(), "Three")) == "Answer to 'Three' about [1] after 0 turns."


async def test_pictures_are_listed_and_removed_by_number(running: BotApi, ann: Chatting) -> None:
    assert await ann.answer(ann.person.says("/pictures")) == "There are no pictures in this conversation yet."
    await ann.answer(ann.person.shows(photo("red"), "One"))
    await ann.answer(ann.person.shows(photo("green")))
    listed = await ann.answer(ann.person.says("/pictures"))
    assert listed == "Picture 1: 64 × 48\nPicture 2: 64 × 48 (waits for a question)"
    assert await ann.answer(ann.person.says("/remove 1")) == "Picture 1 is removed."
    assert await ann.answer(ann.person.says("/remove 1")) == "There is no picture 1 in this conversation."
    for nothing in ("it", "3000000000"):
        assert await ann.answer(ann.person.says(f"/remove {nothing}")) == "Say which picture: /remove 2, for example."


async def test_retry_answers_the_last_question_again_drawn_differently(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    assert await ann.answer(ann.person.says("/retry")) == "Answer to 'One' about [1] after 0 turns."
    assert [sampling.temperature for sampling in engine.samplings] == [None, 0.7]


async def test_retry_below_an_older_answer_answers_its_question_differently(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    [older] = await ann.answers(ann.person.shows(photo(), "One"))
    await ann.answer(ann.person.says("Two"))
    again = await ann.answer(ann.person.says("/retry", reply_to=older))
    assert again.startswith("Answer to 'One' about [1]")
    assert [sampling.seed for sampling in engine.samplings] == [0, 0, None]


async def test_the_stop_button_frees_the_model_and_leaves_a_retry_button(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script, engine.pause = lambda _: "word " * 1000, 0.05
    question = ann.person.shows(photo(), "Tell me everything")
    await until(lambda: any("word" in message["text"] for message in ann.chat.answers_to(question["message_id"])))
    [growing] = ann.chat.answers_to(question["message_id"])
    ann.person.presses(growing)
    await until(lambda: engine.cancelled == 1)
    [stopped] = await ann.answers(question)
    assert stopped["text"].endswith("(stopped)")
    await until(lambda: running.callback_answers)
    assert running.callback_answers[-1]["text"] == "Stopping …"

    engine.script, engine.pause = lambda _: "short", 0
    ann.person.presses(stopped)
    ann.person.presses(stopped)
    await until(lambda: [m["text"] for m in ann.chat.by_bot() if is_finished(m)][1:] == ["short"])
    await ann.answer(ann.person.says("/help"))
    assert len(ann.chat.by_bot()) == 3  # one press counts


async def test_the_stop_command_acts_at_once_and_spares_the_next_question(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda conversation: "word " * 500 if conversation.turns[-1].text == "long" else "short"
    engine.pause = 0.05
    long = ann.person.shows(photo(), "long")
    await until(lambda: engine.running)
    following = ann.person.shows(photo(), "next")
    ann.person.says("/stop")
    assert (await ann.answer(long)).endswith("(stopped)")
    assert await ann.answer(following) == "short"
    assert await ann.answer(ann.person.says("/stop")) == "Nothing is being written just now."


@pytest.fixture
def unseen_end(running: BotApi, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Keep Telegram's reply to an answer's last edit back until the event is set. People see the edit at once."""
    edit, told = running._editMessageText, asyncio.Event()

    async def held(parameters: Json) -> Json:
        edited = await edit(parameters)
        if "stop" not in str(parameters.get("reply_markup")):
            await told.wait()
        return edited

    monkeypatch.setattr(running, "_editMessageText", held)
    return told


async def test_the_stop_command_after_the_last_edit_is_told_that_nothing_is_written(
    running: BotApi, ann: Chatting, unseen_end: asyncio.Event
) -> None:
    [answer] = await ann.answers(ann.person.shows(photo(), "One"))
    stop = ann.person.says("/stop")
    await until(lambda: running.unconfirmed == 0)
    unseen_end.set()
    assert await ann.answer(stop) == "Nothing is being written just now."
    assert answer["text"] == "Answer to 'One' about [1] after 0 turns."


STOP = {"inline_keyboard": [[{"text": "Stop", "callback_data": "stop"}]]}


@pytest.mark.parametrize("seen", ["Stop", "its last buttons"])
async def test_the_stop_button_pressed_after_the_last_edit_leaves_the_answer_its_buttons(
    running: BotApi, ann: Chatting, engine: ScriptedEngine, unseen_end: asyncio.Event, seen: str
) -> None:
    """Telegram tells by a press what the message shows by then."""
    engine.ending = Ending.LENGTH
    [answer] = await ann.answers(ann.person.shows(photo(), "One"))
    buttons = answer["reply_markup"]
    shown = {**answer, "reply_markup": STOP if seen == "Stop" else buttons}
    if seen != "Stop":
        unseen_end.set()
        await ann.answer(ann.person.says("/help"))
    press = {"id": "q", "from": {"id": 7, "is_bot": False, "first_name": "Ann"}, "chat_instance": "1"}
    running.update(callback_query={**press, "message": shown, "data": "stop"})
    await until(lambda: [told["text"] for told in running.callback_answers] == ["This is finished already."])
    unseen_end.set()
    await ann.answer(ann.person.says("/help"))
    assert not running.calls["editMessageReplyMarkup"]
    assert answer["reply_markup"] == buttons


async def test_a_failed_answer_offers_another_try(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    engine.script = lambda _: RuntimeError("a bug of the model")
    question = ann.person.shows(photo(), "What is this?")
    [failed] = await ann.answers(question)
    assert failed["text"] == "Something went wrong on my side. Please try again."
    engine.script = lambda _: "well"
    ann.person.presses(failed)
    await until(lambda: ann.chat.by_bot()[-1]["text"] == "well")
    assert engine.asked[-1].turns[-1].text == "What is this?"
    assert len(engine.asked[-1].turns[-1].pictures) == 1


FULL = Busy("Too many questions are waiting already. Please ask again in a minute.")


async def test_a_refused_album_is_tried_again_with_all_its_pictures(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: FULL
    ann.person.shows(photo("red"), album="a")
    captioned = ann.person.shows(photo("green"), "Compare", album="a")
    [refused] = await ann.answers(captioned)
    assert refused["text"] == str(FULL)
    engine.script = describe
    ann.person.presses(refused)
    await until(lambda: ann.chat.by_bot()[-1]["text"] == "Answer to 'Compare' about [1, 2] after 0 turns.")


async def test_a_question_stopped_before_it_began_is_tried_again_with_all_its_pictures(running: BotApi) -> None:
    chat = running.world.chat(-100)
    picture = Person(running, chat, user_id=8).shows(photo())
    team = Chatting(Person(running, chat, user_id=7))
    running.trouble = lambda method: "500" if method == "getFile" else None
    question = team.person.says("@picture_bot what is this?", reply_to=picture)
    await until(chat.by_bot)
    team.person.presses(chat.by_bot()[0])
    await until(lambda: running.callback_answers)
    running.trouble = lambda method: None
    [stopped] = await team.answers(question)
    assert stopped["text"] == "(stopped)"
    team.person.presses(stopped)
    await until(lambda: chat.by_bot()[-1]["text"] == "Answer to 'what is this?' about [1] after 0 turns.")


async def test_a_refused_reply_in_a_group_is_tried_again_without_a_mention(
    running: BotApi, engine: ScriptedEngine
) -> None:
    team = Chatting(Person(running, running.world.chat(-100), user_id=7))
    [answer] = await team.answers(team.person.shows(photo(), "@picture_bot what is this?"))
    engine.script = lambda _: FULL
    [refused] = await team.answers(team.person.says("And now?", reply_to=answer))
    engine.script = describe
    team.person.presses(refused)
    await until(lambda: team.chat.by_bot()[-1]["text"].startswith("Answer to 'And now?'"))


async def test_a_refused_retry_is_tried_again_and_not_taken_for_a_question(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    engine.script = lambda _: FULL
    [refused] = await ann.answers(ann.person.says("/retry"))
    assert refused["text"] == str(FULL)
    engine.script = describe
    ann.person.presses(refused)
    await until(lambda: ann.chat.by_bot()[-1]["text"] == "Answer to 'One' about [1] after 0 turns.")
    assert len(ann.chat.by_bot()) == 3


async def test_a_refusal_is_never_taken_for_the_question_that_is_gone(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: FULL
    [refused] = await ann.answers(ann.person.shows(photo(), "What is this?"))
    ann.person.presses({name: value for name, value in refused.items() if name != "reply_to_message"})
    await until(lambda: ann.chat.by_bot()[-1]["text"].startswith("Send a picture with your question"))
    assert len(engine.asked) == 1


async def test_strangers_learn_how_to_be_let_in_and_nothing_else(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, allow=[]):
        answer = await ann.answer(ann.person.shows(photo(), "What is this?"))
    assert answer == "Sorry, I may not answer you yet. To be let in, tell the person who runs this bot: 7"
    assert not engine.asked


async def test_a_chat_hears_one_line_an_hour_whatever_strangers_send_and_press(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chat = telegram.world.chat(-100)
    ann, eve, bob = (Chatting(Person(telegram, chat, user_id=number)) for number in (7, 8, 9))
    caplog.set_level("INFO")
    async with service(telegram, tmp_path, engine, allow=[7]):
        [answer] = await ann.answers(ann.person.shows(photo("white", (4000, 3000)), "@picture_bot what is this?"))
        eve.person.presses(answer)
        await until(lambda: telegram.callback_answers)
        assert telegram.callback_answers[-1]["text"].endswith("tell the person who runs this bot: 8 (-100)")
        assert "person=telegram:8 chat=-100" in caplog.text
        bob.person.presses(answer)
        await until(lambda: len(telegram.callback_answers) > 1)
        assert "text" not in telegram.callback_answers[-1]
        for text in ("@picture_bot what is this?", "/help", "/forget all"):
            eve.person.says(text)
        alone = Chatting(Person(telegram, telegram.world.chat(9)))
        assert (await alone.answer(alone.person.says("你好，这是什么？"))).endswith("请告诉运行这个机器人的人：9")
        alone.person.says("/start")
        await ann.answer(ann.person.says("@picture_bot and now?"))
        await until(lambda: telegram.unconfirmed == 0)
    assert len(chat.by_bot()) == 2
    assert len(alone.chat.by_bot()) == 1


async def test_listed_people_and_chats_are_let_in(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, allow=[7, -100]):
        assert (await ann.answer(ann.person.shows(photo(), "One"))).startswith("Answer")
        team = Chatting(Person(telegram, telegram.world.chat(-100), user_id=8))
        assert (await team.answer(team.person.shows(photo(), "@picture_bot two"))).startswith("Answer")
        stranger = Chatting(Person(telegram, telegram.world.chat(9)))
        assert "the person who runs this bot: 9" in await stranger.answer(stranger.person.shows(photo(), "Three"))


async def test_the_draft_preview_shows_growing_answers_where_it_is_switched_on(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    engine.pause = 0.1
    async with service(telegram, tmp_path, engine, draft_preview=True, interval_seconds=1):
        question = ann.person.shows(photo(), "What is this?")
        assert (await ann.answer(question)).startswith("Answer to")
        assert ann.chat.drafts[0] == "One moment …"
        assert len(ann.chat.answers_to(question["message_id"])) == 1


async def test_words_of_the_model_ping_nobody_and_open_no_link(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: "Ask @somebody or [him](tg://user?id=9) at a@example.org"
    [answer] = await ann.answers(ann.person.shows(photo(), "Who?"))
    assert answer["text"] == "Ask @somebody or him at a@example.org"
    assert answer["entities"] == [{"type": "code", "offset": 4, "length": 9}]
    edits = [p for method, p in running.requests if method == "editMessageText"]
    assert all(json.loads(json.dumps(p["link_preview_options"])) == {"is_disabled": True} for p in edits)


async def test_a_thumb_rates_an_answer_where_the_operator_wants_ratings(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    async with service(telegram, tmp_path, engine, ratings=True):
        [answer] = await ann.answers(ann.person.shows(photo(), "One"))
        await ann.answers(ann.person.says("Two"))
        ann.person.reacts(answer, "👍")
        await until(lambda: telegram.unconfirmed == 0)
    store = await Store.open(store_config(tmp_path, ratings=True))
    [turn] = await store.rated()
    await store.close()
    assert (turn.text, turn.rating) == ("One", 1)


async def test_a_conversation_goes_on_when_its_group_becomes_a_supergroup(running: BotApi, tmp_path: Path) -> None:
    old, new = running.world.chat(-5, "group"), running.world.chat(-1005)
    team = Chatting(Person(running, old, user_id=7))
    await team.answer(team.person.shows(photo(), "@picture_bot one"))
    team.person.sends(migrate_to_chat_id=new.id)
    await quiet(running, tmp_path)
    team = Chatting(Person(running, new, user_id=7))
    assert await team.answer(team.person.says("@picture_bot two")) == "Answer to 'two' about [] after 1 turns."


@pytest.mark.parametrize("busy", [False, True])
async def test_a_question_in_a_supergroup_that_comes_before_the_old_groups_end_knows_what_was_said(
    running: BotApi, engine: ScriptedEngine, tmp_path: Path, busy: bool
) -> None:
    """Telegram tells it at the beginning of the supergroup, too. The old group's last answer may still be written."""
    old, new = running.world.chat(-5, "group"), running.world.chat(-1005)
    before, after = (Chatting(Person(running, chat, user_id=7)) for chat in (old, new))
    engine.gate = asyncio.Event() if busy else None
    one = before.person.shows(photo(), "@picture_bot one")
    await (until(lambda: engine.running) if busy else before.answer(one))
    after.person.sends(migrate_from_chat_id=old.id)
    two = after.person.says("@picture_bot two")
    await until(lambda: running.unconfirmed == 0)
    if engine.gate:
        engine.gate.set()
    assert await after.answer(two) == "Answer to 'two' about [] after 1 turns."
    before.person.sends(migrate_to_chat_id=new.id)
    await quiet(running, tmp_path)
    assert await after.answer(after.person.says("@picture_bot three")) == "Answer to 'three' about [] after 2 turns."


async def test_an_anonymous_admin_is_answered_and_other_bots_are_not(running: BotApi) -> None:
    chat = running.world.chat(-100)
    running.bot_to_bot = True
    bot = Person(running, chat, user_id=99, is_bot=True)
    ignored = bot.shows(photo(), "@picture_bot what is this?")
    admin = Chatting(Person(running, chat, user_id=1087968824, is_bot=True))
    question = admin.person.shows(photo(), "@picture_bot one", sender_chat=chat.json())
    assert (await admin.answer(question)).startswith("Answer to 'one'")
    assert not chat.answers_to(ignored["message_id"])

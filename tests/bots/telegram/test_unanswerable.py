"""What the model could only answer by invention, or what nobody asked: it gets a sentence, or silence."""

from tests.bots.telegram.conftest import Chatting, photo, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine

ASKS_FOR_ONE = "Send a picture with your question"


async def test_without_any_picture_every_question_asks_for_one(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    for text in ("What is the total?", "thanks!", "hello there"):
        assert (await ann.answer(ann.person.says(text))).startswith(ASKS_FOR_ONE)
    [answer] = await ann.answers(ann.person.shows(photo(), "What is this?"))
    await ann.answer(ann.person.says("/remove 1"))
    [refused] = await ann.answers(ann.person.says("And the date?", reply_to=answer))
    assert refused["text"].startswith(ASKS_FOR_ONE)
    assert "reply_markup" not in refused
    assert (await ann.answer(ann.person.says("/retry"))).startswith(ASKS_FOR_ONE)
    assert len(engine.asked) == 1


async def test_thanks_and_laughter_are_no_questions(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    [answer] = await ann.answers(ann.person.shows(photo(), "What is this?"))
    assert "at any time" in await ann.answer(ann.person.says("谢谢啦！"))
    assert "at any time" in await ann.answer(ann.person.says("👍👍", reply_to=answer))
    assert await ann.answer(ann.person.shows(photo("blue"), "😂")) == "Got picture 2. What would you like to know?"
    assert len(engine.asked) == 1
    assert await ann.answer(ann.person.says("Which one?")) == "Answer to 'Which one?' about [2] after 1 turns."


async def test_in_a_group_thanks_and_words_to_others_get_nothing(running: BotApi, engine: ScriptedEngine) -> None:
    team = Chatting(Person(running, running.world.chat(-100), user_id=7))
    [answer] = await team.answers(team.person.shows(photo(), "@picture_bot what is this?"))
    for text in ("thanks!", "hahaha 😂", "@bob what do you think?"):
        team.person.says(text, reply_to=answer)
    team.person.says("@picture_bot thank you")
    asked = team.person.says("@bob says @picture_bot knows it", reply_to=answer)
    await team.answer(asked)
    await until(lambda: running.unconfirmed == 0)
    assert len(team.chat.by_bot()) == len(engine.asked) == 2


async def test_one_bad_file_of_two_is_named(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    ann.person.sends_file(b"not a picture", "scan.png", "image/png", album="a")
    question = ann.person.sends_file(photo(kind="PNG"), "good.png", "image/png", "What is this?", album="a")
    answer = await ann.answer(question)
    assert answer.startswith("Answer to 'What is this?' about [1]")
    assert "scan.png: This is a text file." in answer
    ann.person.shows(b"no picture", album="b")
    question = ann.person.sends_file(b"nor this", "b.png", "image/png", "And these?", album="b")
    answer = await ann.answer(question)
    assert "File 1 of 2: " in answer
    assert "b.png: " in answer
    assert len(engine.asked) == 1

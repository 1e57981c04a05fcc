import asyncio
from dataclasses import replace
from typing import Any

import pytest

from core import work_context
from core.answer import Answer, Ending
from core.assistant import Assistant
from core.conversation import MOST_PICTURES, Conversation, Question
from core.errors import BadQuestion, Busy, EngineUnreachable, NoPicture, NotFound, QuotaReached
from core.events import Event, PicturesRemoved, Piece
from core.image import Image
from core.picture_names import named_pictures
from core.quota import QuotaConfig
from core.sampling import Sampling
from core.stop import Stop
from tests.fakes import Interrupted, MemoryHistory, ScriptedEngine, describe, image
from tests.writing import hang_up, writing

UNLIMITED = QuotaConfig(questions_per_minute=0, questions_per_day=0, pictures_per_minute=0, at_once=0)


def assistant(engine: ScriptedEngine | None = None) -> tuple[Assistant, ScriptedEngine, MemoryHistory]:
    engine = engine or ScriptedEngine()
    history = MemoryHistory()
    return Assistant(engine, history, quota=UNLIMITED), engine, history


async def test_a_question_is_answered_and_saved() -> None:
    bot, _, history = assistant()
    answer = await bot.ask("c", Question("what?", (image(),)), "1")
    assert answer.text == "Answer to 'what?' about [1] after 0 turns."
    saved = await history.answered("1")
    assert saved and saved.answer == answer
    assert saved.text == "what?"


async def test_what_is_told_of_an_answer_adds_up_to_it() -> None:
    bot, _, _ = assistant()
    told: list[Event] = []
    answer = await bot.ask("c", Question("what?", (image(),)), "1", tell=told.append)
    again: list[Event] = []
    assert await bot.ask("c", Question("what?", (image(),)), "1", tell=again.append) == answer
    for events in (told, again):
        assert "".join(event.text for event in events if isinstance(event, Piece)) == answer.text


async def test_what_was_stopped_before_it_began_is_not_written_and_ends_as_stopped() -> None:
    bot, engine, history = assistant()
    answer = await bot.ask("c", Question("what?", (image(),)), "1", stop=Stop(True))
    assert answer == Answer("", Ending.STOPPED)
    assert engine.asked == []
    saved = await history.answered("1")
    assert saved and saved.answer == answer


async def test_a_follow_up_sees_the_earlier_turn_and_needs_no_picture() -> None:
    bot, engine, _ = assistant()
    await bot.ask("c", Question("what?", (image(),)), "1")
    answer = await bot.ask("c", Question("and then?"), "2")
    assert answer.text == "Answer to 'and then?' about [] after 1 turns."
    assert engine.asked[1].turns[0].pictures[0].image == image()


async def test_a_key_that_was_answered_gets_the_same_answer_and_the_model_is_not_asked_again() -> None:
    bot, engine, _ = assistant()
    first = await bot.ask("c", Question("what?", (image(),)), "1")
    assert await bot.ask("c", Question("what?", (image(),)), "1") == first
    assert len(engine.asked) == 1


async def test_pictures_that_came_without_a_question_belong_to_the_next_one() -> None:
    bot, engine, _ = assistant()
    assert await bot.add_pictures("c", [image("red"), image("blue")]) == ([1, 2], ())
    assert engine.looked == [image("red").id, image("blue").id]
    answer = await bot.ask("c", Question("compare", (image("green"),)), "1")
    assert "[1, 2, 3]" in answer.text
    assert "about []" in (await bot.ask("c", Question("again"), "2")).text


def shades(count: int) -> list[Image]:
    return [image(f"hsl({10 * number}, 100%, 50%)") for number in range(count)]


async def test_at_the_limit_the_picture_nobody_asked_about_for_longest_goes_and_that_is_told() -> None:
    bot, engine, history = assistant()
    kept = shades(MOST_PICTURES)
    await bot.ask("c", Question("all", tuple(kept)), "1")
    await bot.ask("c", Question("the first", (kept[0],)), "2")
    told: list[Event] = []
    await bot.ask("c", Question("two more", (image("white"), image("grey"))), "3", tell=told.append)
    assert told[-1] == PicturesRemoved((2, 3))
    numbers = {picture.number for picture in (await history.load("c")).pictures}
    assert numbers == {*range(1, MOST_PICTURES + 3)} - {2, 3}
    assert {picture.number for picture in engine.asked[-1].pictures} == numbers


async def test_a_picture_without_a_question_makes_room_too_but_never_for_itself() -> None:
    bot, _, history = assistant()
    numbers, removed = await bot.add_pictures("c", shades(MOST_PICTURES + 3))
    assert removed == (1, 2, 3)
    assert [picture.number for picture in (await history.load("c")).waiting] == numbers[3:]
    more = tuple(image(f"hsl({10 * number}, 50%, 50%)") for number in range(9))
    assert f"{MOST_PICTURES + 12}]" in (await bot.ask("c", Question("all", more), "1")).text


async def test_a_picture_the_conversation_knows_keeps_its_number() -> None:
    bot, _, _ = assistant()
    await bot.ask("c", Question("a", (image("red"), image("blue"))), "1")
    assert "about [2]" in (await bot.ask("c", Question("b", (image("blue"),)), "2")).text
    assert "about [3]" in (await bot.ask("c", Question("c", (image("green"),)), "3")).text


async def test_one_turn_at_a_time_in_a_conversation_and_in_order() -> None:
    bot, engine, history = assistant(ScriptedEngine(pause=0.001))
    await asyncio.gather(*(bot.ask("c", Question(f"q{n}", (image(),)), f"{n}") for n in range(5)))
    assert [turn.text for turn in (await history.load("c")).turns] == [f"q{n}" for n in range(5)]
    assert [len(asked.turns) for asked in engine.asked] == [1, 2, 3, 4, 5]


async def test_conversations_do_not_wait_for_each_other() -> None:
    bot, engine, _ = assistant(ScriptedEngine(pause=0.01))
    async with asyncio.TaskGroup() as group:
        for name in "ab":
            group.create_task(bot.ask(name, Question("q", (image(),)), name))
        async with asyncio.timeout(60):
            while engine.running < 2:
                await asyncio.sleep(0)


async def test_stopping_frees_the_model_and_saves_what_was_read() -> None:
    bot, engine, history = assistant(ScriptedEngine(script=lambda _: "one two three four", pause=0.01))
    shown = ""

    def tell(event: Event) -> None:
        nonlocal shown
        if isinstance(event, Piece):
            shown += event.text
            if shown == "one two":
                assert bot.stop("c")

    answer = await bot.ask("c", Question("q", (image(),)), "1", tell=tell)
    assert answer == Answer("one two", Ending.STOPPED)
    assert engine.running == 0
    saved = await history.answered("1")
    assert saved and saved.answer == answer
    assert not bot.stop("c")


async def test_what_is_stopped_after_it_began_again_is_saved_without_its_first_words() -> None:
    bot, _, _history = assistant(Interrupted(script=lambda _: "one two three", pause=0.01))

    def tell(event: Event) -> None:
        if event == Piece(" two"):
            bot.stop("c")

    answer = await bot.ask("c", Question("q", (image(),)), "1", tell=tell)
    assert answer == Answer("one two", Ending.STOPPED)


async def test_hanging_up_frees_the_model_and_leaves_the_question_open() -> None:
    bot, engine, history = assistant(ScriptedEngine(pause=0.01))
    await hang_up(await writing(lambda tell: bot.ask("c", Question("q", (image(),)), "1", tell=tell)))
    assert engine.running == 0
    assert engine.cancelled == 1
    assert await history.answered("1") is None
    assert (await bot.ask("c", Question("q", (image(),)), "1")).ending is Ending.DONE


async def test_an_answer_that_is_being_saved_is_saved_before_a_cancellation_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bot, _, history = assistant()
    saving, gate, save = asyncio.Event(), asyncio.Event(), history.save

    async def save_late(*args: Any) -> None:
        saving.set()
        await gate.wait()
        await save(*args)

    monkeypatch.setattr(history, "save", save_late)
    asking = asyncio.create_task(bot.ask("c", Question("q", (image(),)), "1"))
    await saving.wait()
    asking.cancel()  # as an edit does, which then looks for an answer to the old words
    ended, _ = await asyncio.wait({asking}, timeout=0.05)
    assert not ended
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await history.answered("1")


async def test_a_refusal_is_not_remembered_but_a_failure_is() -> None:
    def busy(_: Conversation) -> Exception:
        return Busy("later")

    bot, engine, history = assistant(ScriptedEngine(script=busy))
    with pytest.raises(Busy):
        await bot.ask("c", Question("q", (image(),)), "1")
    assert await history.answered("1") is None
    engine.script = lambda _: ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await bot.ask("c", Question("q", (image(),)), "1")
    saved = await history.answered("1")
    assert saved and saved.answer and saved.answer.ending is Ending.FAILED


async def test_retry_draws_the_last_answer_again_in_its_place() -> None:
    bot, engine, history = assistant()
    await bot.ask("c", Question("a", (image(),)), "1")
    await bot.ask("c", Question("b"), "2")
    engine.script = lambda _: "better"
    assert (await bot.retry("c", "3")).text == "better"
    assert (engine.samplings[-1].temperature or 0) > 0
    assert engine.samplings[-1].seed is None
    turns = (await history.load("c")).turns
    assert [(turn.text, turn.answer and turn.answer.text) for turn in turns][1] == ("b", "better")
    assert len(turns) == 2
    assert (await bot.retry("c", "3")).text == "better"
    assert len(engine.asked) == 3


async def test_retry_without_a_question_says_what_to_do() -> None:
    bot, _, _ = assistant()
    with pytest.raises(NotFound, match="Send a picture"):
        await bot.retry("c", "1")


async def test_too_long_a_question_is_refused_before_the_model_is_asked() -> None:
    bot, engine, _ = assistant()
    with pytest.raises(BadQuestion, match="8000"):
        await bot.ask("c", Question("x" * 8_001), "1")
    assert not engine.asked


async def test_forgetting_stops_the_running_answer_first() -> None:
    bot, engine, history = assistant(ScriptedEngine(pause=0.01))
    asking = asyncio.create_task(bot.ask("c", Question("q", (image(),)), "1"))
    while not engine.running:
        await asyncio.sleep(0)
    await bot.forget("c")
    assert (await asking).ending is Ending.STOPPED
    assert (await history.load("c")) == Conversation("c")


async def test_removing_a_picture_that_is_not_there_says_so() -> None:
    bot, _, history = assistant()
    await bot.add_pictures("c", [image()])
    await bot.remove_picture("c", 1)
    assert (await history.load("c")).pictures == ()
    with pytest.raises(NotFound, match="picture 7"):
        await bot.remove_picture("c", 7)


def limited(**limits: int) -> tuple[Assistant, ScriptedEngine]:
    engine = ScriptedEngine()
    return Assistant(engine, MemoryHistory(), quota=QuotaConfig(**limits)), engine


async def test_pictures_sent_ahead_count_for_the_person_who_sent_them() -> None:
    bot, engine = limited(pictures_per_minute=3)
    await bot.add_pictures("a", [image("red"), image("blue")], "ann")
    await bot.ask("a", Question("compare", (image("red"),)), "1", "ann")
    with pytest.raises(Busy, match="3 pictures a minute"):
        await bot.add_pictures("b", [image("green"), image("white")], "ann")
    assert len(engine.looked) == 2
    await bot.add_pictures("b", [image("green"), image("white")], "bob")


async def test_a_question_that_waits_for_its_conversation_counts_as_waiting() -> None:
    bot, engine = limited(at_once=2)
    engine.pause = 0.01
    first, second = (asyncio.create_task(bot.ask("c", Question("q", (image(),)), key, "ann")) for key in "12")
    while not engine.running:
        await asyncio.sleep(0)
    with pytest.raises(Busy, match="earlier questions"):
        await bot.ask("c", Question("q", (image(),)), "3", "ann")
    assert (await first).ending is (await second).ending is Ending.DONE


async def test_what_an_interruption_ends_for_good_does_not_count() -> None:
    """Its caller keeps the conversation, so it is stored nowhere to be asked again."""
    bot, engine = limited(questions_per_minute=1)
    asked = Conversation("c").ask(Question("q", (image(),)))
    engine.script = lambda _: EngineUnreachable("later")
    for number in range(3):
        with pytest.raises(EngineUnreachable):
            await bot.complete(replace(asked, id=f"c{number}"), Sampling(), "ann", lambda event: None)
    engine.script = describe
    await bot.complete(asked, Sampling(), "ann", lambda event: None)
    with pytest.raises(QuotaReached):
        await bot.complete(replace(asked, id="d"), Sampling(), "ann", lambda event: None)


async def test_an_answer_that_is_given_again_does_not_count() -> None:
    bot, _ = limited(questions_per_minute=1)
    first = await bot.ask("c", Question("q", (image(),)), "1")
    assert await bot.ask("c", Question("q", (image(),)), "1") == first


async def test_an_answer_that_is_given_again_waits_for_nothing() -> None:
    bot, engine = limited(at_once=1)
    first = await bot.ask("c", Question("q", (image(),)), "1", "ann")
    engine.pause = 0.01
    other = asyncio.create_task(bot.ask("d", Question("q", (image(),)), "2", "ann"))
    while not engine.running:
        await asyncio.sleep(0)
    assert await bot.ask("c", Question("q", (image(),)), "1", "ann") == first
    assert not other.done()
    await other


async def test_answers_follow_the_configured_sampling() -> None:
    engine = ScriptedEngine()
    bot = Assistant(engine, MemoryHistory(), Sampling(max_new_tokens=7))
    await bot.ask("c", Question("q", (image(),)), "1")
    assert engine.samplings == [Sampling(max_new_tokens=7)]


def test_images_do_not_print_their_pixels() -> None:
    assert "PNG" not in repr(Image("x", b"\x89PNG", 1, 1, (1, 1), b"\x89PNG"))


async def test_every_end_is_counted_by_platform_whatever_the_conversation_is_called() -> None:
    bot, engine, _ = assistant()
    work_context.set_current("ann", platform="web")
    await bot.ask("web:1", Question("q", (image(),)), "1")
    engine.script = lambda _: Busy("later")
    with pytest.raises(Busy):
        await bot.ask("web:1", Question("q", (image(),)), "2")
    engine.script = lambda _: ZeroDivisionError()
    work_context.set_current("ann", platform="slack")
    with pytest.raises(ZeroDivisionError):
        await bot.ask("web:1", Question("q", (image(),)), "3")
    assert bot.stats.questions == {"web": 2, "slack": 1}
    assert bot.stats.endings == {("web", "done"): 1, ("web", "refused"): 1, ("slack", "failed"): 1}
    assert [entry.platform for entry in bot.stats.latest] == ["web", "slack"]


async def test_halves_of_characters_do_not_reach_the_model() -> None:
    bot, engine, _ = assistant()
    await bot.ask("c", Question("a\0b \ud83d c", (image(),)), "1")
    assert engine.asked[0].turns[0].text == "ab ? c"


async def test_of_many_waiting_pictures_a_question_takes_up_those_it_names() -> None:
    bot, _, _ = assistant()
    await bot.add_pictures("c", [image(colour) for colour in ("red", "green", "blue", "white", "black")])
    assert "about [2, 3]" in (await bot.ask("c", Question("Compare pictures 2 and 3"), "1")).text
    assert "about [1, 4, 5]" in (await bot.ask("c", Question("and picture 5?"), "2")).text


async def test_the_pictures_of_a_question_stand_in_its_order_though_one_of_them_waited() -> None:
    bot, _, _ = assistant()
    await bot.add_pictures("c", [image("red"), image("blue")])
    question = Question("What differs?", (image("green"), image("blue")))
    assert "about [1, 3, 2]" in (await bot.ask("c", question, "1")).text


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("What differs in pictures 2-4?", {2, 3, 4}),
        ("picture 1, 3 and 5, please", {1, 3, 5}),
        ("图1和图2哪个高?", {1, 2}),
        ("第3张写了什么", {3}),
        ("第2行写了什么, 12 people", set()),
    ],
)
def test_named_pictures_are_found(text: str, numbers: set[int]) -> None:
    assert named_pictures(text) == numbers


async def test_without_any_picture_the_model_is_not_asked() -> None:
    bot, engine, history = assistant()
    with pytest.raises(NoPicture):
        await bot.ask("c", Question("what is the total?"), "1")
    await bot.ask("c", Question("what?", (image(),)), "2")
    await bot.remove_picture("c", 1)
    with pytest.raises(NoPicture):
        await bot.ask("c", Question("and the date?"), "3")
    with pytest.raises(NoPicture):
        await bot.retry("c", "4")
    assert len(engine.asked) == 1
    assert "about [1]" in (await bot.ask("c", Question("what?", (image(),)), "2")).text  # it was answered
    assert len((await history.load("c")).turns) == 1


async def test_a_question_without_any_picture_does_not_count() -> None:
    bot, _ = limited(questions_per_minute=1)
    with pytest.raises(NoPicture):
        await bot.ask("c", Question("what is it?"), "1", "ann")
    await bot.ask("c", Question("what is it?", (image(),)), "2", "ann")


async def test_thanks_are_not_answered_by_the_model() -> None:
    bot, engine, _ = assistant()
    await bot.ask("c", Question("what?", (image(),)), "1")
    with pytest.raises(BadQuestion, match="at any time"):
        await bot.ask("c", Question("谢谢啦 👍"), "2")
    assert len(engine.asked) == 1


async def test_what_somebody_else_left_is_not_added_to_a_question_with_its_own_picture() -> None:
    bot, _, history = assistant()
    await bot.add_pictures("c", [image("red")], "ann")
    assert "about [2]" in (await bot.ask("c", Question("a", (image("blue"),), person="bob"), "1")).text
    assert [picture.number for picture in (await history.load("c")).waiting] == [1]
    assert "about [1]" in (await bot.ask("c", Question("and this?", person="bob"), "2")).text
    await bot.add_pictures("c", [image("green")], "ann")
    assert "about [3, 4]" in (await bot.ask("c", Question("b", (image("white"),), person="ann"), "3")).text
    await bot.add_pictures("c", [image("black")], "ann")
    named = Question("compare with picture 5", (image("grey"),), person="bob")
    assert "about [5, 6]" in (await bot.ask("c", named, "4")).text

"""One task after the other, with a scripted engine: right, wrong, failed, in circles, and what is counted."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from core.answer import Answer, Ending, Figures
from core.conversation import Conversation
from core.engine.stats import EngineStats
from core.errors import BadQuestion, EngineEnded
from core.events import Tell
from core.sampling import Sampling
from core.selftest.report import SelftestReport
from core.selftest.results import Result, Verdict, ask_all
from core.selftest.summary import SelftestSummary
from core.selftest.tasks import TASKS
from tests.fakes import ScriptedEngine, image

PICTURES = {name: image(name_colour) for name, name_colour in zip(
    sorted({name for task in TASKS for name in task.pictures}),
    ("red", "green", "blue", "yellow", "black", "white", "gray", "navy", "teal", "lime", "pink", "gold"),
    strict=True,
)}  # fmt: skip
EXAMPLES = {task.question: task.example for task in TASKS}


@dataclass
class Timed(ScriptedEngine):
    """Answers as `ending` says; counts a second for each token, which is a word."""

    ending: Ending = Ending.DONE

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        answer = await super().answer(conversation, sampling, tell)
        words = len(answer.text.split())
        return Answer(answer.text, self.ending, Figures(decode_s=words / 2, answer_tokens=words))


def know(conversation: Conversation) -> str:
    return EXAMPLES[conversation.turns[-1].text]


async def asked(engine: ScriptedEngine) -> list[Result]:
    return [result async for result in ask_all(engine, TASKS, PICTURES, Sampling())]


async def test_who_knows_everything_is_right_everywhere() -> None:
    engine = Timed(script=know)
    summary = SelftestSummary(await asked(engine), is_demo=False, peak_bytes=3_700_000_000)
    assert {result.verdict for result in summary.results} == {Verdict.RIGHT}
    assert summary.lines()[0] == f"{len(TASKS)} of {len(TASKS)} answers are right, 0 wrong, 0 failed; 0 loops"
    assert summary.lines()[1].startswith("2.0 tokens/s; first token after 0.0")
    assert summary.lines()[2] == "peak memory 3.70 GB"
    assert summary.failed == []


async def test_follow_ups_come_with_what_was_asked_before_and_others_begin_anew() -> None:
    engine = Timed(script=know)
    await asked(engine)
    for task, conversation in zip(TASKS, engine.asked, strict=True):
        shown = [picture.image for picture in conversation.turns[-1].pictures]
        assert shown == [PICTURES[name] for name in task.pictures]
        assert (len(conversation.turns) == 1) == bool(task.pictures)
        assert all(turn.answer for turn in conversation.turns[:-1])
    begun = [conversation.id for conversation in engine.asked if len(conversation.turns) == 1]
    assert len(set(begun)) == len(begun)


async def test_first_tokens_are_told_apart_by_whether_the_picture_is_new() -> None:
    results = await asked(Timed(script=know))
    new = [result.task.pictures for result in results if result.is_new]
    assert len(new) == len(PICTURES)  # each counts once
    both = [replace(result, first_token_s=8.0 if result.is_new else 0.25) for result in results]
    summary = SelftestSummary(both, is_demo=False)
    assert (summary.first_token_s(True), summary.first_token_s(False)) == (8.0, 0.25)


async def test_nonsense_is_wrong_and_of_the_demo_only_what_it_knows_is_expected() -> None:
    results = await asked(Timed(script=lambda conversation: "Nonsense"))
    assert {result.verdict for result in results} == {Verdict.WRONG}
    beyond = [task for task in TASKS if not task.demo]
    assert len(SelftestSummary(results, is_demo=False).failed) == len(TASKS)
    summary = SelftestSummary(results, is_demo=True)
    assert len(summary.failed) == len(TASKS) - len(beyond) > len(beyond) > 0
    assert f"{len(beyond)} of the wrong ones are more than the demo model was taught" in summary.lines()[0]


@pytest.mark.parametrize("ending", [Ending.REPEATED, Ending.LENGTH])
async def test_a_right_answer_that_has_no_end_is_wrong(ending: Ending) -> None:
    summary = SelftestSummary(await asked(Timed(script=know, ending=ending)), is_demo=False)
    assert summary.right == 0
    assert summary.loops == (len(TASKS) if ending is Ending.REPEATED else 0)


def failing(question: str, error: Exception) -> Callable[[Conversation], str | Exception]:
    return lambda conversation: error if conversation.turns[-1].text == question else know(conversation)


@pytest.mark.parametrize("error", [BadQuestion("Too long."), RuntimeError("a bug in /home/somebody")])
async def test_a_question_that_fails_is_told_and_harms_no_other(error: Exception) -> None:
    engine = Timed(script=failing("What is the total?", error))
    first, *others = await asked(engine)
    assert first.verdict is Verdict.BROKEN
    assert "/home" not in first.text
    assert {result.verdict for result in others} == {Verdict.RIGHT}
    assert [picture.image for picture in engine.asked[1].turns[-1].pictures] == [PICTURES["invoice"]]
    assert SelftestSummary([first, *others], is_demo=True).failed == [first]


async def test_an_engine_that_has_ended_ends_the_test() -> None:
    with pytest.raises(EngineEnded):
        await asked(Timed(script=failing("And the tax rate?", EngineEnded("Restarting."))))


async def test_the_report_has_every_answer_and_what_would_have_been_right() -> None:
    results = await asked(Timed(script=failing("What is the total?", BadQuestion("Too long."))))
    summary = SelftestSummary(
        [*results[:-1], replace(results[-1], verdict=Verdict.WRONG, text="x" * 9000)], is_demo=False
    )
    stats = EngineStats(model="/tmp", precision="int8", kernel="int8-AVX2")
    text = SelftestReport("0.1.0", "ab" * 16, stats, Sampling(), summary).markdown()
    assert all(task.question in text for task in TASKS)
    assert "### broken: What is the total? (invoice, invoice.png)\n\n~~~~\nToo long.\n~~~~" in text
    assert TASKS[-1].example in text
    assert "x" * 301 not in text
    assert "model tmp, content abababababababab" in text
    assert "int8, int8-AVX2" in text

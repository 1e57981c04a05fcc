"""What goes with an answer, without a platform."""

from contextlib import suppress

import pytest

from bots.conversing.display import Display, DisplayOptions
from bots.conversing.events import File, Tell
from core.answer import Answer, Ending
from core.conversation import Conversation, Picture, Turn
from core.events import BeganAgain, ConversationLoaded, Event, Piece, Thought
from core.i18n import Translator
from core.image import Image

BOXES = '[{"bbox_2d": [100, 100, 900, 900], "label": "a cat"}]'


async def test_boxes_that_cannot_be_drawn_cost_only_the_drawing() -> None:
    broken = Picture(1, Image("id", b"no picture", 64, 48, original_size=(64, 48)))
    answer = Answer(f"Here it is: {BOXES}", Ending.DONE)

    async def ask(tell: Tell) -> Answer:
        tell(ConversationLoaded(Conversation("t:1", (Turn("where is the cat?", (broken,)),))))
        tell(Piece(answer.text))
        return answer

    async def turn() -> Turn:
        return Turn("where is the cat?", (broken,), answer)

    seen: list[Event | File] = []
    display = DisplayOptions(files=True, receipt=False)
    told = await Display(display, Translator("en"), seen.append).ask(ask, turn)
    assert told == Answer("Here it is:", Ending.DONE)
    assert not any(isinstance(event, File) for event in seen)


@pytest.mark.parametrize(("turns", "told"), [(1, "Seven.\n\n*note · A demo.*"), (2, "Seven.\n\n*note*")])
async def test_a_conversations_first_answer_introduces_the_model(turns: int, told: str) -> None:
    turn = Turn("How many?", answer=Answer("Seven.", Ending.DONE))

    async def ask(tell: Tell) -> Answer:
        tell(ConversationLoaded(Conversation("t:1", turns * (turn,))))
        return Answer("Seven.", Ending.DONE)

    async def saved() -> Turn:
        return turn

    answer = await Display(DisplayOptions(), Translator("en"), lambda event: None, ("note",), "A demo.").ask(ask, saved)
    assert answer.text == told


@pytest.mark.parametrize(("asked", "shows"), [("Read text", "```\n- 320 and\n```"), ("What is it?", "- 320 and")])
async def test_what_was_written_before_a_failure_is_shown_whole_and_closed(asked: str, shows: str) -> None:
    async def ask(tell: Tell) -> Answer:
        tell(ConversationLoaded(Conversation("t:1", (Turn(asked),))))
        tell(Piece("- 320 and"))
        raise RuntimeError("a bug of the model")

    async def nothing() -> None:
        return None

    seen: list[Event | File] = []
    with suppress(RuntimeError):
        await Display(DisplayOptions(), Translator("en"), seen.append).ask(ask, nothing)
    assert "".join(event.text for event in seen if isinstance(event, Piece)) == shows


@pytest.mark.parametrize("markdown", [True, False])
async def test_an_answer_that_begins_again_is_told_as_if_nothing_had_been_said(markdown: bool) -> None:
    told: list[Event | File] = []

    async def ask(tell: Tell) -> Answer:
        for event in (Piece("It is gr"), BeganAgain(), Piece("It is"), Piece(" red.")):
            tell(event)
        return Answer("It is red.", Ending.DONE)

    async def turn() -> None:
        return None

    await Display(DisplayOptions(markdown=markdown), Translator("en"), told.append).ask(ask, turn)
    assert told == [Piece("It is gr"), BeganAgain(), Piece("It is"), Piece(" red.")]


@pytest.mark.parametrize(("markdown", "thoughts"), [(True, []), (False, [Thought("So"), Thought(" four")])])
async def test_only_a_page_that_can_fold_them_is_told_thoughts(markdown: bool, thoughts: list[Thought]) -> None:
    told: list[Event | File] = []

    async def ask(tell: Tell) -> Answer:
        for piece in ("<think>So", " four</", "think>\n\nFour."):
            tell(Piece(piece))
        return Answer("<think>So four</think>\n\nFour.", Ending.DONE)

    async def turn() -> None:
        return None

    await Display(DisplayOptions(markdown=markdown), Translator("en"), told.append).ask(ask, turn)
    assert told == [*thoughts, Piece("Four.")]


@pytest.mark.parametrize("markdown", [True, False])
async def test_what_turns_out_to_be_thoughts_is_void_and_the_answer_grows_from_its_own_beginning(
    markdown: bool,
) -> None:
    told: list[Event | File] = []

    async def ask(tell: Tell) -> Answer:
        for piece in ("So four.", "\n</think>", "\n\nFo", "ur."):  # a template wrote the beginning
            tell(Piece(piece))
        return Answer("So four.\n</think>\n\nFour.", Ending.DONE)

    async def turn() -> None:
        return None

    await Display(DisplayOptions(markdown=markdown), Translator("en"), told.append).ask(ask, turn)
    assert told[:2] == [Piece("So four."), BeganAgain("So four.")]
    assert "".join(event.text for event in told[2:] if isinstance(event, Piece)) == "Four."

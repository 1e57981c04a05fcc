"""The settings of a conversation, and what they make of a question to the engine."""

from dataclasses import replace

import pytest

from core.assistant import Assistant
from core.conversation import Question
from core.sampling import Sampling
from core.settings import LONG_ANSWER_FACTOR, SHORT_ANSWER_TOKENS, ConversationSettings, Length, Sharpness, settings_of
from tests.fakes import MemoryHistory, ScriptedEngine, image

BICYCLES = ConversationSettings("We sell bicycles.", "German", Length.SHORT, Sharpness.HIGH, receipt=False)


def test_without_settings_the_model_is_told_nothing_and_the_limit_is_the_operators() -> None:
    assert ConversationSettings().system == ""
    assert ConversationSettings().limit(Sampling(max_new_tokens=300)) == Sampling(max_new_tokens=300)
    assert ConversationSettings().pixel_factor == 1


def test_the_model_is_told_instructions_language_and_length() -> None:
    assert BICYCLES.system == "We sell bicycles.\nAnswer in German.\nAnswer in one or two short sentences."


@pytest.mark.parametrize(
    ("length", "limit", "tokens"),
    [
        (Length.SHORT, 512, SHORT_ANSWER_TOKENS),
        (Length.SHORT, 20, 20),  # the operator's limit is lower already
        (Length.LONG, 512, 512 * LONG_ANSWER_FACTOR),
    ],
)
def test_the_length_limits_the_answers_tokens(length: Length, limit: int, tokens: int) -> None:
    sampling = Sampling(max_new_tokens=limit, temperature=0.3)
    assert ConversationSettings(length=length).limit(sampling) == sampling.model_copy(update={"max_new_tokens": tokens})


def test_what_is_stored_is_only_what_differs_and_is_read_again() -> None:
    assert ConversationSettings().stored() == {}
    assert BICYCLES.stored().keys() == {"instructions", "language", "length", "sharpness", "receipt"}
    assert settings_of(BICYCLES.stored()) == BICYCLES


@pytest.mark.parametrize(
    "stored", [None, [], "x", {"length": "enormous", "receipt": 3, "instructions": None, "new": 1}]
)
def test_what_cannot_be_read_is_left_at_its_default(stored: object) -> None:
    assert settings_of(stored) == ConversationSettings()


async def test_the_engine_gets_them_with_a_question_and_when_it_is_asked_again() -> None:
    engine, memory = ScriptedEngine(), MemoryHistory()
    assistant = Assistant(engine, memory)
    await assistant.ask("chat", Question("What is it?", (image(),)), "1")
    memory.conversations["chat"] = replace(memory.conversations["chat"], settings=BICYCLES)
    await assistant.ask("chat", Question("And now?"), "2")
    await assistant.retry("chat", "3")
    assert [asked.system for asked in engine.asked] == ["", BICYCLES.system, BICYCLES.system]
    assert [sampling.max_new_tokens for sampling in engine.samplings] == [512, SHORT_ANSWER_TOKENS, SHORT_ANSWER_TOKENS]

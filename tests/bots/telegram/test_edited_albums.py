"""An album has one answer, whichever of its captions people edit, and however quickly."""

import asyncio
from pathlib import Path

import pytest

from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.test_edits import says, words
from tests.bots.telegram.world import Json
from tests.fakes import ScriptedEngine


async def album(ann: Chatting, *captions: str) -> list[Json]:
    """Send an album, and return its messages once it is answered."""
    shown = zip(("red", "blue"), captions, strict=True)
    messages = [ann.person.shows(photo(colour), text, album="a") for colour, text in shown]
    await ann.answer(next((message for message in messages if message.get("caption")), messages[0]))
    return messages


async def held(ann: Chatting, engine: ScriptedEngine, message: Json, text: str) -> None:
    """Edit a caption, and return while the answer to it grows, which does not end. Later answers do."""
    engine.gate = asyncio.Event()
    ann.person.edits(message, text)
    await until(lambda: engine.running)


async def test_the_second_of_two_quick_edits_counts_where_the_caption_is_not_at_the_first_picture(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    _, captioned = await album(ann, "", "One")
    await held(ann, engine, captioned, "Two")
    engine.gate = None
    ann.person.edits(captioned, "Three")
    await says(ann, "Answer to 'Three' about [1, 2] after 0 turns.")
    assert await ann.answer(ann.person.says("And now?")) == "Answer to 'And now?' about [] after 1 turns."


async def test_a_caption_added_to_a_later_picture_is_answered_in_the_place_of_the_words_about_the_album(
    running: BotApi, ann: Chatting
) -> None:
    _, later = await album(ann, "", "")
    ann.person.edits(later, "One")
    await says(ann, "Answer to 'One' about [1, 2] after 0 turns.")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_two_captions_edited_at_once_are_one_question(
    running: BotApi, ann: Chatting, engine: ScriptedEngine, order: tuple[int, int]
) -> None:
    messages = await album(ann, "One", "Two")
    for index in order:
        ann.person.edits(messages[index], ("Three", "Four")[index])
    await says(ann, "Answer to 'Three\n\nFour' about [1, 2] after 0 turns.")
    await ann.answer(ann.person.says("And now?"))
    assert [turn.text for turn in engine.asked[-1].turns] == ["Three\n\nFour", "And now?"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_caption_edited_while_the_edit_of_another_one_is_answered_gets_the_place_of_that_answer(
    running: BotApi, ann: Chatting, engine: ScriptedEngine, order: tuple[int, int]
) -> None:
    messages = await album(ann, "One", "Two")
    await ann.answer(ann.person.says("More?"))
    first, second = (messages[index] for index in order)
    await held(ann, engine, first, "Three")
    gate, engine.gate = engine.gate, None
    ann.person.edits(second, "Four")
    await until(lambda: not running.unconfirmed)
    assert gate is not None
    gate.set()
    await says(ann, "Answer to 'Four' about [1, 2] after 1 turns.", "Answer to 'More?' about [] after 1 turns.")
    await ann.answer(ann.person.says("And now?"))
    assert [turn.text for turn in engine.asked[-1].turns] == ["Four", "More?", "And now?"]


async def test_in_a_group_an_edited_caption_that_does_not_name_the_bot_is_answered_with_its_album(
    running: BotApi, engine: ScriptedEngine
) -> None:
    team = Chatting(Person(running, running.world.chat(-100), user_id=7))
    _, other = await album(team, "@picture_bot One", "Two")
    unasked = team.person.shows(photo("green"), "From the beach", album="beach")
    team.person.edits(unasked, "From the mountains")
    team.person.edits(other, "Three")
    await says(team, "Answer to 'Three' about [1, 2] after 0 turns.")
    assert [asked.turns[-1].text for asked in engine.asked] == ["One\n\nTwo", "Three"]


async def test_a_caption_that_a_stranger_edits_leaves_the_other_pictures_of_its_album_held(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path
) -> None:
    boss = Chatting(Person(telegram, telegram.world.chat(1)))
    async with service(telegram, tmp_path, engine, allow=[], admins=[1]):
        _, captioned = await album(ann, "", "One")
        ann.person.edits(captioned, "Two")
        await until(lambda: not telegram.unconfirmed)
        await boss.answer(boss.person.says("/allow 7"))
        await until(lambda: words(ann)[-1:] == ["Answer to 'Two' about [1, 2] after 0 turns."])

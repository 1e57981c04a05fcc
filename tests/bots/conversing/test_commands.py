"""What follows from a row of the table of commands, whichever platform it is ordered on."""

from pathlib import Path

import pytest

from bots.conversing.asker import Asker
from bots.conversing.command import Command, Takes
from bots.conversing.commands import COMMANDS, SHORTHANDS, allowed, asks_model, command_in, obey, wants_csv
from bots.conversing.display import DisplayOptions
from bots.conversing.platform import Platform
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from bots.slack.platform import SLACK
from bots.telegram.platform import TELEGRAM
from core.assistant import Assistant
from core.i18n import LANGUAGES, Translator
from storage.store import Store, StoreConfig
from tests.fakes import ScriptedEngine

PLATFORMS = [TELEGRAM, SLACK]
ROWS = [*COMMANDS.values(), *SHORTHANDS.values()]


def id_of(value: object) -> str:
    return value.name if isinstance(value, Command | Platform) else str(value)


async def told(folder: Path, request: AnswerRequest, language: str = "en", ratings: bool = False) -> str:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{folder / 'answers.db'}", ratings=ratings))
    try:
        services = Services(Assistant(ScriptedEngine(), store), store)
        return (await obey(request, services, Translator(language), lambda event: None)).text
    finally:
        await store.close()


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_a_row_says_in_every_language_what_it_does(row: Command) -> None:
    said = [Translator(language).explain(row.menu) for language in LANGUAGES]
    assert all(said)
    assert len(set(said)) == len(LANGUAGES)


@pytest.mark.parametrize("platform", PLATFORMS, ids=id_of)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_help_has_a_line_for_each_command_that_one_may_order(
    tmp_path: Path, platform: Platform, language: str
) -> None:
    person, translator = f"{platform.name}:7", Translator(language)
    request = AnswerRequest(
        conversation_id="chat",
        key="1",
        platform=platform,
        asker=Asker(person=person),
        command="help",
        display=DisplayOptions(files=True),
    )
    lines = (await told(tmp_path, request, language)).splitlines()
    own = [line for line in lines if " – " in line]
    assert lines[0] in translator.explain(platform.introduction[0])
    assert len(own) == len(allowed(platform, admin=False)) < len(ROWS)
    admins = AnswerRequest(
        conversation_id="chat",
        key="1",
        platform=platform,
        asker=Asker(person=person, person_id="7", admin=True),
        command="help",
        display=request.display,
    )
    lines = (await told(tmp_path, admins, language)).splitlines()
    for row in allowed(platform, admin=True):
        assert row.explained(platform, translator) in lines


async def test_what_a_platform_cannot_show_is_not_offered(tmp_path: Path) -> None:
    request = AnswerRequest(
        conversation_id="chat", key="1", platform=TELEGRAM, asker=Asker(person="telegram:7"), command="help"
    )
    assert "/export" not in await told(tmp_path, request)
    assert await told(
        tmp_path,
        AnswerRequest(
            conversation_id="chat", key="2", platform=TELEGRAM, asker=Asker(person="telegram:7"), command="export"
        ),
    ) == await told(tmp_path, request)


@pytest.mark.parametrize("row", [row for row in ROWS if row.for_admins], ids=id_of)
async def test_what_is_for_admins_is_done_for_nobody_else(tmp_path: Path, row: Command) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path / 'answers.db'}"))
    try:
        services = Services(Assistant(ScriptedEngine(), store), store)
        request = AnswerRequest(
            conversation_id="chat",
            key="1",
            platform=TELEGRAM,
            asker=Asker(person="telegram:7", person_id="7", admin=False),
            text="12345",
            command=row.name,
        )
        with pytest.raises(Exception, match="Only this bot's admins may do that"):
            await obey(request, services, Translator("en"), lambda event: None)
        assert not await store.standings("telegram", ["12345"])
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("platform", "language", "lines"),
    [
        (TELEGRAM, "en", ("/translate – Translate what is printed, for example: /translate German", "/remove 2 – ")),
        (SLACK, "zh", ("翻译 – 翻译印着的文字，例如：翻译 德语", "，例如：设置 长度 短")),
    ],
)
async def test_the_help_shows_what_may_follow_a_command(
    platform: Platform, language: str, lines: tuple[str, ...], tmp_path: Path
) -> None:
    shown = await told(
        tmp_path,
        AnswerRequest(
            conversation_id="chat",
            key="1",
            platform=platform,
            asker=Asker(person="someone", person_id="7"),
            text="",
            command="help",
        ),
        language,
    )
    assert [line for line in lines if line not in shown] == []


@pytest.mark.parametrize(
    ("platform", "shared", "ratings", "named"),
    [
        (TELEGRAM, False, True, True),
        (TELEGRAM, True, True, False),  # where only admins are told of reactions
        (SLACK, True, True, True),
        (SLACK, False, False, False),
    ],
)
async def test_the_help_names_ratings_only_where_they_count(
    platform: Platform, shared: bool, ratings: bool, named: bool, tmp_path: Path
) -> None:
    request = AnswerRequest(
        conversation_id="chat", key="1", platform=platform, asker=Asker(person="someone", shared=shared), command="help"
    )
    assert ("👍" in await told(tmp_path, request, ratings=ratings)) == named


def test_no_two_rows_share_a_word() -> None:
    words = [word for row in ROWS for word in (row.name, row.chinese, *row.also)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("row", COMMANDS.values(), ids=id_of)
def test_plain_words_are_understood_as_they_are_spelled_in_every_language(row: Command) -> None:
    for language in LANGUAGES:
        written = row.spelled(SLACK, Translator(language))
        command, rest = command_in(f"{written.capitalize()}.", SLACK)
        assert command == row.name
        assert rest == row.takes.example(SLACK, Translator(language)).lower()
        if row.takes is not Takes.REGION:  # a question may follow the place
            assert command_in(f"{written} of this, please", SLACK) == (None, f"{written} of this, please")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("forget all", "forget"),
        ("忘记 全部", "forget"),
        ("forget it", None),
        ("remove 12", "remove"),
        ("remove the noise", None),
        ("block @eve", "block"),
        ("block @eve and tell me the total", None),
        ("block letters?", None),
        ("new U123", None),
        ("hello!", "help"),
        ("newest one", None),
        ("", None),
    ],
)
def test_words_that_only_begin_like_a_command_are_a_question(text: str, command: str | None) -> None:
    assert command_in(text, SLACK)[0] == command


def test_only_what_the_model_answers_can_be_stopped() -> None:
    assert asks_model(None) and asks_model("retry") and asks_model("smallprint")
    assert not any(asks_model(row.name) for row in ROWS if row.run is not None)
    assert not asks_model("csv")


def test_each_example_is_what_may_follow() -> None:
    for platform in PLATFORMS:
        for takes in set(Takes) - {Takes.WORDS}:
            example = takes.example(platform, Translator("en"))
            assert not example or takes.fits(example.lower(), platform)
            assert not takes.fits("some other words", platform)


@pytest.mark.parametrize("row", SHORTHANDS.values(), ids=id_of)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_command_that_stands_for_a_question_asks_it_in_its_words_language(row: Command, language: str) -> None:
    translator = Translator(language)
    question = row.asked("", translator)
    spoken = command_in(f"{row.chinese if language == 'zh' else row.name}.", SLACK)
    if row.takes is Takes.WORDS:
        assert question is None and spoken[1] in (f"{row.name}.", f"{row.chinese}.")
        assert "total" in str(row.asked("total", translator))
    else:
        assert spoken == (None, question)
        assert "some words" in str(row.asked("some words", translator))
    assert command_in(f"{row.name} is this?", SLACK) == (None, f"{row.name} is this?")


@pytest.mark.parametrize(
    ("words", "language", "question"),
    [
        ("", "en", "Translate all text in the picture into English."),
        ("German", "en", "Translate all text in the picture into German."),
        ("", "zh", "把图中的所有文字翻译成中文。"),
        ("日语", "zh", "把图中的所有文字翻译成日语。"),
    ],
)
def test_a_translation_is_into_ones_own_language_unless_another_is_named(
    words: str, language: str, question: str
) -> None:
    assert SHORTHANDS["translate"].asked(words, Translator(language)) == question


def test_only_the_command_for_a_table_brings_its_csv_file_at_once() -> None:
    assert wants_csv("Give me a table.") and wants_csv("列成表格")
    assert not wants_csv("Show the values as a table.") and not wants_csv("")

from pathlib import Path

import pytest

from core.errors import BadImage
from core.i18n import FOLDER, Translator, _catalogue, language_of
from tests.core.sentences import in_order, sentences

ROOT = Path(__file__).parents[2]


def test_every_sentence_has_its_chinese() -> None:
    catalogue = _catalogue("zh")
    missing = {sentence: files for sentence, files in sentences().items() if sentence not in catalogue}
    assert not missing


def test_every_translation_is_still_said_and_keeps_its_values() -> None:
    said = sentences()
    for path in FOLDER.glob("*.po"):
        for sentence, translation in _catalogue(path.stem).items():
            assert sentence in said, f"nobody says {sentence!r} any more"
            assert _fields(sentence) == _fields(translation), sentence


def _fields(text: str) -> set[str]:
    return {part.split("}")[0] for part in text.split("{")[1:]}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.po")), ids=lambda path: path.stem)
def test_a_catalogue_is_in_order(path: Path) -> None:
    assert path.read_text("utf-8") == in_order(path), "run `make locale`"


def test_unknown_languages_get_english() -> None:
    assert Translator("fr").say("(stopped)") == Translator(None).say("(stopped)") == "(stopped)"


def test_regions_and_scripts_of_chinese_are_chinese() -> None:
    assert {Translator(code).say("(stopped)") for code in ("zh", "zh-CN", "zh_TW", "zh-hans")} == {"（已停止）"}


def test_an_error_explains_itself_in_the_askers_language() -> None:
    error = BadImage("There is no picture {number} in this conversation.", number=3)
    assert Translator("zh").explain(error) == "这个对话里没有图片 3。"
    assert str(error) == "There is no picture 3 in this conversation."


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("总金额是多少？", "zh"),
        ("这张 invoice 的 total 是多少", "zh"),
        ("What is the total?", "en"),
        ("Extract all text", "en"),
        ("What does 合计金额 mean in this picture?", "en"),
        ("2", None),
        ("", None),
        ("OCR", None),
        ("Total?", None),
        ("Was kostet das?", None),
        ("Quel est le total ?", None),
        ("Сколько это стоит?", None),
        ("合計はいくらですか", None),
        ("합계는 얼마입니까", None),
        ("> 总金额是多少\n\nWhat does that mean?", "en"),
        ("> What is the total?\n\n再看一遍", "zh"),
    ],
)
def test_the_language_of_a_question_is_told_where_it_is_clear(text: str, language: str | None) -> None:
    assert language_of(text) == language
    assert Translator("ru").for_question(text).language == (language or "ru")

"""Translate every sentence that the product says itself. The model's words are never translated.

A sentence's id is its English text; `core/locale/<language>.po` holds a language's translations. A third language needs
only one more file. Babel reads the catalogues as text, so there is nothing to compile.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from core.errors import BotError
from core.note import Note

FOLDER = Path(__file__).parent / "locale"
LANGUAGES = ("en", *sorted(path.stem for path in FOLDER.glob("*.po")))

_QUOTE = re.compile(r"^>.*$", re.MULTILINE)  # another person's words
_HAN = re.compile("[\u3400-\u9fff]")
_OTHER_EAST_ASIAN = re.compile("[\u3041-\u30ff\uac00-\ud7af]")  # kana and hangul, whose texts may contain Han
_ENGLISH = frozenset(
    "the what what's whats this that these how many much who which where when why does do did can could please and of "
    "is are read text extract describe explain translate compare show find tell give write list count picture pictures "
    "image images all it its there here with from for you your my not have has say says".split()
)


def language_of(text: str) -> str | None:
    """Return the language of a person's words, `zh` or `en`, or None if that is not clear."""
    text = _QUOTE.sub("", text)
    words = re.findall(r"[^\W\d_]+(?:['’][a-z]+)?", text.lower())
    latin = [word for word in words if word.isascii()]
    english, han = sum(word in _ENGLISH for word in latin), len(_HAN.findall(text))
    if _OTHER_EAST_ASIAN.search(text):
        return None
    if han:
        mixed = english > 1 and han < 2 * len(latin)
        return ("en" if han < len(latin) else None) if mixed else "zh"
    return "en" if english and len(latin) == len(words) and 4 * english >= len(latin) else None


class Translator:
    """Says sentences in the language of a code such as `zh-hans`, `zh_CN` or `en`. Unknown languages get English."""

    def __init__(self, code: str | None) -> None:
        self.language = (code or "en").replace("_", "-").split("-")[0].lower()

    def for_question(self, text: str) -> "Translator":
        """Return a translator for the language of a question, or this one if the language is not clear."""
        return Translator(language_of(text) or self.language)

    def say(self, sentence: str, **values: Any) -> str:
        text = _catalogue(self.language).get(sentence, sentence)
        return text.format(**values) if values else text

    def listed(self, items: Iterable[object]) -> str:
        """Return the items as a list: "1, 2, 3", in Chinese "1、2、3"."""
        return self.say(", ").join(map(str, items))

    def explain(self, error: BotError | Note) -> str:
        return self.say(error.sentence, **error.values)


@cache
def _catalogue(language: str) -> dict[str, str]:
    if language not in LANGUAGES[1:]:
        return {}
    with (FOLDER / f"{language}.po").open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string}

"""Every sentence the product says itself, in the asker's language. The model's words never pass through here.

A sentence's id is its English text; `core/locale/<language>.po` holds a language's translations. A third language is
one more file. Catalogues are read as text through Babel, so there is nothing to compile.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from core.errors import BotError
from core.pictures.note import Note

FOLDER = Path(__file__).parent / "locale"
LANGUAGES = ("en", *sorted(path.stem for path in FOLDER.glob("*.po")))

_QUOTE = re.compile(r"^>.*$", re.MULTILINE)  # somebody else's words
_HAN = re.compile("[\u3400-\u9fff]")
_OTHER_EAST_ASIAN = re.compile("[\u3041-\u30ff\uac00-\ud7af]")  # kana and hangul, which stand beside Han too
_ENGLISH = frozenset(
    "the what what's whats this that these how many much who which where when why does do did can could please and of "
    "is are read text extract describe explain translate compare show find tell give write list count picture pictures "
    "image images all it its there here with from for you your my not have has say says".split()
)


def language_of(text: str) -> str | None:
    """Return the language that a person's words are in, `zh` or `en`; None where that is not clear."""
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
    """Says sentences in the language of a code such as `zh-hans`, `zh_CN` or `en`; unknown languages get English."""

    def __init__(self, code: str | None) -> None:
        self.language = (code or "en").replace("_", "-").split("-")[0].lower()

    def for_question(self, text: str) -> "Translator":
        """Return a voice in the language of somebody's question, where that is clear; else this one."""
        return Translator(language_of(text) or self.language)

    def say(self, sentence: str, **values: Any) -> str:
        text = _catalogue(self.language).get(sentence, sentence)
        return text.format(**values) if values else text

    def listed(self, items: Iterable[object]) -> str:
        """Return the items in a row: "1, 2, 3", in Chinese "1、2、3"."""
        return self.say(", ").join(map(str, items))

    def explain(self, error: BotError | Note) -> str:
        return self.say(error.sentence, **error.values)


@cache
def _catalogue(language: str) -> dict[str, str]:
    if language not in LANGUAGES[1:]:
        return {}
    with (FOLDER / f"{language}.po").open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string}

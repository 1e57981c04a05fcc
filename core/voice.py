"""Every sentence the product says itself, in the asker's language. The model's words never pass through here.

A sentence's id is its English text; `core/locale/<language>.po` holds a language's translations. A third language is
one more file. Catalogues are read as text through Babel, so there is nothing to compile.
"""

from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from core.errors import BotError

FOLDER = Path(__file__).parent / "locale"
LANGUAGES = ("en", *sorted(path.stem for path in FOLDER.glob("*.po")))


class Voice:
    """Says sentences in the language of a code such as `zh-hans`, `zh_CN` or `en`; unknown languages get English."""

    def __init__(self, code: str | None) -> None:
        self.language = (code or "en").replace("_", "-").split("-")[0].lower()

    def say(self, sentence: str, **values: Any) -> str:
        text = _catalogue(self.language).get(sentence, sentence)
        return text.format(**values) if values else text

    def explain(self, error: BotError) -> str:
        return self.say(error.sentence, **error.values)


@cache
def _catalogue(language: str) -> dict[str, str]:
    if language not in LANGUAGES[1:]:
        return {}
    with (FOLDER / f"{language}.po").open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string}

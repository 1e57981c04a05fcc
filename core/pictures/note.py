"""What a person should know about what was made of a file, such as a page that was left out."""

from typing import Any


class Note:
    """`sentence` is a message id of the catalogue (see `core.i18n`) with `{named}` values."""

    def __init__(self, sentence: str, **values: Any) -> None:
        self.sentence = sentence
        self.values = values

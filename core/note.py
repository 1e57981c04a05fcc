"""Define notes about what was made of a file, such as a page that was left out.

They stand apart from `core.i18n`, so that the picture workers need no catalogue.
"""

from typing import Any


class Note:
    """A sentence for a person. `sentence` is a message id of the catalogue (`core.i18n`) with `{named}` values."""

    def __init__(self, sentence: str, **values: Any) -> None:
        self.sentence = sentence
        self.values = values

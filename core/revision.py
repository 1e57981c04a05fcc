"""Tell the newest words of a message that people can edit from older ones, and a change from none."""

import hashlib
from dataclasses import dataclass

EDIT_SECONDS = 600  # a later edit changes no answer: by then people have read it, and have gone on from it


@dataclass(frozen=True, slots=True)
class Shown:
    """The files that messages show now, by the names under which `storage.files` keeps what became of them.

    The names of all files that such a message ever showed begin with one of `carriers`.
    """

    carriers: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """What a message says. `number` grows with each edit, and is 0 for what was sent; `content` is a digest."""

    number: int
    content: str

    def __str__(self) -> str:
        return f"{self.number}:{self.content}"

    @staticmethod
    def of(number: int, *content: str) -> "Revision":
        digest = hashlib.sha256("\0".join(content).encode("utf-8", "surrogatepass"))
        return Revision(number, digest.hexdigest()[:16])

    @staticmethod
    def read(stored: str | None) -> "Revision | None":
        """Return a stored revision. None stands for a message that cannot be edited, or not any more."""
        number, _, content = (stored or "").partition(":")
        return Revision(int(number), content) if number.isdecimal() and content else None

    def replaces(self, older: "Revision") -> bool:
        """Return whether this is newer, and says something else. Platforms deliver edits twice, and out of order."""
        return self.number >= older.number and self.content != older.content

    def key_of_replaced(self, key: str) -> str:
        """Return the key under which the answer to earlier words of the message `key` is kept."""
        return f"{self.key_of_any_replaced(key)}{self}"

    @staticmethod
    def key_of_any_replaced(key: str) -> str:
        """Return what all keys begin with under which answers to earlier words of the message `key` are kept."""
        return f"{key}#"

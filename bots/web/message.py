"""What somebody sent from the web, as it is written down until it is answered."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from bots.conversing.answer_action import AnswerAction

FORGET = "forget"


@dataclass(frozen=True, slots=True)
class WebMessage:
    """A stored message.

    `idempotency_key` is the client's own, if it gave one. `pictures` are numbers of the conversation; `brought` are
    those that came with the message, and `region` is the part of the only one that it is about. `digest` is what
    `digest_of` returns, None if that is not known. `turn` is the number of the turn that gets these words, if it is an
    edit. Pictures that wait in the conversation are left to later questions if its own stand `alone`. `pages` are
    chosen pages of the conversation's document, and of no other if `document` is its digest.
    """

    person: str
    text: str = ""
    command: str | None = None
    pictures: tuple[int, ...] = ()
    brought: tuple[int, ...] = ()
    idempotency_key: str = ""
    digest: str | None = None
    region: tuple[float, ...] = ()
    turn: int = 0
    alone: bool = False
    pages: tuple[int, ...] = ()
    document: str = ""

    @property
    def forgets(self) -> bool:
        """Whether it is a command to forget the conversation."""
        return self.command == FORGET

    def is_same(self, known: "WebMessage") -> bool:
        """Return whether it repeats a known message of its key.

        What it leaves out is not compared: one reads along without sending the pictures again.
        """
        words = {message.text for message in (self, known) if message.text}
        return len(words) < 2 and (known.digest is None or not self.digest or self.digest == known.digest)

    def payload(self) -> str:
        """Return it as it is stored. What is as usual is left out, so that an earlier version reads what it knows."""
        usual = asdict(WebMessage(self.person))
        return json.dumps(
            {name: value for name, value in asdict(self).items() if name == "person" or value != usual[name]}
        )

    def payload_with(self, numbers: Sequence[int], new: Sequence[int]) -> str:
        """Return the payload with its new pictures under these numbers."""
        return replace(self, pictures=(*self.pictures, *numbers), brought=tuple(new)).payload()


def digest_of(command: str = "", numbers: Sequence[float] = (), files: Sequence[str] = ()) -> str:
    """Return a digest of what comes with a question's words, "" if nothing does. `files` are digests themselves."""
    if not (command or numbers or files):
        return ""
    return hashlib.sha256(json.dumps([command, *numbers, *files]).encode()).hexdigest()


def read(payload: str) -> WebMessage:
    """Read a stored message. Raises `ValueError`, `TypeError` or `KeyError`."""
    fields = dict(json.loads(payload))
    if "query" in fields:  # of a version before
        fields["text"], again, closer = fields.pop("query"), fields.pop("again"), fields.pop("closer")
        fields["command"] = "retry" if again else AnswerAction.SMALL_PRINT if closer else None
    if "name" in fields:  # of a version before
        fields["idempotency_key"] = fields.pop("name")
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return WebMessage(**fields | lists)

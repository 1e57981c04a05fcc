"""What somebody sent from the web, as it is written down until it is answered."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from bots.conversing.draft import AnswerAction


@dataclass(frozen=True, slots=True)
class WebMessage:
    """A stored message.

    `idempotency_key` is the client's own, if it gave one. `pictures` are numbers of the conversation; `brought` are
    those that came with the message.
    """

    person: str
    text: str = ""
    command: str | None = None
    pictures: tuple[int, ...] = ()
    brought: tuple[int, ...] = ()
    idempotency_key: str = ""

    def payload(self) -> str:
        return json.dumps(asdict(self))

    def payload_with(self, numbers: Sequence[int], new: Sequence[int]) -> str:
        """Return the payload with its new pictures under these numbers."""
        return replace(self, pictures=(*self.pictures, *numbers), brought=tuple(new)).payload()


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

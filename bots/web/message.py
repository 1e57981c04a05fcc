"""Define a question from the web as it is stored."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Asked:
    """A stored question. `pictures` are numbers of the conversation; `brought` are those that came with the question.

    `again` asks the last question again; `closer` looks at it less shrunk.
    """

    person: str
    query: str = ""
    pictures: tuple[int, ...] = ()
    brought: tuple[int, ...] = ()
    again: bool = False
    closer: bool = False

    def payload(self) -> str:
        return json.dumps(asdict(self))

    def payload_with(self, numbers: Sequence[int], new: Sequence[int]) -> str:
        """Return the payload with its new pictures under these numbers."""
        return replace(self, pictures=(*self.pictures, *numbers), brought=tuple(new)).payload()

    @classmethod
    def read(cls, payload: str) -> "Asked":
        fields = json.loads(payload)
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        return cls(**fields | lists)

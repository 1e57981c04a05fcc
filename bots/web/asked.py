"""A question from the web as it is written down."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """`pictures` are numbers of the conversation. `again` asks its last question; `closer` looks less shrunk."""

    person: str
    query: str = ""
    pictures: tuple[int, ...] = ()
    again: bool = False
    closer: bool = False

    def payload(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, payload: str) -> "Asked":
        fields = json.loads(payload)
        return cls(**fields | {"pictures": tuple(fields["pictures"])})

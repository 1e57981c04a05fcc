"""Describe an answer that another replica writes, as far as it is known here."""

from typing import Any, NamedTuple


class GrowingAnswer(NamedTuple):
    """`outcome` says how it ended: see `bots.web.outcome`. `unfinished` is whether its message is."""

    text: str
    outcome: dict[str, Any] | None
    unfinished: bool

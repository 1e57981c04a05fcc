"""Describe an answer that another replica writes, as far as it is known here."""

from typing import Any, NamedTuple


class GrowingAnswer(NamedTuple):
    """`outcome` says how it ended: see `bots.web.outcome`. `unfinished` is whether its message is.

    `stage` says what its writer does before the next piece: see `bots.web.stage`.
    """

    text: str
    outcome: dict[str, Any] | None
    unfinished: bool
    stage: dict[str, Any] | None = None

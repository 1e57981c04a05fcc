"""Define a list of conversations."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation in a list. `title` is its first question, or its name if it is `named`; `updated` is in UTC.

    `picture` is the number and the image id of its first picture.
    """

    id: str
    title: str
    updated: datetime
    named: bool = False
    pinned: bool = False
    picture: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """A part of a list. `next` is the cursor of the following part, or None at the end."""

    summaries: tuple[ConversationSummary, ...]
    next: str | None

"""Describe what the admins of a chat platform decided about a person, or about a whole chat."""

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """What is known of somebody apart from the config's lists."""

    WAITING = "waiting"  # they asked, and no admin has decided
    IGNORED = "ignored"  # an admin dismissed what they asked
    ALLOWED = "allowed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A person or a chat with a platform's `id`. `since` is in seconds since 1970."""

    platform: str
    id: str
    standing: Standing
    since: float


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What became of a stranger's message.

    It is `held` to be answered when they are let in. The admins are to be told if that is `due`.
    """

    held: bool = False
    due: bool = False

"""Read ids of people and chats in a config: `allow` and `admins` are written the same way for every platform."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from pydantic import AfterValidator, BeforeValidator

EVERYBODY = "*"


def _one_or_more(value: object) -> object:
    """Return a tuple. A lone id is a list of one, and text with commas is a list, because variables have no lists."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


def _nobody_unnamed(ids: tuple[object, ...]) -> tuple[object, ...]:
    if EVERYBODY in ids:
        raise ValueError(f'"{EVERYBODY}" is for allow only: name each admin')
    return ids


ONE_OR_MORE = BeforeValidator(_one_or_more)
NAMED = AfterValidator(_nobody_unnamed)


class Lists(Protocol):
    """A platform's config."""

    @property
    def allow(self) -> Collection[object]: ...

    @property
    def admins(self) -> Collection[object]: ...


@dataclass(frozen=True, slots=True)
class AllowList:
    """Ids of people and chats that a config lets in, or everybody, and of its admins."""

    allow: frozenset[str] = frozenset({EVERYBODY})
    admins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, config: Lists) -> "AllowList":
        return cls(frozenset(map(str, config.allow)), frozenset(map(str, config.admins)))

    def has(self, *ids: str) -> bool:
        """Return whether one of these ids is let in: of a person, their chat, their workspace."""
        return not {EVERYBODY, *ids}.isdisjoint(self.allow | self.admins)

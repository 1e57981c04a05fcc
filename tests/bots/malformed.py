"""Make malformed messages from real ones: one field is dropped, retyped, nested, emptied or made huge."""

import copy
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

WORD = "confidential"  # in everything that is put in; no log may hold it
OTHERS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**40, "", WORD, f"{WORD}\ud800\0", [], {}, [None], [WORD], {WORD: WORD}, [[[[]]]],
)  # fmt: skip


def malformed(whole: Any, dice: random.Random) -> Any:
    """Return one malformed copy; `whole` stays as it is."""
    broken = copy.deepcopy(whole)
    *way, last = dice.choice(list(_paths(broken)))
    parent = broken
    for step in way:
        parent = parent[step]
    match dice.choice(("drop", "retype", "nest", "empty", "blow up")):
        case "drop":
            del parent[last]
        case "retype":
            parent[last] = dice.choice(OTHERS)
        case "nest":
            for _ in range(dice.choice((1, 2, 50))):
                parent[last] = dice.choice(([parent[last]], {str(last): parent[last]}))
        case "empty":
            parent[last] = type(parent[last])()
        case "blow up":
            parent[last] = _blown_up(parent[last])
    return broken


def _paths(value: Any, *way: Any) -> Iterator[tuple[Any, ...]]:
    """Return the ways to every field."""
    fields = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, field in fields:
        yield (*way, name)
        yield from _paths(field, *way, name)


def _blown_up(value: Any) -> Any:
    match value:
        case str():
            return (value or WORD) * (200_000 // (len(value) or len(WORD)))
        case list():
            return (value or [WORD]) * 500
        case dict():
            return value | {f"{WORD} {number}": json.loads("[" * 100 + "]" * 100) for number in range(500)}
    return 10**300


def many(count: int, seed: int, whole: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield so many malformed messages, made from all of `whole` in turn, with their names."""
    dice = random.Random(seed)
    for number in range(count):
        name, one = whole[number % len(whole)]
        yield name, malformed(one, dice)

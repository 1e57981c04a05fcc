"""Check a JSON Schema before it costs anything. Pure Python."""

import json
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeGuard

from core.errors import BadSchema

MOST_BYTES = 50_000  # of a schema; compiling one takes time that grows with it
MOST_LEVELS = 100  # of objects and lists within each other; llguidance reads 128
NARROWER = {  # than llguidance's own: leap seconds, the year 0 and long names are what programs do not read
    "date": "^[12][0-9]{3}-",
    "time": "^[0-9]{2}:[0-9]{2}:[0-5]",
    "date-time": "^[12][0-9]{3}-[^:]*:[0-9]{2}:[0-5]",
    "email": r"^[A-Za-z0-9._+-]{1,64}@([A-Za-z0-9-]{1,40}\.){1,4}[A-Za-z]{2,12}$",
}
SMALLEST_NUMBER = 1e-6  # but 0; bounds below it are not kept to
LARGEST_NUMBER = 2**53  # that every program reads exactly; llguidance changes larger ones
LARGEST_MULTIPLE = 10**12  # where its schema says nothing else
MOST_STATES = 10_000  # that counting in multiples may need; llguidance does not bound them, and would take hours


def check(schema: str) -> dict[str, Any]:
    """Return the schema as an object. Raises `BadSchema` for one that is too large, too deep or cannot be kept to."""
    if len(schema.encode(errors="surrogatepass")) > MOST_BYTES:
        raise BadSchema("The JSON Schema is too large: at most {limit} bytes, please.", limit=MOST_BYTES)
    try:
        read = json.loads(schema)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise BadSchema("The JSON Schema must be a JSON object.")
    _check_values(read)
    read.pop("x-guidance", None)  # llguidance's own options
    return read


def _check_values(schema: dict[str, Any]) -> None:
    """Look at every object and number of the schema, level by level: a recursion could be too deep for Python."""
    level: list[Any] = [schema]
    multiples: set[float] = set()
    for _ in range(MOST_LEVELS):
        for value in level:
            if isinstance(value, dict):
                _narrow(value)
                _check_object(value)
                multiples |= {value["multipleOf"]} if _is_number(value.get("multipleOf")) else set()
            elif _is_number(value) and not (value == 0 or SMALLEST_NUMBER <= abs(value) <= LARGEST_NUMBER):
                raise _unusable(f"the number {str(value)[:30]} is too large or too small")
        level = [each for value in level for each in _children(value)]
        if not level:
            break
    else:
        raise BadSchema("The JSON Schema is nested too deeply: at most {limit} levels, please.", limit=MOST_LEVELS)
    if math.prod(map(_digits, multiples)) > MOST_STATES:
        raise _unusable("multipleOf has too many digits")


def _children(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _narrow(schema: dict[str, Any]) -> None:
    """Ask for less where that is safer.

    Bounds that no number of an answer reaches, those of 64 bits for example, end where its numbers do.
    """
    for key, end in (("minimum", -LARGEST_NUMBER), ("maximum", LARGEST_NUMBER)):
        for name in (key, f"exclusive{key.capitalize()}"):
            if _is_number(schema.get(name)) and schema[name] / end > 1:
                schema[name] = end
    if _is_number(schema.get("multipleOf")):  # or it might be at its last digit before it is a multiple
        for key, end in (("minimum", -LARGEST_MULTIPLE), ("maximum", LARGEST_MULTIPLE)):
            if f"exclusive{key.capitalize()}" not in schema:
                schema.setdefault(key, end)
    form = schema.get("format")
    if isinstance(form, str) and form in NARROWER and "pattern" not in schema:
        schema["pattern"] = NARROWER[form]


def _check_object(schema: dict[str, Any]) -> None:
    """Refuse what llguidance takes and does not keep to."""
    least, required = schema.get("minProperties"), schema.get("required")
    named = len(required) if isinstance(required, list) else 0
    if _is_number(least) and least > max(1, named):
        raise _unusable("minProperties above 1")  # a key that comes twice would count as two
    below = schema.get("exclusiveMaximum")
    if _is_number(below) and below == 0 and schema.get("type") != "integer":
        raise _unusable("exclusiveMaximum 0")  # it writes -0


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _digits(number: float) -> int:
    """Return the digits of a number as an integer: 25 for 0.25."""
    return abs(int("".join(map(str, Decimal(str(number)).normalize().as_tuple().digits))))


def _unusable(reason: str) -> BadSchema:
    return BadSchema("This JSON Schema cannot be used here: {reason}", reason=reason)

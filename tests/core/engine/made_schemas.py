"""Make JSON Schemas up: as programs have them, by a seed, and as somebody has them who wants to do harm."""

import random
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

PATTERNS = (
    "^[A-Z]{2}[0-9]{2,6}$", "^[a-z]+(-[a-z]+)*$", "[0-9]", r"^\d{4}-\d{2}$", "^(EUR|USD|CNY)$", "^a.c$",
    "^[\u4e00-\u9fff]{1,6}$", r"^\p{Lu}\p{Ll}*$", r"^\w+@\w+\.(com|org)$", "^.{0,12}$", r"^[^\s\"\\]+$",
    "^(x|y)?z{2,}$",
)  # fmt: skip
FORMATS = ("date", "time", "date-time", "uuid", "email", "ipv4", "ipv6", "hostname", "duration", "uri")
NAMES = (
    "total",
    "currency",
    "paid",
    "lines",
    "name",
    "日期",
    "金额",
    'quo"te',
    "a b",
    "$id",
    "é",
    "minItems",
    "x-guidance",
)
NUMBERS = (-1000, -1.5, -1, 0, 0.01, 0.5, 1, 2, 3.75, 10, 99.99, 150, 10_000, 2**31, 2**53)


def make(seed: int) -> Schema:
    """Return a schema as a program might send it. The same seed gives the same one."""
    dice = random.Random(seed)
    maker = _Maker(dice)
    schema = maker.object(3) if dice.random() < 0.7 else maker.any(3)
    if maker.uses_definition:
        schema["$defs"] = {"part": maker.object(1)}
    return schema


class _Maker:
    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.uses_definition = False

    def any(self, depth: int) -> Schema:
        flat: list[Callable[[int], Schema]] = [self.text, self.text, self.number, self.number, self.flag, self.choice]
        deep: list[Callable[[int], Schema]] = [self.object, self.list, self.either, self.both, self.part, self.free]
        schema = self._dice.choice(flat if depth <= 0 else [*flat, *deep])(depth)
        if self._dice.random() < 0.2:
            schema |= {"title": "A title", "description": "What it is", "default": None, "examples": [1]}
        return schema

    def text(self, depth: int) -> Schema:
        kinds: list[Schema] = [
            {},
            {"maxLength": self._dice.choice((0, 1, 5, 30, 1000))},
            {"minLength": 2, "maxLength": 8},
            {"pattern": self._dice.choice(PATTERNS)},
            {"format": self._dice.choice(FORMATS)},
        ]
        return {"type": "string", **self._dice.choice(kinds)}

    def number(self, depth: int) -> Schema:
        schema: Schema = {"type": self._dice.choice(("number", "integer"))}
        if self._dice.random() < 0.5:
            lower, upper = sorted(self._dice.sample(NUMBERS, 2))
            schema[self._dice.choice(("minimum", "exclusiveMinimum"))] = lower
            if self._dice.random() < 0.6:
                schema[self._dice.choice(("maximum", "exclusiveMaximum"))] = upper
        if self._dice.random() < 0.15:
            schema["multipleOf"] = self._dice.choice((0.01, 0.5, 1, 5, 7, 100))
        return schema

    def flag(self, depth: int) -> Schema:
        return {
            "type": self._dice.choice(("boolean", "null", ["boolean", "null"], ["string", "null"], ["integer", "null"]))
        }

    def choice(self, depth: int) -> Schema:
        values = ["EUR", "USD", "发票", "", 'a "quoted" \\ one', "\n", 1, 2.5, -3, True, None, [1, "a"], {"a": None}]
        if self._dice.random() < 0.3:
            return {"const": self._dice.choice(values)}
        return {"enum": self._dice.sample(values, self._dice.randint(1, 5))}

    def object(self, depth: int) -> Schema:
        names = self._dice.sample(NAMES, self._dice.randint(0, 5))
        schema: Schema = {"type": "object", "properties": {name: self.any(depth - 1) for name in names}}
        schema["required"] = [name for name in names if self._dice.random() < 0.7]
        extra = self._dice.random()
        if extra < 0.6:
            schema["additionalProperties"] = False
        elif extra < 0.75:
            schema["additionalProperties"] = self.any(0)
        if self._dice.random() < 0.1:
            schema["patternProperties"] = {"^x_[a-z]+$": self.any(0)}
        if self._dice.random() < 0.1:
            schema["maxProperties"] = len(names) + 1
        if self._dice.random() < 0.1 and names:
            schema["minProperties"] = 1
        return schema

    def list(self, depth: int) -> Schema:
        schema: Schema = {"type": "array", "items": self.any(depth - 1)}
        if self._dice.random() < 0.6:
            schema["maxItems"] = self._dice.randint(0, 4)
            schema["minItems"] = self._dice.randint(0, schema["maxItems"])
        if self._dice.random() < 0.15:
            schema = {
                "type": "array",
                "prefixItems": [self.any(0), self.any(0)],
                "items": self._dice.choice((False, {})),
            }
        return schema

    def either(self, depth: int) -> Schema:
        return {"anyOf": [self.any(depth - 1) for _ in range(self._dice.randint(1, 3))]}

    def both(self, depth: int) -> Schema:
        return {"allOf": [self.object(depth - 1), {"type": "object"}]}

    def part(self, depth: int) -> Schema:
        self.uses_definition = True
        return {"$ref": "#/$defs/part"}

    def free(self, depth: int) -> Schema:
        kinds: list[Schema] = [{}, {"type": "object"}, {"type": "array"}, {"type": ["object", "number", "string"]}]
        return self._dice.choice(kinds)


def _nested(levels: int, inner: Schema) -> Schema:
    for _ in range(levels):
        inner = {"type": "object", "properties": {"a": inner}, "required": ["a"]}
    return inner


def _keys(count: int, prefix: str = "key") -> Schema:
    return {f"{prefix}{number}": {"type": "string"} for number in range(count)}


_TREE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}, "n": {"type": "integer"}}, "required": ["n"]}
HOSTILE: dict[str, Schema] = {
    "deep": _nested(30, {"type": "string"}),
    "too deep": _nested(200, {"type": "string"}),
    "recursive": {"$ref": "#/$defs/n", "$defs": {"n": _TREE}},
    "endless": {"$ref": "#/$defs/n", "$defs": {"n": {**_TREE, "required": ["next", "n"]}}},
    "only itself": {"$ref": "#"},
    "each other": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "3,000 values": {"enum": [f"value {number}" for number in range(3_000)]},
    "10,000 values": {"enum": [f"value {number}" for number in range(10_000)]},
    "800 keys": {"type": "object", "properties": _keys(800)},
    "800 keys required": {"type": "object", "properties": _keys(800), "required": list(_keys(800))},
    "100 objects": {"anyOf": [{"type": "object", "properties": _keys(30, f"{n}_")} for n in range(100)]},
    "30 alike": {"anyOf": [{"type": "object", "properties": _keys(10)} for _ in range(30)]},
    "10,000 items": {"type": "array", "items": {"type": "integer"}, "minItems": 10_000},
    "lists of lists": {
        "type": "array", "minItems": 1000,
        "items": {"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000}},
    },
    "a million characters": {"type": "string", "minLength": 1_000_000},
    "Han": {"type": "string", "pattern": r"^\p{Han}{1,20}$"},
    "letters": {"type": "string", "pattern": r"^(\p{L}\p{M}*){1,200}$"},
    "doubled": {"type": "string", "pattern": "^(a+)+$"},
    "squared": {"type": "string", "pattern": "^((a{1,60}){1,60}){1,60}$"},
    "far": {"type": "string", "pattern": "[ab]*a[ab]{18}"},
    "words": {"type": "string", "pattern": r"^(\w+\s?){1,500}$"},
    "both": {"allOf": [{"type": "string", "pattern": p} for p in ("a.{0,40}b", "c.{0,40}d", "e.{0,40}f")]},
    "look-ahead": {"type": "string", "pattern": "(?=a)a"},
    "multiple": {"type": "integer", "multipleOf": 899597.13},
    "multiples": {"allOf": [{"type": "integer", "multipleOf": n} for n in (97, 89, 83, 79, 73)]},
    "ranges": {"type": "array", "items": {"type": "number", "minimum": -123456.789, "maximum": 987654.321}},
    "8E8026": {"type": "array", "items": {"type": "number"}, "minItems": 3},
    "rules": {"not": {}, "x-guidance": {"lenient": True, "whitespace_pattern": " *"}},
    "elsewhere": {"$ref": "http://127.0.0.1:1/schema.json"},
    "file": {"$ref": "file:///etc/passwd"},
}  # fmt: skip

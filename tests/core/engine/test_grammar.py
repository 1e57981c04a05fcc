"""A grammar lets through what its schema allows and nothing else, and a schema can cost no more than its limits."""

import json
import re
from contextlib import suppress
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer as Encoder

from core.engine.grammar import Grammar, Grammars
from core.engine.json_schema import MOST_BYTES, MOST_LEVELS
from core.engine.number_limit import INTEGER_DIGITS
from core.engine.tokenizer import Tokenizer
from core.errors import BadSchema
from core.model.description import DEMO

WIDTH = 2048  # the model's, wider than its tokenizer
INVOICE = {
    "type": "object",
    "properties": {"total": {"type": "number"}, "currency": {"enum": ["EUR", "USD"]}, "paid": {"type": "boolean"}},
    "required": ["total", "currency", "paid"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.from_file(str(DEMO / "tokenizer.json"))


@pytest.fixture(scope="module")
def end(encoder: Encoder) -> int:
    token = encoder.token_to_id("<|im_end|>")
    assert token is not None
    return token


@pytest.fixture(scope="module")
def grammars(end: int) -> Grammars:
    return Grammars(Tokenizer(DEMO), WIDTH, [end])


def compiled(grammars: Grammars, schema: Any) -> Grammar:
    return grammars.compile(json.dumps(schema))


def follow(grammar: Grammar, encoder: Encoder, text: str) -> bool:
    """Go on by a text, and return whether every token of it was allowed."""
    for token in encoder.encode(text, add_special_tokens=False).ids:
        if not grammar.allowed()[token]:
            return False
        grammar.add(token)
    return True


def test_what_the_schema_allows_is_followed_to_its_end(grammars: Grammars, encoder: Encoder, end: int) -> None:
    grammar = compiled(grammars, INVOICE)
    assert follow(grammar, encoder, '{"total": 1284.50, "currency": "EUR"')
    assert not grammar.complete
    assert not grammar.allowed()[end]
    assert follow(grammar, encoder, ', "paid": true}')
    assert grammar.complete


@pytest.mark.parametrize(
    "text",
    [
        "The", '{"total": "', '{"currency"', '{"total": 1, "currency": "CHF"', '{"total": 1, "total"', "[",
        '{"total": 1e', '{"total": 1E', '{"total": 0.5e', "{" + " " * 30, "{\n\n",
    ],
)  # fmt: skip
def test_nothing_else_is_allowed(grammars: Grammars, encoder: Encoder, text: str) -> None:
    assert not follow(compiled(grammars, INVOICE), encoder, text)


def test_tokens_beyond_the_tokenizer_and_special_ones_are_never_allowed(grammars: Grammars, encoder: Encoder) -> None:
    grammar = compiled(grammars, {"type": "string"})
    assert follow(grammar, encoder, '"any')
    allowed = grammar.allowed()
    assert allowed.shape == (WIDTH,)
    assert not allowed[encoder.get_vocab_size(with_added_tokens=True) :].any()
    special = [token for token, added in encoder.get_added_tokens_decoder().items() if added.special]
    assert special
    assert not allowed[special].any()


def test_an_answer_that_may_go_on_may_also_end(grammars: Grammars, encoder: Encoder, end: int) -> None:
    grammar = compiled(grammars, {"type": "integer"})
    assert follow(grammar, encoder, "12")
    assert not grammar.complete
    assert grammar.allowed()[end]


@pytest.mark.parametrize("schema", [{"type": "number"}, {"type": "array"}, {}, {"type": "integer", "multipleOf": 100}])
def test_a_number_ends_while_every_program_can_read_it(grammars: Grammars, end: int, schema: dict[str, Any]) -> None:
    """A model that likes digits best, then points and exponents, still writes numbers that all can read."""
    tokens = grammars.prepare()[1].tokens
    likes = [3 if token[:1].isdigit() else 2 if token[:1] in (b".", b"e", b"E") else 1 for token in tokens]
    grammar, written = compiled(grammars, schema), b""
    if schema.get("type") == "array":
        written = b"["
        grammar.add(tokens.index(written))
    for _ in range(200):
        token = int((torch.tensor(likes) * grammar.allowed()).argmax())
        if token == end or grammar.complete:
            break
        grammar.add(token)
        written += tokens[token]
    numbers = [number for number in re.split(r"[^0-9.eE+-]+", written.decode()) if number]
    assert numbers
    assert all(abs(float(number)) < 10.0 ** (INTEGER_DIGITS + 8) for number in numbers)


def test_letters_after_digits_stay_possible_in_strings(grammars: Grammars, encoder: Encoder) -> None:
    assert follow(compiled(grammars, {"type": "object"}), encoder, '{"1e5": "2E8 \\" 3e", "a": [1, true, "4e"]}')


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"not": {"type": "null"}}, "not"),
        ({"type": "object", "properties": {"a": {"if": {}}}}, "if"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "object", "dependentRequired": {}}, "dependentRequired"),
        ({"type": "object", "minProperties": 3}, "minProperties"),
        ({"type": "number", "exclusiveMaximum": 0}, "exclusiveMaximum"),
        ({"enum": [1, 10**19]}, "too large"),
        ({"const": 1e-9}, "too small"),
        ({"type": "number", "minimum": 1e300}, "too large"),
        ({"type": "integer", "multipleOf": 899597.13}, "multipleOf"),
        ({"allOf": [{"multipleOf": 7919}, {"properties": {"a": {"multipleOf": 7907}}}]}, "multipleOf"),
        ({"type": "string", "format": "haiku"}, "haiku"),
        ({"type": "string", "pattern": "(?=a)b"}, "look"),
        ({"$ref": "https://example.org/schema.json"}, "not fetch"),
        ({"$ref": "#/$defs/nothing"}, "nothing"),
        ({"type": "animal"}, "animal"),
        ({"not": {}, "x-guidance": {"lenient": True}}, "not"),
        ({"type": "object", "properties": {"a": {"not": {}, "x-guidance": {"lenient": True}}}}, "not"),
    ],
)
def test_what_cannot_be_kept_to_is_named(grammars: Grammars, schema: dict[str, Any], named: str) -> None:
    with pytest.raises(BadSchema, match=named):
        compiled(grammars, schema)


def test_a_schema_has_no_power_over_the_rules(grammars: Grammars, encoder: Encoder) -> None:
    grammar = compiled(grammars, {"type": "object", "x-guidance": {"whitespace_pattern": " *", "item_separator": ";"}})
    assert not follow(grammar, encoder, "{" + " " * 30)
    assert follow(compiled(grammars, {"properties": {"x-guidance": {"type": "integer"}}}), encoder, '{"x-guidance": 5')


@pytest.mark.parametrize(
    ("form", "read", "refused"),
    [
        ("date", "2024-02-29", "0000-02-01"),
        ("time", "23:59:59Z", "23:59:60Z"),
        ("date-time", "2024-02-29T23:59:59Z", "2024-02-29T23:59:60Z"),
        ("email", "a.b@example.org", "a.b@c"),
    ],
)
def test_dates_and_addresses_are_what_every_program_reads(
    grammars: Grammars, encoder: Encoder, form: str, read: str, refused: str
) -> None:
    schema = {"type": "string", "format": form}
    assert follow(compiled(grammars, schema), encoder, f'"{read}"')
    assert not follow(compiled(grammars, schema), encoder, f'"{refused}"')


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


REFUSED: dict[str, Any] = {
    "levels": nested(MOST_LEVELS),
    "itself": {"$ref": "#"},
    "each other": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "properties": {"type": "object", "properties": {f"property{number}": {"type": "number"} for number in range(1500)}},
    "impossible": {"type": "object", "required": ["a"], "additionalProperties": False},
}
COSTLY: dict[str, Any] = {
    "enum": {"enum": [f"{number}" for number in range(5_500)]},
    "choices": {
        "anyOf": [
            {"type": "object", "properties": {f"k{choice % 7}{key}": {"type": "string"} for key in range(30)}}
            for choice in range(30)
        ]
    },
    "pattern": {"type": "string", "pattern": "(a{1,500}b?){1,500}"},
    "lists": {"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000}},
    "multiple": {"type": "integer", "multipleOf": 7919},
    "number": {"type": "number", "minimum": -123456.789, "exclusiveMaximum": 0.001, "multipleOf": 0.017},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_schema_is_refused(grammars: Grammars, name: str) -> None:
    with pytest.raises(BadSchema):
        compiled(grammars, REFUSED[name])


@pytest.mark.parametrize("name", COSTLY)
def test_a_costly_schema_is_refused_or_followed(grammars: Grammars, name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    with suppress(BadSchema):
        grammar = compiled(grammars, COSTLY[name])
        for _ in range(100):
            if grammar.complete:
                return
            grammar.add(int(torch.multinomial(grammar.allowed().float(), 1, generator=generator)))


def test_a_large_schema_is_refused_before_it_is_read(grammars: Grammars, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.json_schema.json.loads", lambda text: pytest.fail("it was read"))
    with pytest.raises(BadSchema, match="too large"):
        grammars.compile('{"enum": ["' + "值" * (MOST_BYTES // 3) + '"]}')


@pytest.mark.parametrize("schema", ["[]", "5", "nonsense", '{"a": ' * 20_000, ""])
def test_what_is_no_schema_is_refused(grammars: Grammars, schema: str) -> None:
    with pytest.raises(BadSchema, match=r"must be|too large"):
        grammars.compile(schema)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "array", "items": {"type": "integer"}, "minItems": 10_000}, "[" + "1," * 50),
        ({"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, "-9007199254740992"),
        ({"type": "integer", "exclusiveMaximum": 0, "multipleOf": 0.25}, "-12"),
        ({"enum": [f"value {number}" for number in range(500)]}, '"value 499"'),
        ({"type": "string", "pattern": "^[\u4e00-\u9fff]{2,4}$"}, '"发票"'),
        ({"type": "string", "pattern": r"^\p{Han}+$"}, '"发票"'),
        ({"type": "string", "maxLength": 30_000}, '"a'),
        (nested(40), "[" * 40 + "5"),
        (
            {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}},
            '{"next": {"next": {}}}',
        ),
    ],
)
def test_a_large_but_honest_schema_works(grammars: Grammars, encoder: Encoder, schema: Any, text: str) -> None:
    assert follow(compiled(grammars, schema), encoder, text)


def test_a_wrong_token_is_an_error_and_stays_one(grammars: Grammars, encoder: Encoder) -> None:
    grammar = compiled(grammars, INVOICE)
    with pytest.raises(BadSchema):
        grammar.add(encoder.encode("[", add_special_tokens=False).ids[0])
    with pytest.raises(BadSchema):
        grammar.allowed()

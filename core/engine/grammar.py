"""Keep an answer within a JSON Schema: say which tokens may come next. llguidance does the work, within limits."""

import json
from collections.abc import Collection
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import torch
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from torch import Tensor

from core.engine import json_schema
from core.engine.number_limit import NumberLimit, NumberTokens
from core.engine.tokenizer import Tokenizer
from core.errors import BadSchema

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

# They win over `x-guidance`, by which a schema could change its own rules. Without a bound for white space, a model may
# write it to the end.
OPTIONS: "JsonCompileOptions" = {
    "item_separator": ",",
    "key_separator": ":",
    "whitespace_flexible": True,
    "whitespace_pattern": "\n? {0,8}",
    "coerce_one_of": False,
    "lenient": False,
}
STEPS_TRIED = 6  # before the model is asked
REASON_CHARACTERS = 300  # of what llguidance says about a schema


def limits() -> LLParserLimits:
    """Return what one schema may cost: some ten milliseconds to compile, a few for a token, and some 40 MB."""
    return LLParserLimits(
        max_grammar_size=10_000,
        initial_lexer_fuel=100_000,
        step_lexer_fuel=50_000,
        step_max_items=10_000,
        max_lexer_states=20_000,
        verbose_errors=False,
    )


class Grammar:
    """The grammar of one answer, and how far the answer has come in it."""

    def __init__(self, matcher: LLMatcher, width: int, numbers: NumberLimit) -> None:
        self._matcher = matcher
        self._width = width
        self._numbers = numbers

    def allowed(self) -> Tensor:
        """Return which tokens may come next, as booleans (vocabulary,). At least one may. Raises `BadSchema`."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)[: -(-self._width // 8)]
        self._check()
        bits = self._numbers.without_forbidden(bits)
        if not bits.any():
            raise _stuck()
        return torch.from_numpy(np.unpackbits(bits, count=self._width, bitorder="little")).bool()

    def add(self, token: int) -> None:
        """Go on by a token of the answer. Raises `BadSchema`."""
        self._matcher.consume_token(token)
        self._check()
        self._numbers.add(token)

    @property
    def complete(self) -> bool:
        """Whether the answer is whole, and nothing may follow."""
        return self._matcher.is_stopped()

    def _check(self) -> None:
        """Look for an error after every call: llguidance raises none."""
        if self._matcher.is_error():
            raise _stuck()


class Grammars:
    """Compiles schemas for one tokenizer. Logits are (width,); `eos_token_ids` end an answer."""

    def __init__(self, tokenizer: Tokenizer, width: int, eos_token_ids: Collection[int]) -> None:
        self._tokenizer = tokenizer
        self._width = width
        self._eos_token_ids = sorted(eos_token_ids)
        self._known: tuple[LLTokenizer, NumberTokens] | None = None
        self._preparing = Lock()

    def prepare(self) -> tuple[LLTokenizer, NumberTokens]:
        """Read the tokenizer, once. That takes more than a second for 150,000 tokens, in which no thread runs."""
        with self._preparing:
            if self._known is None:
                known = LLTokenizer(self._tokenizer.json, n_vocab=self._width, eos_token=self._eos_token_ids)
                tokens = [known.decode_bytes([token]) for token in range(self._width)]
                self._known = known, NumberTokens(tokens)
            return self._known

    def compile(self, schema: str) -> Grammar:
        """Compile a JSON Schema. Thread-safe. Raises `BadSchema` that names what cannot be used.

        Takes milliseconds once it is prepared.
        """
        checked = json_schema.check(schema)
        try:
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(checked), overrides=OPTIONS)
        except ValueError as error:  # a lone surrogate, for example
            raise _unusable(str(error)) from None
        try:
            known, numbers = self.prepare()
        except ValueError as error:
            raise BadSchema("This engine cannot keep an answer within a JSON Schema.") from error
        matcher = LLMatcher(known, grammar, log_level=0, limits=limits())
        _check_usable(matcher)
        _try(matcher.deep_copy())
        return Grammar(matcher, self._width, NumberLimit(numbers))


def _try(matcher: LLMatcher) -> None:
    """Take the first steps: what refers only to itself, or has too many choices, is noticed by them alone."""
    for _ in range(STEPS_TRIED):
        bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        _check_usable(matcher)
        matcher.consume_token(int(np.unpackbits(bits, bitorder="little").argmax()))
        _check_usable(matcher)
        if matcher.is_stopped():
            return


def _check_usable(matcher: LLMatcher) -> None:
    if matcher.is_error():
        raise _unusable(matcher.get_error().removesuffix("<non-verbose/>"))


def _unusable(reason: str) -> BadSchema:
    words = " ".join(reason.split())[:REASON_CHARACTERS]
    return BadSchema("This JSON Schema cannot be used here: {reason}", reason=words)


def _stuck() -> BadSchema:
    return BadSchema("The answer cannot be continued within this JSON Schema. Please make the schema simpler.")

"""Keep the numbers of a JSON answer readable for every program. JSON allows 8E8026, and integers without end.

Numbers are written without an exponent and with a bounded number of digits. So each is a finite float, fractions are
what a float keeps, and integers are what 64 bits keep.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

INTEGER_DIGITS = 19
FRACTION_DIGITS = 15  # of a number with a point, before and after it
_EXPONENT = re.compile(rb"[0-9][eE]")
_NUMBER = re.compile(rb"([0-9]*)(\.?)([0-9]*)")
Bits = npt.NDArray[np.uint8]


class NumberTokens:
    """The tokens that matter in numbers. `tokens` are the bytes of the whole vocabulary."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self.tokens = tokens
        has_exponent = [_EXPONENT.search(token) is not None for token in tokens]
        begins = [_NUMBER.match(token) for token in tokens]
        parts = [(begin[1], begin[2], begin[3]) if begin else (b"", b"", b"") for begin in begins]
        digits = np.array([len(before) + len(after) for before, _, after in parts])
        has_point = np.array([bool(point) for _, point, _ in parts])
        needs_digit = np.array([bool(point) and not after for _, point, after in parts])
        self.after_string = _bits(it and b'"' in token for it, token in zip(has_exponent, tokens, strict=True))
        self.any_exponent = _bits(has_exponent)
        self.exponent = _bits(token[:1] in (b"e", b"E") for token in tokens) | self.any_exponent
        # By how many digits a number has room for: the tokens that would give it more.
        self.too_long = [_bits(~has_point & (digits > room)) for room in range(INTEGER_DIGITS + 1)]
        self.too_long_with_point = [
            _bits(has_point & (digits + needs_digit > room)) for room in range(FRACTION_DIGITS + 1)
        ]


class NumberLimit:
    """Follows one JSON answer from token to token."""

    def __init__(self, tokens: NumberTokens) -> None:
        self._known = tokens
        self._in_string = False
        self._escaped = False
        self._digits = 0  # of the number that is being written
        self._has_point = False

    def add(self, token: int) -> None:
        for byte in self._known.tokens[token]:
            if self._in_string:
                self._in_string = self._escaped or byte != ord('"')
                self._escaped = not self._escaped and byte == ord("\\")
            elif ord("0") <= byte <= ord("9"):
                self._digits += 1
            elif byte == ord("."):
                self._has_point = True
            else:
                self._in_string = byte == ord('"')
                self._digits, self._has_point = 0, False

    def without_forbidden(self, allowed: Bits) -> Bits:
        """Return the bits of the tokens that may come next without those that would make a number unreadable."""
        known = self._known
        if self._in_string:
            return allowed & ~known.after_string
        if not self._digits:
            return allowed & ~known.any_exponent
        most = FRACTION_DIGITS if self._has_point else INTEGER_DIGITS
        room, with_point = max(0, most - self._digits), max(0, FRACTION_DIGITS - self._digits)
        return allowed & ~(known.exponent | known.too_long[room] | known.too_long_with_point[with_point])


def _bits(values: Iterable[bool]) -> Bits:
    """Return one bit for each token, the first one lowest, as llguidance has them."""
    return np.packbits(np.fromiter(values, bool), bitorder="little")

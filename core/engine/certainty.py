"""Notice an answer that a small model makes up: on average its tokens are far from certain.

The likeliest tokens of right answers have a mean probability of 0.9 and more; core/demo/README.md has the measurement.
"""

import math

from torch import Tensor

from core.engine.request import Doubt

LEAST_TOKENS = 6  # of an answer that can be judged
HOPELESS_TOKENS = 48  # after which an uncertain answer does not become certain any more


class Certainty:
    """The geometric mean of the likeliest tokens' probabilities. Without a doubt to be said, nothing is computed."""

    def __init__(self, doubt: Doubt | None) -> None:
        self._doubt = doubt
        self._sum = 0.0
        self._tokens = 0

    def add(self, logits: Tensor) -> None:
        """Count a token by the `logits` (vocabulary,) that it is drawn from, whichever it is."""
        if self._doubt is not None:
            self._sum += float(logits.float().log_softmax(-1).max())
            self._tokens += 1

    @property
    def doubt(self) -> str | None:
        """What is to be said instead of the answer, or None."""
        if self._doubt is None or self._tokens < LEAST_TOKENS:
            return None
        return self._doubt.sentence if self._sum < math.log(self._doubt.least) * self._tokens else None

    @property
    def is_hopeless(self) -> bool:
        """Whether the answer can end here, because it stays doubtful."""
        return self._tokens >= HOPELESS_TOKENS and self.doubt is not None

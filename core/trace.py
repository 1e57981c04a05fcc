"""One id per question, from the adapter to the engine, on every line that is logged for it.

The model's thread, which works on many at once, finds it in `core.engine.request.Request`.
"""

import hashlib
from contextvars import ContextVar

current: ContextVar[str] = ContextVar("current", default="-")


def begin(key: str) -> None:
    """From here on this task, and what it starts, works on the message `key`. The id says nothing about the person."""
    current.set(hashlib.sha256(key.encode()).hexdigest()[:8])

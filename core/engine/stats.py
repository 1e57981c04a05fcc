"""Hold plain numbers for metrics."""

from dataclasses import dataclass


@dataclass(slots=True)
class EngineStats:
    """Sums since the start. `running`, `waiting` and the bytes are current values."""

    running: int = 0
    waiting: int = 0
    answers: int = 0
    image_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    pictures_computed: int = 0
    pictures_reused: int = 0
    tokens_computed: int = 0
    tokens_reused: int = 0
    tokens_written: int = 0
    kv_bytes: int = 0
    cache_bytes: int = 0
    longest_step_s: float = 0.0  # the longest that a reader waited for the next token
    model: str = ""  # as the config names it
    precision: str = ""
    kernel: str = ""  # multiplies the weights; with the processor's instructions

"""Define the table [core.engine] of the config file. Imports no torch."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, Field

from core.model.precision import Precision


class Kind(StrEnum):
    NATIVE = "native"
    REFERENCE = "reference"


class EngineConfig(BaseModel, extra="forbid", frozen=True):
    """What the operator may set about the model."""

    model: str = Field(
        "Qwen/Qwen3-VL-2B-Instruct",
        description='A folder, a Hugging Face name that was fetched, or "demo".',
        min_length=1,
    )
    kind: Kind = Field(
        Kind.NATIVE, description="native: Qwen3-VL, fast on a CPU. reference: any model of transformers, also on a GPU."
    )
    precision: Precision = Field(
        Precision.AUTO, description="float32, float16, int8, or auto: what suits this machine."
    )
    threads: int | None = Field(
        None, description="CPU threads for the model; by default every core, for a small model one.", ge=1
    )
    memory_limit_gb: float | None = Field(
        None, description="Gigabytes for model and conversations; 60 % by default.", gt=0
    )
    context_tokens: int = Field(8192, description="Longest conversation; older turns are left out.", ge=256)
    waiting: int = Field(32, description="Questions that may wait in line; one more is told to come back.", ge=1)
    cache: Path = Field(Path("data/cache"), description="Where computed pictures and conversations are kept.")
    cache_limit_gb: float = Field(
        20.0, description="Gigabytes for those, without the int8 weights; 0 keeps nothing on disk.", ge=0
    )

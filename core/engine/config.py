"""Define the table [core.engine] of the config file. Imports no torch."""

from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator

from core.model.precision import Precision


class Kind(StrEnum):
    NATIVE = "native"
    REFERENCE = "reference"


class EngineConfig(BaseModel, extra="forbid", frozen=True):
    """What the operator may set about the model."""

    model: str = Field(
        "Qwen/Qwen3-VL-2B-Instruct",
        description='A folder, a Hugging Face name that was fetched, or "demo"; with urls, the name as they list it.',
        min_length=1,
    )
    kind: Kind = Field(
        Kind.NATIVE,
        description="native: Qwen3-VL, fast on a CPU. reference: any model of transformers, one question at a time, "
        "also on a GPU.",
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
    context_tokens: int = Field(
        8192, description="Longest conversation; older turns are left out. With urls, by default what they say.", ge=256
    )
    waiting: int = Field(32, description="Questions that may wait in line; one more is told to come back.", ge=1)
    cache: Path = Field(Path("data/cache"), description="Where computed pictures and conversations are kept.")
    cache_limit_gb: float = Field(
        20.0, description="Gigabytes for those, without the int8 weights; 0 keeps nothing on disk.", ge=0
    )
    urls: tuple[str, ...] = Field(
        (),
        description="Engines elsewhere that speak OpenAI's API, as http://gpu1:8000/v1, instead of a model here.",
    )
    api_key: SecretStr | None = Field(None, description="What those ask for, if they do.")
    timeout_seconds: float = Field(
        120.0, description="Seconds that one of them may be silent before another is asked.", gt=0
    )
    requests: int = Field(8, description="Questions that each of them is given at once; more wait here.", ge=1)

    @field_validator("urls", mode="before")
    @classmethod
    def _listed(cls, urls: Any) -> Any:
        return [urls] if isinstance(urls, str) else urls

    @field_validator("urls")
    @classmethod
    def _addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_address(url) for url in urls))


def _address(url: str) -> str:
    """Return the address without a slash at its end. Raises `ValueError`, which never quotes a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("an address begins with http:// or https://, as http://gpu1:8000/v1")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an address has no name, password or question mark: a key belongs into api_key")
    return url.rstrip("/")

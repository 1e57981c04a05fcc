"""How answers are drawn; the table [core.assistant] of the configuration."""

from pydantic import BaseModel, Field


class Sampling(BaseModel, extra="forbid", frozen=True):
    """Temperature 0 is greedy: the same question gets the same answer."""

    temperature: float = Field(0.0, ge=0, le=2, description="0: the same question gets the same answer; higher: freer.")
    top_p: float = Field(0.8, gt=0, le=1, description="Of the likeliest tokens, the share that is drawn from.")
    max_new_tokens: int = Field(512, ge=1, le=8192, description="Longest answer, in tokens.")


Config = Sampling

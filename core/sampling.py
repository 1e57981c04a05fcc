"""Configure how the tokens of an answer are sampled: the table [core.assistant] of the configuration."""

from pydantic import BaseModel, Field

RETRY_TEMPERATURE = 0.7  # least temperature for another answer to the same question


class Sampling(BaseModel, extra="forbid", frozen=True):
    """Settings of an answer. None means the value of the model's makers.

    With a seed, equal questions get equal answers. A temperature of 0 is greedy. The penalties are as transformers
    (repetition) and vLLM (presence and frequency) define them.
    """

    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="0: always the likeliest word; higher: freer. By default all six are as the model's makers say.",
    )
    top_p: float | None = Field(
        None, gt=0, le=1, description="Of the likeliest tokens, the share that is sampled from; 1: all."
    )
    top_k: int | None = Field(None, ge=0, description="How many of the likeliest tokens are sampled from; 0: all.")
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="Against tokens that the answer has already; 0: none."
    )
    frequency_penalty: float | None = Field(
        None, ge=-2, le=2, description="Against tokens, as often as the answer has them already; 0: none."
    )
    repetition_penalty: float | None = Field(
        None, gt=0, le=2, description="Against tokens that the conversation has already; 1: none."
    )
    seed: int | None = Field(0, ge=0, lt=2**63, description="The same seed gives the same question the same answer.")
    max_new_tokens: int = Field(512, ge=1, le=8192, description="Longest answer, in tokens.")
    stop: tuple[str, ...] = Field((), max_length=4, description="An answer ends before any of these texts, at most 4.")

    def completed(self, model: "Sampling") -> "Sampling":
        """Return these settings with the model's own values for those that are None."""
        own = {key: value for key, value in self if value is not None or key == "seed"}
        return model.model_copy(update=own)

    def for_retry(self) -> "Sampling":
        """Return settings that give the same question another answer."""
        return self.model_copy(update={"seed": None, "temperature": max(self.temperature or 0.0, RETRY_TEMPERATURE)})

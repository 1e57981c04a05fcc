"""Define the settings of one conversation: how the people in it want to be answered."""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from core.sampling import Sampling

INSTRUCTION_CHARACTERS = 1000
LANGUAGE_CHARACTERS = 40
SHORT_ANSWER_TOKENS = 160  # for a sentence or two in any language, or a small table
LONG_ANSWER_FACTOR = 4  # times the operator's limit
SHARPER_FACTOR = 2  # times the pixels that a picture is shrunk to


class Length(StrEnum):
    SHORT = "short"
    NORMAL = "normal"
    LONG = "long"


class Sharpness(StrEnum):
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """How a conversation is answered.

    `instructions` are its people's own words to the model, `language` what its answers are written in; both may be
    empty. `receipt` shows the line below an answer. Without `keep` a question is forgotten as soon as it is answered.
    """

    instructions: str = ""
    language: str = ""
    length: Length = Length.NORMAL
    sharpness: Sharpness = Sharpness.NORMAL
    receipt: bool = True
    keep: bool = True

    @property
    def system(self) -> str:
        """What the model is told before the first question, or nothing."""
        told = [self.instructions] if self.instructions else []
        if self.language:
            told.append(f"Answer in {self.language}.")
        if self.length is Length.SHORT:
            told.append("Answer in one or two short sentences.")
        elif self.length is Length.LONG:
            told.append("Answer at length and in detail.")
        return "\n".join(told)

    def limit(self, sampling: Sampling) -> Sampling:
        """Return the operator's sampling with this conversation's length of an answer."""
        tokens = sampling.max_new_tokens
        if self.length is Length.SHORT:
            tokens = min(tokens, SHORT_ANSWER_TOKENS)
        elif self.length is Length.LONG:
            tokens *= LONG_ANSWER_FACTOR
        return sampling.model_copy(update={"max_new_tokens": tokens})

    @property
    def pixel_factor(self) -> int:
        """By how much more pixels than usual a picture is shown to the model."""
        return SHARPER_FACTOR if self.sharpness is Sharpness.HIGH else 1

    def stored(self) -> dict[str, Any]:
        """Return what differs from the defaults, for a database."""
        usual = asdict(ConversationSettings())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


def settings_of(stored: object) -> ConversationSettings:
    """Return stored settings. What another version wrote, or a damaged file holds, is left out."""
    if not isinstance(stored, dict):
        return ConversationSettings()
    kinds = {"length": Length, "sharpness": Sharpness, "receipt": bool, "keep": bool}
    values: dict[str, Any] = {}
    for each in fields(ConversationSettings):
        value, kind = stored.get(each.name), kinds.get(each.name, str)
        if issubclass(kind, StrEnum) and value in list(kind):
            values[each.name] = kind(value)
        elif not issubclass(kind, StrEnum) and isinstance(value, kind):
            values[each.name] = value
    return ConversationSettings(**values)

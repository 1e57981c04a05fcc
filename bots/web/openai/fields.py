"""Check the fields of a request. What is not named here is ignored, because every client sends something of its own."""

from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from bots.web.json_body import Text, fields_of
from bots.web.openai.errors import BadField
from bots.web.openai.shape import Shape, shape_of
from core.sampling import Sampling

STOP_CHARACTERS = 500  # of one text that ends an answer
LEAST_TOP_P = 1e-9  # what 0 means: the likeliest token alone
SEED_BITS = 2**63 - 1


def _parts(value: Any) -> Any:
    """Return content as a list of parts: most clients send a text alone, and some send null."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    return [] if value is None else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _address(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]

Stops = Annotated[list[Annotated[Text, Field(max_length=STOP_CHARACTERS)]], Field(max_length=4)]


class _Fields(BaseModel, strict=True, extra="ignore", frozen=True):
    pass


class ImageUrl(_Fields):
    url: str
    detail: Text | None = None


class FilePart(_Fields):
    file_data: str | None = None


class ContentPart(_Fields):
    type: Text
    text: Text | None = None
    refusal: Text | None = None
    image_url: Annotated[ImageUrl | None, BeforeValidator(_address)] = None
    file: FilePart | None = None


class EarlierFunction(_Fields):
    name: Text = ""
    arguments: Text = ""


class EarlierCall(_Fields):
    function: EarlierFunction = EarlierFunction()


class Message(_Fields):
    role: Text
    content: Annotated[list[ContentPart], BeforeValidator(_parts)] = []
    tool_calls: list[EarlierCall] | None = None


class StreamOptions(_Fields):
    include_usage: bool | None = None


class ChatRequest(_Fields):
    """The body of POST /v1/chat/completions."""

    model: Text | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[Integer, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[Integer, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    top_k: Annotated[Integer, Field(ge=-1)] | None = None
    stop: Annotated[Stops | None, BeforeValidator(_listed)] = None
    seed: Integer | None = None
    n: Integer | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2, allow_inf_nan=False)] | None = None
    response_format: Any = None
    modalities: list[Text] | None = None
    tools: Any = None
    tool_choice: Any = None

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @cached_property
    def shape(self) -> Shape | None:
        """The shape that the answer must have, or None for text. Raises `BadField`."""
        return shape_of(self.response_format, self.tools, self.tool_choice)

    def check_supported(self) -> None:
        """Raise `BadField` for what would change the answer's meaning and cannot be done."""
        if self.n not in (None, 1):
            raise BadField("Only one answer at a time is possible: n must be 1.", "n", "unsupported_value")
        if self.modalities is not None and set(self.modalities) - {"text"}:
            raise BadField("Answers are text: modalities must be text alone.", "modalities", "unsupported_value")
        if self.shape and self.stop:
            raise BadField("JSON is never cut short: leave out stop, or response_format.", "stop", "unsupported_value")

    def sampling(self, own: Sampling) -> Sampling:
        """Return the service's own sampling with what the request asks for instead.

        Answers never become longer than the operator allows.
        """
        longest = self.max_completion_tokens or self.max_tokens or own.max_new_tokens
        asked = {
            "temperature": self.temperature,
            "top_p": None if self.top_p is None else max(self.top_p, LEAST_TOP_P),
            "top_k": None if self.top_k is None else max(0, self.top_k),
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "repetition_penalty": self.repetition_penalty,
            "seed": None if self.seed is None else self.seed & SEED_BITS,
            "max_new_tokens": min(longest, own.max_new_tokens),
            "stop": None if self.stop is None else tuple(self.stop),
        }
        return own.model_copy(update={name: value for name, value in asked.items() if value is not None})


def check(body: Any) -> ChatRequest:
    """Return the checked request. Raises `BadField` that names the first wrong field."""
    request = fields_of(body, ChatRequest)
    request.check_supported()
    return request

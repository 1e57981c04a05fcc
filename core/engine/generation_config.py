"""Read what a model's makers say about drawing its answers: generation_config.json."""

from typing import Any

from pydantic import ValidationError

from core.model.checkpoint import Checkpoint
from core.model.compatibility import refuse
from core.sampling import Sampling

FILE = "generation_config.json"
PRESENCE_PENALTY = 1.5  # that Qwen3-VL's makers publish for sampled answers; their file has no place for it
GREEDY = Sampling(
    temperature=0.0, top_p=1.0, top_k=0, presence_penalty=0.0, frequency_penalty=0.0, repetition_penalty=1.0
)


def read_sampling(checkpoint: Checkpoint) -> Sampling:
    """Return the model's own sampling, complete except perhaps for the seed.

    Raises `OperatorError` if it is invalid.
    """
    try:
        return sampling_of(checkpoint.read_json(FILE))
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        refuse(checkpoint, FILE, f"{detail['loc'][0]} is {detail['input']!r}: {detail['msg']}")


def sampling_of(settings: dict[str, Any]) -> Sampling:
    """Return what the settings of generation_config.json say. Raises `ValidationError`."""
    found: dict[str, Any] = {"repetition_penalty": settings.get("repetition_penalty"), "presence_penalty": 0.0}
    if settings.get("do_sample") is True:
        found |= {key: settings.get(key) for key in ("temperature", "top_p", "top_k")}
        found["temperature"] = 1.0 if found["temperature"] is None else found["temperature"]
        found["presence_penalty"] = settings.get("presence_penalty", PRESENCE_PENALTY)
    return Sampling.model_validate(found).completed(GREEDY)

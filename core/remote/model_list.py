"""Read what an engine's list of models says: which names it knows, and how long a conversation may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.remote.failure import Failure, FailureKind

SHOWN_NAMES = 5  # of a long list, in a sentence
NAME_CHARACTERS = 100  # of each
LEAST_CONTEXT_TOKENS = 256  # what is less is no context's length


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of an engine. `context_tokens` is None if the engine does not say it."""

    name: str
    context_tokens: int | None = None


def models_of(body: Any) -> list[ListedModel]:
    """Return the models that a body of GET /models lists. Anything else lists none."""
    listed = body.get("data") if isinstance(body, dict) else None
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return [ListedModel(entry["id"], _context(entry)) for entry in entries if isinstance(entry.get("id"), str)]


def choose(models: Sequence[ListedModel], wanted: str | None) -> ListedModel:
    """Return the model with the name that is wanted, by default the only one. Raises `Failure`.

    An engine that lists nothing gets the benefit of the doubt.
    """
    names = ", ".join(model.name[:NAME_CHARACTERS] for model in models[:SHOWN_NAMES])
    if wanted is None:
        if len(models) == 1:
            return models[0]
        known = f"it lists {names}" if models else "it lists none"
        raise Failure(FailureKind.REFUSED, f"set model in [core.engine]: {known}")
    found = next((model for model in models if model.name == wanted), None)
    if found is None and models:
        raise Failure(FailureKind.REFUSED, f"it has no model {wanted}, it lists {names}: set model in [core.engine]")
    return found or ListedModel(wanted)


def _context(entry: dict[str, Any]) -> int | None:
    """Return vLLM's and SGLang's `max_model_len`, or llama-server's `meta`."""
    meta = entry.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    for value in (entry.get("max_model_len"), meta.get("n_ctx"), meta.get("n_ctx_train")):
        if isinstance(value, int) and value >= LEAST_CONTEXT_TOKENS:
            return value
    return None

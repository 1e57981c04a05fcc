"""Write down how an answer ended, for readers at another replica."""

from typing import Any

from core.answer import Answer, Ending
from core.errors import BotError, Busy

WENT_WRONG = "Something went wrong on my side. Please try again."


def outcome_of(ended: Answer | Exception) -> dict[str, Any]:
    """Return JSON that `read_outcome` reads."""
    if isinstance(ended, Answer):
        return {"ending": ended.ending}
    error = ended if isinstance(ended, BotError) else BotError(WENT_WRONG)
    values = {name: it if isinstance(it, int | float | str) else str(it) for name, it in error.values.items()}
    told = {"error": type(error).__name__, "sentence": error.sentence, "values": values}
    return told | ({"retry_after": error.retry_after} if isinstance(error, Busy) else {})


def read_outcome(text: str, outcome: dict[str, Any]) -> Answer | BotError:
    """Return the answer with its text, or the error that came instead."""
    if "ending" in outcome:
        return Answer(text, Ending(outcome["ending"]))
    kind = _kinds(BotError).get(outcome["error"], BotError)
    error = kind.__new__(kind)
    BotError.__init__(error, outcome["sentence"], **outcome["values"])
    if isinstance(error, Busy):
        error.retry_after = outcome["retry_after"]
    return error


def _kinds(kind: type[BotError]) -> dict[str, type[BotError]]:
    found = {kind.__name__: kind}
    for narrower in kind.__subclasses__():
        found |= _kinds(narrower)
    return found

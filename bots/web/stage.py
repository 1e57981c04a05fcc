"""Write down what an answer waits for, for readers at another replica."""

from typing import Any

from core.events import Event, Looking, Waiting


def stage_of(event: object) -> dict[str, Any] | None:
    """Return JSON that `read_stage` reads, or None if an answer waits for nothing."""
    match event:
        case Waiting(position, seconds):
            return {"place": position, "seconds": seconds}
        case Looking(picture, total):
            return {"picture": picture, "of": total}
    return None


def read_stage(stage: dict[str, Any]) -> Event | None:
    """Return None if a neighbouring version wrote what this one does not know."""
    match stage:
        case {"place": position, "seconds": seconds}:
            return Waiting(position, seconds)
        case {"picture": picture, "of": total}:
            return Looking(picture, total)
    return None

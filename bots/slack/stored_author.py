"""Tell who sent a stored message, for what an operator does about one person."""

from bots.slack.platform import SLACK
from bots.slack.written import Asked, RemovedFiles, read


def stored_author(payload: str) -> str:
    """Return the person, with their workspace. Raises `ValueError` if it is unknown."""
    written = read(payload)
    if isinstance(written, RemovedFiles):
        raise ValueError("it has no sender")
    who = written.message if isinstance(written, Asked) else written.place
    return SLACK.id(f"{who.team}:{who.user}")

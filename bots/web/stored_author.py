"""Tell who sent a stored message, for what an operator does about one person."""

from bots.web.message import read


def stored_author(payload: str) -> str:
    """Return the person. Raises what reading an unknown payload raises."""
    return read(payload).person

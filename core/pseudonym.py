"""What a person is called on disk: their address on the internet, say, is nobody's business."""

import hashlib


def pseudonym(person: str) -> str:
    """Return the same 32 characters for the same person."""
    return hashlib.sha256(person.encode()).hexdigest()[:32]

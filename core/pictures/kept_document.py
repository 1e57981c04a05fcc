"""A document that is kept with its conversation, because a later question may name other pages of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """The file, and the ids of the pictures that its pages became so far."""

    data: bytes = field(repr=False)
    image_ids: tuple[str, ...]

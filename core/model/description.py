"""Say what is known of a model beside its weights: what it can take, and what people should know. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

DEMO = Path(__file__).parent.parent / "demo"


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a model can take.

    `pictures` is how many it tells apart in one prompt; None if that is only a matter of room. One that `needs_picture`
    has learned nothing else to speak about.
    """

    pictures: int | None = None
    needs_picture: bool = False


def describe(name: str) -> ModelDescription:
    """Return the description of a model by a name that `core.model.checkpoint.find_folder` knows."""
    return ModelDescription(pictures=2, needs_picture=True) if is_demo(name) else ModelDescription()


def is_demo(name: str) -> bool:
    """Return whether the name is that of the embedded demo model."""
    return name == "demo" or Path(name).expanduser().resolve() == DEMO.resolve()

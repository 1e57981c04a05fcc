"""Say what is known of a model apart from its weights: what it takes, and what people should know. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

from core.note import Note

DEMO = Path(__file__).parent.parent / "demo"

_DESCRIBE = Note("Describe this picture.")


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a model can take.

    `pictures` is how many it tells apart in one prompt; None if that is only a matter of room. One that `needs_picture`
    has learned nothing else to speak about. One that reads `tile_by_tile` is asked about each tile of a tall picture
    alone (see `core.engine.tile_by_tile`). Pictures are sent away to one that is `elsewhere`. `introduction` is what
    people have to know before they believe it. About a picture without words `default_question` is asked, and
    `first_questions` are offered: names of commands. An answer that is less certain than `least_certainty` (see
    `core.engine.certainty`) is replaced by `doubt`.
    """

    pictures: int | None = None
    tile_by_tile: bool = False
    needs_picture: bool = False
    elsewhere: bool = False
    introduction: Note | None = None
    default_question: Note = _DESCRIBE
    doubt: Note | None = None
    least_certainty: float = 0.0
    first_questions: tuple[str, ...] = ("describe", "text", "table", "translate", "where")


_DEMO = ModelDescription(
    pictures=2,
    tile_by_tile=True,
    needs_picture=True,
    introduction=Note("Demo model: reads printed documents, charts and shapes"),
    default_question=Note("Extract all text."),
    doubt=Note(
        "I am only the demo model, and not sure of this. I read printed documents, charts and shapes: "
        "ask me to extract all text, for example."
    ),
    least_certainty=0.85,
    first_questions=("text", "table"),
)


def describe(name: str) -> ModelDescription:
    """Return the description of a model by a name that `core.model.checkpoint.find_folder` knows."""
    return _DEMO if is_demo(name) else ModelDescription()


def is_demo(name: str) -> bool:
    """Return whether the name is that of the embedded demo model."""
    return name == "demo" or Path(name).expanduser().resolve() == DEMO.resolve()

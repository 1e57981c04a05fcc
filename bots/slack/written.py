"""Define what is stored of Slack's events until it is processed."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from bots.slack.events import SlackModel
from bots.slack.message import SlackMessage
from bots.slack.place import Place


class Asked(SlackModel):
    kind: Literal["message"] = "message"
    message: SlackMessage


class Clicked(SlackModel):
    """A pressed button below the message `about`, which carries the answer `key`."""

    kind: Literal["button"] = "button"
    place: Place
    command: str
    about: str
    key: str


class Typed(SlackModel):
    """A question in the shortcut's window."""

    kind: Literal["window"] = "window"
    place: Place


class Lost(SlackModel):
    """A pressed button whose content is unknown."""

    kind: Literal["lost"] = "lost"
    place: Place


class RemovedFiles(SlackModel):
    """Files that went away in Slack."""

    kind: Literal["removed"] = "removed"
    files: list[str]


Written = Annotated[Asked | Clicked | Typed | Lost | RemovedFiles, Field(discriminator="kind")]
_WRITTEN: TypeAdapter[Asked | Clicked | Typed | Lost | RemovedFiles] = TypeAdapter(Written)


def read(payload: str) -> Asked | Clicked | Typed | Lost | RemovedFiles:
    """Read a stored event. Raises `pydantic.ValidationError` for one from another version."""
    return _WRITTEN.validate_json(payload)

"""Define what is stored of Slack's events until it is worked off."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from bots.slack.events import Form
from bots.slack.message import Message
from bots.slack.place import Place


class Asked(Form):
    kind: Literal["message"] = "message"
    message: Message


class Clicked(Form):
    """A pressed button below the message `about`, which carries the answer `key`."""

    kind: Literal["button"] = "button"
    place: Place
    command: str
    about: str
    key: str


class Typed(Form):
    """A question in the shortcut's window."""

    kind: Literal["window"] = "window"
    place: Place


class Lost(Form):
    """A pressed button whose content is unknown."""

    kind: Literal["lost"] = "lost"
    place: Place


class Removed(Form):
    """Files that went away in Slack."""

    kind: Literal["removed"] = "removed"
    files: list[str]


Written = Annotated[Asked | Clicked | Typed | Lost | Removed, Field(discriminator="kind")]
_WRITTEN: TypeAdapter[Asked | Clicked | Typed | Lost | Removed] = TypeAdapter(Written)


def read(payload: str) -> Asked | Clicked | Typed | Lost | Removed:
    """Read a stored event. Raises `pydantic.ValidationError` for one from another version."""
    return _WRITTEN.validate_json(payload)

"""Check what Slack sends, field by field: these models accept only complete data. Calls no one.

An unimportant field (a file's name, a person's team) is dropped if it is invalid. Any other raises
`pydantic.ValidationError`. Log it with `fields`, because its own text contains people's words.
"""

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from core.storable import storable

Json = dict[str, Any]
NAME_CHARACTERS = 80
MOST_FILES = 100  # of a message; Slack's own windows accept ten

Text = Annotated[str, BeforeValidator(lambda text: storable(text) if isinstance(text, str) else text)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,64}$")]
Ts = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}\.[0-9]{1,10}$")]


def _or_none(value: object, check: ValidatorFunctionWrapHandler) -> object:
    try:
        return check(value)
    except ValidationError:
        return None


Kind = TypeVar("Kind")
Optional = Annotated[Kind | None, WrapValidator(_or_none)]  # an invalid value counts as missing


class SlackModel(BaseModel, extra="ignore", frozen=True):
    pass


class SlackFile(SlackModel):
    """A file of a message. A file of Slack Connect has only its id; a deleted one says only that."""

    id: Optional[Id] = None
    name: Optional[Text] = None
    title: Optional[Text] = None
    mimetype: Optional[str] = None
    filetype: Optional[str] = None
    size: Optional[int] = None
    mode: Optional[str] = None
    file_access: Optional[str] = None
    is_external: Optional[bool] = None
    url_private: Optional[str] = None
    url_private_download: Optional[str] = None

    @property
    def shown(self) -> str:
        """The name that people see."""
        return " ".join((self.name or self.title or self.id or "").split())[:NAME_CHARACTERS]


def fields(error: ValidationError) -> str:
    """Return which fields are wrong, without their content."""
    return ", ".join(sorted({".".join(map(str, each["loc"])) for each in error.errors(include_input=False)}))


def files_of(message: Json) -> tuple[SlackFile, ...]:
    """Return the files of a message: its own, and those of the messages that it forwards."""
    forwarded = [part.get("files") for part in _dicts(message.get("attachments"))]
    files = [file for carried in (message.get("files"), *forwarded) for file in _dicts(carried)]
    read = [SlackFile.model_validate(file) for file in files[:MOST_FILES]]
    return tuple(file for file in read if file.id or file.url_private or file.url_private_download)


def _dicts(listed: object) -> list[Json]:
    return [each for each in listed[:MOST_FILES] if isinstance(each, dict)] if isinstance(listed, list) else []


class Removal(SlackModel):
    """A message was deleted or changed, which may remove files."""

    channel: Id
    ts: Ts
    event_ts: Ts | None = None
    deleted_ts: Optional[Ts] = None
    message: Optional[Json] = None
    previous_message: Optional[Json] = None

    @property
    def files(self) -> list[str]:
        """The ids of the removed files."""
        before = {file.id for file in files_of(self.previous_message or {})}
        left = {file.id for file in files_of(self.message or {}) if file.mode != "tombstone"}
        return sorted(file_id for file_id in before - left if file_id)


class _Edit(SlackModel):
    ts: Ts


class Edited(SlackModel):
    """A message after a change. Without `edited` no person changed it; some bots' messages have no user."""

    ts: Ts
    user: Optional[Id] = None
    edited: Optional[_Edit] = None


class FileDeleted(SlackModel):
    file_id: Id


class _Item(SlackModel):
    channel: Id
    ts: Ts | None = None  # a file or a comment has none


class Reaction(SlackModel):
    type: str
    user: Id
    reaction: str
    item: _Item
    item_user: Optional[Id] = None


class SessionStopped(SlackModel):
    channel: Id
    thread_ts: Ts | None = None
    user: Id


# What people do with buttons, shortcuts and windows


class _Named(SlackModel):
    id: Id


class Person(_Named):
    team_id: Optional[Id] = None


class _Below(SlackModel):
    """The message of a button or of a shortcut."""

    ts: Ts
    thread_ts: Ts | None = None
    text: str = ""


class Interaction(SlackModel):
    """A person did something with a message."""

    user: Person
    channel: _Named
    message: _Below
    trigger_id: str = ""

    @property
    def thread(self) -> str:
        return self.message.thread_ts or self.message.ts


class _Action(SlackModel):
    action_id: str
    value: str | None = None
    action_ts: str = ""


class Press(Interaction):
    actions: list[_Action] = Field(min_length=1)

    @property
    def action(self) -> _Action:
        return self.actions[0]


class Value(SlackModel):
    """The content of one of our buttons, as `bots.slack.buttons` writes it."""

    key: Annotated[str, StringConstraints(pattern=r"^slack:", max_length=255)]
    asked: Ts
    about: Ts | None = None
    told: Text = ""


class _Input(SlackModel):
    value: Text


class _Question(SlackModel):
    text: _Input


class _Values(SlackModel):
    question: _Question


class _State(SlackModel):
    values: _Values


class _View(SlackModel):
    id: Id
    private_metadata: str
    state: _State


class Submission(SlackModel):
    """A question that was typed into the shortcut's window."""

    view: _View

    @property
    def question(self) -> str:
        return self.view.state.values.question.text.value

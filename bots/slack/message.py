"""Read Slack's events: who asks what where, and which files belong to it. Calls no one."""

import re
from collections.abc import Sequence

from bots.slack.events import Id, Json, Optional, SlackFile, SlackModel, Text, Ts, files_of
from bots.slack.place import Place
from core.i18n import Translator
from core.pictures.refusals import by_name
from core.revision import Revision

_ADDRESSED = re.compile(r"<(?:@|!subteam\^|!(?:here|channel|everyone)\b)")

ASKING = (None, "file_share", "thread_broadcast", "me_message", "bot_message")  # subtypes of what may be a question


class _Written(SlackModel):
    channel: Id
    ts: Ts
    thread_ts: Ts | None = None
    parent_user_id: Optional[Id] = None
    user: Id | None = None
    bot_id: Optional[Id] = None
    user_team: Optional[Id] = None
    team: Optional[Id] = None
    text: Text | None = None


class Began(SlackModel):
    """A thread's first message, which may be a workflow's."""

    user: Optional[Id] = None


class SlackMessage(SlackModel):
    """A message of a person or an app.

    At the top level `thread` is its own `ts`: every such message begins a conversation. Workflows and webhooks are no
    users; then `user` is the id of their bot, such as B123.
    """

    channel: Id
    ts: Ts
    thread: Ts
    user: Id
    team: Id
    text: str  # as Slack writes it
    files: tuple[SlackFile, ...] = ()
    began: Id | None = None  # who wrote the thread's first message, where Slack says it
    by_app: bool = False  # by a bot, or by an app in a person's name; only Slack knows which

    @staticmethod
    def of(event: Json, team: str) -> "SlackMessage | None":
        """Return the message of an event, or None for joins, edits and deletions. Raises `pydantic.ValidationError`."""
        if event.get("subtype") not in ASKING:
            return None
        written = _Written.model_validate(event)
        user = written.user or written.bot_id
        if user is None:
            return None
        return SlackMessage(
            channel=written.channel,
            ts=written.ts,
            thread=written.thread_ts or written.ts,
            user=user,
            team=written.user_team or written.team or team,
            text=written.text or "",
            files=files_of(event),
            began=written.parent_user_id,
            by_app=bool(event.get("bot_id")),
        )

    @staticmethod
    def at(place: Place) -> "SlackMessage":
        """Return a deleted question: it has no words and no files."""
        return SlackMessage(
            channel=place.channel, ts=place.asked, thread=place.thread, user=place.user, team=place.team, text=""
        )

    @property
    def place(self) -> Place:
        return Place(self.channel, self.thread, self.ts, self.user, self.team)

    def revision(self, edited: str = "") -> Revision:
        """Return what it says. Its files do not count: not all events have them.

        `edited` is the `ts` of the event that tells of an edit; Slack dates the edit itself by whole seconds.
        """
        return Revision.of(int(edited.replace(".", "") or 0), self.text)

    @property
    def direct(self) -> bool:
        return self.channel.startswith("D")

    @property
    def top_level(self) -> bool:
        return self.thread == self.ts

    @property
    def is_of_another(self) -> bool:
        """Whether another person began the thread. If that is unknown, it counts as another's."""
        return not (self.direct or self.top_level or self.began == self.user)

    def mentions(self, bot: str) -> bool:
        return mentions(self.text, bot)

    def conversation(self, workspace: str) -> str:
        return f"slack:{workspace}:{self.channel}:{self.thread}"

    def key(self, workspace: str) -> str:
        """Return the same key for a mention's two events and for every delivery of them."""
        return f"slack:{workspace}:{self.channel}:{self.ts}"


def mentions(text: str, bot: str) -> bool:
    return f"<@{bot}>" in text or f"<@{bot}|" in text


def addresses_somebody(text: str) -> bool:
    """Return whether a person, a group or everyone is mentioned."""
    return bool(_ADDRESSED.search(text))


def pictures(files: Sequence[SlackFile]) -> list[SlackFile]:
    """Return the files that may be pictures. Unknown and deleted ones are checked when their turn comes."""
    return [file for file in files if by_name(file.shown, file.mimetype or "") is None]


def no_picture(files: Sequence[SlackFile], translator: Translator) -> str:
    """Return the error for files that are no pictures: what the first one is, if its name tells."""
    refusal = by_name(files[0].shown, files[0].mimetype or "")
    if refusal is not None:
        return translator.explain(refusal)
    return translator.say("I can only look at pictures and PDF files. Send me one and ask about it.")

"""Describe where an answer goes in Slack."""

from dataclasses import dataclass

from bots.conversing.reactions import Spot
from bots.slack.events import Id, Text, Ts


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a thread. `asked` is the `ts` of the answered message; a stream is first shown to one `user`.

    `told` is a question that was typed into the shortcut's window and is in no message.
    """

    channel: Id
    thread: Ts
    asked: Ts
    user: Id
    team: Id
    told: Text = ""

    @property
    def chat_ids(self) -> tuple[str, str]:
        """The ids of the channel and of the workspace, each of which may be let in whole."""
        return self.channel, self.team

    @property
    def known_user(self) -> str | None:
        """The user, or None for a workflow or a webhook, which is none: to it nothing can be shown."""
        return None if self.user.startswith("B") else self.user

    @property
    def spot(self) -> Spot:
        return Spot(self.channel, self.asked)

    @property
    def direct(self) -> bool:
        return self.channel.startswith("D")

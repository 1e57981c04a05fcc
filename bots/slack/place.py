"""Where in Slack an answer goes."""

from dataclasses import dataclass

from bots.slack.events import Id, Text, Ts


@dataclass(frozen=True, slots=True)
class Place:
    """`asked` is the `ts` of the message that is answered; a stream is shown to one `user` first.

    `told` is a question that was typed into the shortcut's window: it stands in no message.
    """

    channel: Id
    thread: Ts
    asked: Ts
    user: Id
    team: Id
    told: Text = ""

    @property
    def direct(self) -> bool:
        return self.channel.startswith("D")

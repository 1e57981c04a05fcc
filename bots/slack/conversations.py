"""Find the conversation of a message in Slack: it is its thread's.

In a direct message every top-level message begins a thread, while people simply write on. So there a message without a
picture continues the conversation about the last picture, and so does its thread.
"""

from bots.conversing.commands import command_in
from bots.conversing.store import Store
from bots.slack.message import SlackMessage
from bots.slack.platform import SLACK
from bots.slack.text import plain
from core.bounded_dict import BoundedDict

REMEMBERED_CHANNELS = 2000  # direct messages


class Conversations:
    """Knows the conversations of direct messages. `team` is the workspace's id, and `bot` the bot's."""

    def __init__(self, store: Store, team: str, bot: str) -> None:
        self._store = store
        self._team = team
        self._bot = bot
        self._last: BoundedDict[str, str] = BoundedDict(REMEMBERED_CHANNELS)  # the conversation to continue, by channel

    async def of(self, message: SlackMessage) -> str:
        if not (message.direct and message.top_level):
            return await self.of_thread(message.channel, message.thread)
        own = message.conversation(self._team)
        command, _ = command_in(plain(message.text, self._bot), SLACK)
        if message.files or command == "new":
            self.note(message.channel, own)
            return own
        return own if command is not None else await self._last_of(message.channel) or own

    async def of_thread(self, channel: str, thread: str) -> str:
        own = f"slack:{self._team}:{channel}:{thread}"
        if not channel.startswith("D"):
            return own
        return await self._store.conversation_of(own) or own  # the id of a thread is the key of its first message

    def note(self, channel: str, conversation_id: str) -> None:
        """Continue this conversation with what is written in the channel from now on."""
        self._last[channel] = conversation_id

    async def _last_of(self, channel: str) -> str | None:
        known = self._last.get(channel)
        if known is None and (known := await self._store.last_pictured(f"slack:{self._team}:{channel}")):
            self.note(channel, known)
        return known

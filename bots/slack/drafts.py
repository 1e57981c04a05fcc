"""Make the drafts in which answers grow, each in the place of its question."""

from collections.abc import Awaitable, Callable
from functools import partial

from bots.conversing.answer_action import FOLLOW_UPS
from bots.conversing.streamed_reply import ReplyFactory, reply_factory
from bots.slack.api import SlackApi
from bots.slack.buttons import Buttons, Pressed
from bots.slack.config import SlackConfig
from bots.slack.draft import SlackDraft
from bots.slack.inquiry import Inquiry
from bots.slack.place import Place
from bots.slack.sender import Sender
from bots.slack.status import Abilities, Status
from bots.slack.stream import Streams
from core.i18n import Translator
from core.stored_message import StoredMessage


class Drafts:
    """`stop` ends the answer of a conversation, as when Slack's own stop button ends its stream."""

    def __init__(self, config: SlackConfig, slack: SlackApi, stop: Callable[[str], Awaitable[object]]) -> None:
        self._interval = config.interval_seconds
        self._slack = slack
        self._stop = stop
        self._abilities = Abilities(streams=config.streaming == "native")

    def replies(self, inquiry: Inquiry, translator: Translator, keeps_old_answer: bool) -> ReplyFactory:
        """Return what shows the answer to an inquiry."""
        return reply_factory(partial(self._draft, inquiry, translator, keeps_old_answer), translator)

    async def clear_away(self, message: StoredMessage, place: Place) -> None:
        """Let nothing stay of an answer whose question was deleted."""
        await self._sender(message, place).clear_away()

    def _draft(
        self, inquiry: Inquiry, translator: Translator, keeps_old_answer: bool, message: StoredMessage
    ) -> SlackDraft:
        place, pressed = inquiry.place, None
        if inquiry.command in FOLLOW_UPS and inquiry.about is not None:
            pressed = Pressed(inquiry.command, inquiry.key, inquiry.about)
        buttons = Buttons(place, message.key, translator, inquiry.asks_model, pressed)
        status = Status(self._slack, place, self._abilities)
        sender = self._sender(message, place)
        return SlackDraft(self._slack, sender, status, buttons, self._interval, keeps_old_answer)

    def _sender(self, message: StoredMessage, place: Place) -> Sender:
        stopped = partial(self._stop, message.conversation_id)
        return Sender(self._slack, place, message, Streams(self._slack, place, message.key, self._abilities, stopped))

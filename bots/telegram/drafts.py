"""Make the drafts in which answers grow, each below its question."""

from functools import partial

from telegram import Bot
from telegram.constants import ChatAction

from bots.conversing.answer_action import FIRST_QUESTIONS, FOLLOW_UPS
from bots.conversing.background import Background
from bots.conversing.commands import asks_model
from bots.conversing.store import Store
from bots.conversing.streamed_reply import ReplyFactory, reply_factory
from bots.telegram.buttons import RETRY, UNDELIVERED, Buttons
from bots.telegram.config import TelegramConfig
from bots.telegram.draft import TelegramDraft
from bots.telegram.files import Undelivered
from bots.telegram.inquiry import Inquiry
from bots.telegram.leftovers import sweep
from bots.telegram.place import Place, ids_of
from bots.telegram.rate_limit import RateLimit
from bots.telegram.sender import Sender
from bots.telegram.transport import ignoring_errors
from core.i18n import Translator
from core.stored_message import StoredMessage


class Drafts:
    def __init__(
        self,
        config: TelegramConfig,
        bot: Bot,
        store: Store,
        rate_limit: RateLimit,
        undelivered: Undelivered,
        background: Background,
    ) -> None:
        self._config = config
        self._bot = bot
        self._store = store
        self._rate_limit = rate_limit
        self._undelivered = undelivered
        self._background = background

    def replies(self, inquiry: Inquiry, translator: Translator) -> ReplyFactory:
        """Return what shows the answer to an inquiry."""
        return reply_factory(partial(self._draft, inquiry, translator), translator)

    def _draft(self, inquiry: Inquiry, translator: Translator, message: StoredMessage) -> TelegramDraft:
        place = Place(inquiry.chat_id, inquiry.topic, inquiry.message_id)
        stoppable = asks_model(inquiry.command) or inquiry.begins_with_a_question

        def typing() -> None:
            action = self._bot.send_chat_action(place.chat_id, ChatAction.TYPING, message_thread_id=place.thread)
            self._background.start(ignoring_errors(action))

        def found(posted_id: str) -> None:
            self._background.start(sweep(self._bot, self._rate_limit, self._store, place, posted_id))

        first = not message.posted_ids
        sender = Sender(self._rate_limit, place, first, message.resumed and first, found)
        buttons = Buttons(translator, stoppable, partial(self._again, inquiry), hidden=inquiry.in_channel)
        interval, preview = self._config.interval_seconds, self._config.draft_preview
        return TelegramDraft(self._bot, sender, buttons, interval, preview, typing)

    def _again(self, inquiry: Inquiry) -> str:
        """Return the data of a button that repeats the question."""
        if self._undelivered.has(inquiry.chat_id, inquiry.message_id):
            return f"{RETRY}:{UNDELIVERED}"
        if inquiry.command in FOLLOW_UPS and inquiry.about:
            return f"{inquiry.command}:{ids_of(inquiry.about)[1]}"
        return inquiry.command if inquiry.command in FIRST_QUESTIONS else RETRY

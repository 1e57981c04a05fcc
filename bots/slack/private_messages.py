"""Write to people in their conversation with the app: admins about strangers, and askers who cannot be answered."""

import logging
from functools import partial

from bots.conversing import strangers
from bots.conversing.background import Background
from bots.conversing.delivery_errors import Refused
from bots.conversing.request import AnswerRequest
from bots.slack.api import SlackApi, patiently
from bots.slack.buttons import about_stranger
from bots.slack.config import SlackConfig
from bots.slack.events import Json
from core.errors import BotError
from core.i18n import Translator

log = logging.getLogger(__name__)
NOT_THERE = ("not_in_channel", "channel_not_found")
THREAD_GONE = ("cannot_reply_to_message", "thread_not_found", "message_not_found")


class PrivateMessages:
    def __init__(self, config: SlackConfig, slack: SlackApi) -> None:
        self._admins = config.admins
        self._slack = slack
        self._background = Background()

    def ask_admins(self, request: AnswerRequest) -> None:
        """Ask each admin, in the background, whether a stranger is let in."""
        text = strangers.told_to_admins(request)
        for admin in self._admins:
            self._background.start(self._post(admin, text, about_stranger(text, request.asker.person_id)))

    async def say_undelivered(self, person: str, refused: Refused, translator: Translator) -> None:
        """Tell the asker that their answer could not be written where they asked, unless that place is gone."""
        log.warning("an answer could not be delivered: %s", refused)
        if str(refused) in THREAD_GONE or person.startswith("B"):
            return
        if str(refused) in NOT_THERE:
            sentence = translator.say("I cannot write in that channel. Invite me there with /invite, then ask again.")
        else:
            sentence = translator.say("I cannot write in that channel. Please ask me here instead.")
        await self._post(person, sentence)

    async def close(self) -> None:
        await self._background.close()

    async def _post(self, person: str, text: str, blocks: list[Json] | None = None) -> None:
        post = self._slack.client.chat_postMessage
        try:
            await patiently(partial(self._slack.call, post, channel=person, text=text, blocks=blocks))
        except (BotError, Refused) as refused:
            log.info("%s cannot be told: %s", person, refused)

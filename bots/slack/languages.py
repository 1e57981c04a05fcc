"""Which language each person in Slack has set; asked once per person and process."""

import logging
from functools import partial

from bots.slack.access import Declined
from bots.slack.api import SlackApi, patiently
from core.errors import BotError
from core.voice import Voice

log = logging.getLogger(__name__)
KEPT = 2_000  # people whose language is kept in mind


class Languages:
    def __init__(self, slack: SlackApi) -> None:
        self._slack = slack
        self._locales: dict[str, str] = {}

    def known(self, user: str) -> Voice:
        """As far as it was asked before."""
        return Voice(self._locales.get(user, "en"))

    async def voice(self, user: str) -> Voice:
        """English where Slack does not say."""
        if user not in self._locales:
            request = partial(self._slack.call, self._slack.client.users_info, user=user, include_locale=True)
            try:
                answer = await patiently(request, attempts=3)
            except (Declined, BotError) as error:
                log.info("a person's language cannot be seen: %s", error)
                return Voice("en")
            if len(self._locales) >= KEPT:
                self._locales.clear()
            self._locales[user] = str(answer["user"].get("locale") or "en")
        return Voice(self._locales[user])

"""Know what Slack tells about each person: their language, and whether they are a bot."""

import logging
from dataclasses import dataclass
from functools import partial

from bots.slack.access import Declined
from bots.slack.api import SlackApi, patiently
from core.bounded_dict import BoundedDict
from core.errors import BotError
from core.i18n import Translator

log = logging.getLogger(__name__)
REMEMBERED_PEOPLE = 2_000


@dataclass(frozen=True, slots=True)
class _Person:
    language: str = "en"
    is_bot: bool = False


class People:
    """Asks Slack once about each person in the process's life."""

    def __init__(self, slack: SlackApi) -> None:
        self._slack = slack
        self._known: BoundedDict[str, _Person] = BoundedDict(REMEMBERED_PEOPLE)

    def known_translator(self, user: str) -> Translator:
        """Return a translator from what is known, without asking Slack."""
        return Translator(self._known.get(user, _Person()).language)

    def is_known_person(self, user: str) -> bool:
        """Return whether Slack said that they are no bot, without asking Slack."""
        return user in self._known and not self._known[user].is_bot

    async def translator(self, user: str) -> Translator:
        """Return a person's translator. It is English if Slack does not tell."""
        return Translator((await self._person(user) or _Person()).language)

    async def is_bot(self, user: str) -> bool:
        """Return whether a person is a bot, or the id is of a workflow or a webhook.

        Return True if Slack does not tell, because two bots would answer each other for ever.
        """
        person = await self._person(user)
        return person is None or person.is_bot

    async def _person(self, user: str) -> _Person | None:
        if user.startswith("B"):
            return _Person(is_bot=True)
        if user not in self._known:
            request = partial(self._slack.call, self._slack.client.users_info, user=user, include_locale=True)
            try:
                answer = (await patiently(request, attempts=3))["user"]
            except (Declined, BotError) as error:
                log.info("a person cannot be looked up: %s", error)
                return None
            self._known[user] = _Person(str(answer.get("locale") or "en"), bool(answer.get("is_bot")))
        return self._known[user]

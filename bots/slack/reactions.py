"""Set the app's reaction to a message, for which it needs the scope reactions:write."""

from bots.conversing.delivery_errors import RetryLater
from bots.conversing.reactions import Spot, Unsupported
from bots.slack.access import Declined
from bots.slack.api import SlackApi

SCOPE = "reactions:write"
EYES = "eyes"
REMOVING_SHARE = 0.5  # of a minute's removals; when they are used up, no more reactions are added
PAUSE_SECONDS = 5.0
_EVERYWHERE = ("missing_scope", "not_allowed_token_type", "unknown_method", "method_deprecated")


class SlackReacting:
    most = 15  # fewer than Slack lets an app take back in a minute

    def __init__(self, slack: SlackApi) -> None:
        self._slack = slack

    async def add(self, spot: Spot) -> None:
        if self._slack.budget.wait("reactions_remove", REMOVING_SHARE) > 0:
            raise RetryLater(PAUSE_SECONDS)
        try:
            await self._slack.call(
                self._slack.client.reactions_add, channel=spot.chat, timestamp=spot.message, name=EYES
            )
        except Declined as declined:
            if declined.error in _EVERYWHERE:
                raise Unsupported(declined.error) from declined
            if declined.error not in ("already_reacted", "message_not_found"):
                raise

    async def remove(self, spot: Spot) -> None:
        remove = self._slack.client.reactions_remove
        await self._slack.call(remove, channel=spot.chat, timestamp=spot.message, name=EYES)

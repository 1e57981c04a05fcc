"""Say what an inquiry in Slack wants, in the words of all platforms."""

from functools import partial

from bots.conversing.asker import Asker
from bots.conversing.display import DisplayOptions
from bots.conversing.reply_hooks import ReplyHooks
from bots.conversing.request import AnswerRequest
from bots.slack.config import SlackConfig
from bots.slack.files import Files
from bots.slack.inquiry import LOST, Inquiry
from bots.slack.platform import SLACK, in_a_channel
from bots.slack.threads import Threads
from core.i18n import Translator


class Requests:
    def __init__(self, config: SlackConfig, threads: Threads, files: Files, name: str) -> None:
        self._display = DisplayOptions(files=True, receipt=config.receipt)
        follows = config.threads == "follow"
        self._introduction = in_a_channel(name, follows=follows)
        self._bot = "" if follows else f"@{name}"
        self._threads = threads
        self._files = files

    async def of(self, inquiry: Inquiry) -> AnswerRequest:
        message, place = inquiry.message, inquiry.place
        return AnswerRequest(
            conversation_id=message.conversation_id,
            key=message.key,
            platform=SLACK,
            asker=Asker(
                person=f"slack:{place.team}:{place.user}",
                person_id=place.user,
                called=f"<@{place.user}>" if place.known_user else place.user,
                chat_ids=place.chat_ids,
                shared=not place.direct,
                automatic=inquiry.automatic,
            ),
            text=inquiry.text,
            command=inquiry.command,
            files=self._files.attachments(inquiry.asked.files),
            about=inquiry.about,
            quiet=not (place.direct and inquiry.asked.top_level),
            begun_by_another=inquiry.command == "forget" and inquiry.asked.is_of_another,
            display=self._display,
            spot=place.spot if inquiry.is_typed else None,
            introduction=() if place.direct else self._introduction,
            bot="" if place.direct else self._bot,
            hooks=ReplyHooks(may_change_settings=partial(self._began, inquiry)),
        )

    async def _began(self, inquiry: Inquiry) -> bool:
        """Return whether the person, who may only have pressed a button there, began the thread."""
        asked, person = inquiry.asked, inquiry.place.user
        if asked.top_level and not asked.direct:
            return asked.user == person
        return not await self._threads.is_of_another(asked.model_copy(update={"user": person}))


def refusal_of(inquiry: Inquiry, translator: Translator) -> str | None:
    """Return what is said instead of an answer, if nothing can be made of the inquiry."""
    if inquiry.command == LOST:
        return translator.say("I do not remember that answer any more. Please send the picture again.")
    return None

"""What somebody asks of the bot in Slack: by a message, by a button, in the window of the shortcut."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bots.conversing.answer_action import AnswerAction
from bots.conversing.commands import COMMANDS, asks_model, command_in, pressed_question
from bots.conversing.request import forgets
from bots.conversing.store import Store
from bots.slack.message import SlackMessage
from bots.slack.place import Place
from bots.slack.platform import SLACK
from bots.slack.text import plain
from bots.slack.threads import Threads
from bots.slack.written import Asked, Clicked, Lost, Typed
from core.answer import Ending
from core.i18n import Translator
from core.stored_message import StoredMessage

LOST = "lost"  # a button that carries what nothing can be made of
REWRITING = ("retry", AnswerAction.SMALL_PRINT)  # over the old answer


@dataclass(slots=True)
class Inquiry:
    """A question or a command, from a message, a button or a window.

    If a button was pressed, `about` is the `ts` of the message above it, and `key` names the answer in that message. An
    `automatic` one is asked by a bot.
    """

    message: StoredMessage
    asked: SlackMessage
    place: Place
    command: str | None
    text: str
    about: str | None = None
    key: str = ""
    automatic: bool = False
    images: dict[str, list[str]] = field(default_factory=dict)  # of the question: a file's id -> its images'

    @property
    def links(self) -> bool:
        """Whether somebody gave an address."""
        return "http://" in self.asked.text or "https://" in self.asked.text

    @property
    def is_typed(self) -> bool:
        """Whether it is a message in the thread, and no pressed button and no window."""
        return self.about is None and not self.place.told and self.command != LOST

    @property
    def asks_model(self) -> bool:
        """Whether the model answers: a picture alone is kept for the question to come."""
        typed = self.command is not None and self.about is None
        return asks_model(self.command) and bool(self.text or typed)

    def ask_pressed(self, translator: Translator) -> None:
        """Put the question of a button below a picture into words, which "Try again" then repeats."""
        if (question := pressed_question(self.command, translator)) is not None:
            self.command, self.text, self.about = None, question, None
            self.place = replace(self.place, told=question)

    @property
    def is_misplaced(self) -> bool:
        """Whether it is about what a conversation holds, and begins one without any picture."""
        command = COMMANDS.get(self.command or "")
        if command is None or not command.about_conversation or not self.asked.top_level or self.about is not None:
            return False
        return not (command.keeps_files and self.asked.files)


class Inquiries:
    """Reads what was written down, and what stands in the thread there. `bot` is the bot's id."""

    def __init__(self, store: Store, threads: Threads, bot: str) -> None:
        self._store = store
        self._threads = threads
        self._bot = bot

    async def read(self, message: StoredMessage, written: Asked | Clicked | Typed | Lost) -> Inquiry:
        if isinstance(written, Asked):
            asked = written.message
            command, text = command_in(plain(asked.text, self._bot), SLACK)
            return Inquiry(message, asked, asked.place, command, text)
        place = written.place
        if isinstance(written, Lost) or (isinstance(written, Clicked) and await self._is_forged(message, written)):
            return Inquiry(message, SlackMessage.at(place), place, LOST, "")
        asked = await self._threads.question(place)
        text = place.told or plain(asked.text, self._bot)
        if isinstance(written, Typed):
            return Inquiry(message, asked, place, None, text)
        if written.command in REWRITING and not message.posted_ids:
            message = replace(message, posted_ids=await self._threads.answer(place, written.key))
            await self._store.record_posted(message.id, message.posted_ids)  # it carries another key from now on
        return Inquiry(message, asked, place, written.command, text, written.about, written.key)

    async def current(self, message: StoredMessage, asked: SlackMessage) -> SlackMessage | None:
        """Return the question as it is in Slack now, or None if it was deleted.

        What an earlier run began is continued.
        """
        if message.withdrawn:
            return None
        standing = await self._threads.standing(asked) if message.resumed else asked
        return asked if standing and message.posted_ids else standing

    def says_forget(self, asked: SlackMessage) -> bool:
        return command_in(plain(asked.text, self._bot), SLACK)[0] == "forget"

    def forgets(self, asked: SlackMessage) -> bool:
        """Return whether the conversation is forgotten with this message. What another began needs a second word.

        The message alone decides, so that it means the same when it arrives, in its turn and after a restart.
        """
        command, text = command_in(plain(asked.text, self._bot), SLACK)
        return forgets(command, text, asked.is_of_another)

    async def to_store(self, asked: SlackMessage) -> SlackMessage:
        """Return the message with what has to be known of its thread to carry out an order to forget."""
        return await self._threads.with_beginner(asked) if self.says_forget(asked) else asked

    def words(self, inquiry: Inquiry) -> str:
        """Return what the person wrote, by which their language is known. An English command tells nothing of it."""
        said = inquiry.place.told or plain(inquiry.asked.text, self._bot)
        is_order = inquiry.is_typed and inquiry.command in COMMANDS and said.isascii()
        return inquiry.text if is_order else said

    async def keeps_old_answer(self, inquiry: Inquiry) -> bool:
        """Return whether it is written over an answer, which stays until there is a new one.

        A failure or a refusal is none.
        """
        posted_ids: Sequence[str] = inquiry.message.posted_ids
        if inquiry.message.resumed or inquiry.command not in REWRITING or not posted_ids:
            return False
        turn = await self._store.turn_of_posted(SLACK.name, posted_ids[-1], inquiry.message.conversation_id)
        return turn is not None and turn.answer is not None and turn.answer.ending is not Ending.FAILED

    async def _is_forged(self, message: StoredMessage, clicked: Clicked) -> bool:
        """Whether a button names an answer of another conversation, which none of ours ever did."""
        return await self._store.conversation_of(clicked.key) not in (None, message.conversation_id)

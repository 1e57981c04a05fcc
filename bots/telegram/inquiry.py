"""Read what a person asks on Telegram, by one or several messages or by a button."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic.dataclasses import dataclass
from telegram import CallbackQuery, Message, Update, User

from bots.conversing.command import Takes
from bots.conversing.commands import COMMANDS, SHORTHANDS
from bots.telegram.buttons import RETRY, UNDELIVERED
from bots.telegram.message import (
    Author,
    Id,
    TelegramFile,
    author_of,
    carrier_of,
    command_of,
    files_of,
    is_for,
    is_in_channel,
    others_of,
    quoted,
    says_something,
    topic_of,
    words_of,
)
from bots.telegram.place import posted_id
from bots.telegram.press import Text, press_of
from core.i18n import Translator
from core.revision import Shown
from core.storable import storable

QUESTIONS = frozenset({"ask"})  # commands that only say that a question follows


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question of a person.

    `message_id` is the message to reply to, `about` the bot's own message that the question replied to. `others` are
    the files that are no pictures, as `bots.telegram.message` names them. `of_retry` comes from a button below the
    answer to a /retry, `undelivered` from one below the word that Telegram did not deliver a file. `topic` is as in
    `bots.telegram.place.Place`. It is `pressed` if it comes from any button. `carriers` name its messages, as
    `bots.telegram.message.carrier_of` does. `replaces` is as in `bots.conversing.request.AnswerRequest`.
    """

    chat_id: Id
    message_id: Id
    asker: Author | None
    text: Text = ""
    command: Text | None = None
    files: tuple[TelegramFile, ...] = ()
    others: tuple[Text, ...] = ()
    about: str | None = None
    of_retry: bool = False
    undelivered: bool = False
    topic: Id = 0
    pressed: bool = False
    in_channel: bool = False
    carriers: tuple[str, ...] = ()
    replaces: str | None = None

    @property
    def shown(self) -> Shown:
        return Shown(self.carriers, tuple(file.stored for file in self.files if file.stored))

    @property
    def is_in_group(self) -> bool:
        return self.chat_id < 0

    @property
    def begins_with_a_question(self) -> bool:
        return self.command == "new" and bool(self.text or self.files)

    @property
    def is_strange(self) -> bool:
        """Whether it shows something, but no picture."""
        return bool(self.others) and not self.files and self.command is None


def read(updates: Sequence[Update], me: User) -> Inquiry | None:
    """Return the question of one update, or of all that belong together; None if the bot is not asked."""
    query = updates[0].callback_query
    if query is not None:
        return _asked_by_button(query, me)
    messages = [update.message for update in updates if update.message]
    if not any(is_for(me, message) for message in messages) or not any(map(says_something, messages)):
        return None
    return inquiry_of(messages, me)


def inquiry_of(messages: Sequence[Message], me: User) -> Inquiry:
    """Return what messages that belong together ask, whether they are meant for the bot or not."""
    messages = sorted(messages, key=lambda message: message.message_id)
    main = next((message for message in messages if message.text or message.caption), messages[0])
    own = [file for message in messages for file in files_of(message)]
    files, about = own, None
    replied = main.reply_to_message
    if replied and not replied.forum_topic_created:
        files = [*files_of(replied), *files]
        if replied.from_user and replied.from_user.id == me.id:
            about = posted_id(replied)
    if main.external_reply:
        files = [*files_of(main.external_reply), *files]
    command, words = _command(main, me, bool(files))
    if command in COMMANDS and command not in ("new", "closer"):
        files = own  # a command is not about the picture that it replies to
    names_somebody = command in COMMANDS and COMMANDS[command].takes is Takes.PERSON
    if names_somebody and not words and replied and (somebody := author_of(replied)) and somebody.id != me.id:
        words = str(somebody.id)
    more = [_other_caption(main, message, me) for message in messages if message is not main]
    text = "\n\n".join(filter(None, [words, *more]))
    others = tuple(kind for message in messages for kind in others_of(message))
    asker = author_of(main)
    topic, text = topic_of(main), storable(text)
    asked = Inquiry(main.chat.id, main.message_id, asker, text, command, tuple(files), others, about, topic=topic)
    return replace(asked, in_channel=is_in_channel(main), carriers=tuple(map(carrier_of, messages)))


def _command(message: Message, me: User, shows: bool) -> tuple[str | None, str]:
    """Return a message's command and the words behind it.

    An unknown command is a question if there is something to look at, and a request for help otherwise.
    """
    command, _ = command_of(message)
    words = words_of(message, me)
    if command is None:
        return None, words
    rest = "".join(words.split(maxsplit=1)[1:])
    if command in QUESTIONS or (command == "help" and shows):
        return None, rest
    if command in SHORTHANDS:
        translator = Translator(message.from_user.language_code if message.from_user else None).for_question(rest)
        question = SHORTHANDS[command].asked(rest, translator)
        return (None, question) if question else (command, rest)
    if command in COMMANDS:
        return command, rest
    return (None, words.removeprefix("/")) if shows else ("help", rest)


def _other_caption(main: Message, message: Message, me: User) -> str:
    """Return another message's caption: the asker's own words, or another person's words below a forwarded picture."""
    words = words_of(message, me)
    return quoted(words) if message.forward_origin and not main.forward_origin else words


def _asked_by_button(query: CallbackQuery, me: User) -> Inquiry | None:
    """Return what a button below an answer asks about the message that the answer replies to."""
    press = press_of(query)
    if press is None or not press.is_command or not isinstance(query.message, Message):
        return None
    question = query.message.reply_to_message or query.message
    own = question.from_user is not None and question.from_user.id == me.id  # the question is deleted
    asked = Inquiry(press.chat_id, question.message_id, press.asker) if own else inquiry_of([question], me)
    command, _, more = press.data.partition(":")
    undelivered = more == UNDELIVERED
    answer = press.message_id if undelivered else more or press.message_id  # a refusal's button may name the answer
    about = f"{press.chat_id}:{answer}"
    return replace(
        asked,
        asker=press.asker,
        command=command,
        about=about,
        of_retry=asked.command == RETRY,
        undelivered=undelivered,
        topic=topic_of(query.message),
        pressed=True,
    )

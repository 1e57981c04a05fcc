"""Define what a person wants. Adapters make an `AnswerRequest` of a message; `bots.conversing.answering` answers it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bots.conversing.asker import Asker
from bots.conversing.display import DisplayOptions
from bots.conversing.platform import Platform
from bots.conversing.reactions import Spot
from bots.conversing.reply_hooks import ReplyHooks
from core.image import Image
from core.note import Note
from core.regions import Region
from core.revision import Shown
from core.small_talk import is_small_talk

EVERYTHING = frozenset({"all", "everything", "全部", "所有"})  # second words that forget for everyone


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message. `read` downloads it and raises `BotError`; photos have no `name`."""

    read: Callable[[], Awaitable[bytes]]
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRequest:
    """What a person wants."""

    conversation_id: str
    key: str  # of the message
    platform: Platform
    asker: Asker
    text: str = ""
    command: str | None = None
    files: tuple[Attachment, ...] = ()  # downloaded when the request is answered
    images: tuple[Image, ...] = ()  # opened before
    about: str | None = None  # the platform's id of the bot's message that this one replies to
    pictures: tuple[int, ...] | None = None  # the numbers of those that it is about, if people choose them
    region: Region | None = None  # the part that it is about, of its one chosen picture
    document: str = ""  # the digest of the conversation's document, if it is about pages of no other
    pages: tuple[int, ...] = ()  # of that document, chosen instead of named
    opens_pages: bool = True  # those that it names of the conversation's document
    alone: bool = False  # pictures that wait in the conversation are left to later questions
    turn: int = 0  # number of the turn that gets these words, from 1; 0: it is a question of its own
    quiet: bool = False  # thanks and laughter are ignored, as among people and in threads
    begun_by_another: bool = False  # the conversation was, so it is forgotten only after asking again
    notes: tuple[str, ...] = ()  # about attachments that are not looked at, for the line below the answer
    shown: Shown = field(default=Shown())  # by the messages, if people can edit which files these show
    spot: Spot | None = None  # the message to be marked until it is answered
    introduction: tuple[Note, ...] = ()  # above the commands in the help, where it is not the platform's
    bot: str = ""  # its name, such as @picture_bot, where commands have to name it
    display: DisplayOptions = field(default=DisplayOptions())
    hooks: ReplyHooks = field(default=ReplyHooks())
    keeps: bool = True  # or else it is forgotten once it is answered; set by the dispatcher
    replaces: str | None = None  # the key of the answer to what an edited question, or a torn album, asked before

    @property
    def wants_nothing(self) -> bool:
        """Whether this is thanks or laughter, where an answer would only disturb people."""
        return self.quiet and not (self.command or self.files) and is_small_talk(self.text)

    @property
    def chooses(self) -> bool:
        """Whether its pictures are chosen by their numbers. They are in the conversation already."""
        return self.pictures is not None

    @property
    def forgets(self) -> bool:
        return forgets(self.command, self.text, self.begun_by_another)

    def here(self, command: str) -> str:
        """Return a command as it is written in this chat: where others write, it may have to name the bot."""
        if not self.bot:
            return command
        word, _, rest = command.partition(" ")
        return f"{word}{self.bot} {rest}".rstrip() if self.platform.prefix else f"{self.bot} {command}"


def forgets(command: str | None, text: str, begun_by_another: bool) -> bool:
    """Return whether a command to forget is carried out. What another person began needs a second word for it."""
    return command == "forget" and (not begun_by_another or text.strip().lower() in EVERYTHING)

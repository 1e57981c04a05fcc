"""Define what a person wants. Adapters make an `AnswerRequest` of a message; `bots.conversing.answering` answers it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bots.conversing.answer_action import AnswerAction
from bots.conversing.display import DisplayOptions
from bots.conversing.events import File
from bots.conversing.platform import Platform
from bots.conversing.reactions import Spot
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


async def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """What a person wants.

    `files` are downloaded when their turn comes. `about` is the platform's id of the bot's message that this one
    replies to. `pictures` are numbers of the pictures it is about, if people choose them; `images` were opened before.
    `person` is who asks, for the quotas; `user` is the platform's id of them, as `admins` are, and `called` the name
    that its people see. `places` are ids of the chat, and of what it belongs to, which may be let in whole. In a
    `shared` conversation others can write; one that is `begun_by_another` is forgotten only after asking again. `quiet`
    ignores thanks and laughter, among people and in threads. `notes` are sentences about attachments that are not
    looked at, for the line below the answer. `spot` is the message to be marked until it is answered. With a `region`
    it is about that part of its one chosen picture. `replaces` is the key of the answer to earlier words of an edited
    question. `introduction` stands above the commands in the help, where it is not the platform's: what works in this
    chat, and how the bot is named there. `bot` is its name, such as @picture_bot, where commands have to name it.
    Unless it `keeps`, it is forgotten once it is answered. A bot, a workflow or a channel's post asks an `automatic`
    one.
    """

    conversation_id: str
    key: str
    platform: Platform
    person: str
    text: str = ""
    command: str | None = None
    files: tuple[Attachment, ...] = ()
    about: str | None = None
    quiet: bool = False
    shared: bool = False
    begun_by_another: bool = False
    notes: tuple[str, ...] = ()
    stopped: Callable[[], bool] = field(default=lambda: False)  # it was stopped before it was running
    made: Callable[[int, Sequence[Image]], Awaitable[None]] | None = None  # gets the pictures that the n-th file became
    shown: Shown = field(default=Shown())  # by the messages, if people can edit which files these show
    display: DisplayOptions = field(default=DisplayOptions())
    offer: Callable[[tuple[AnswerAction, ...]], None] | None = None  # told what else can be had, before the answer ends
    user: str = ""
    called: str = ""
    places: tuple[str, ...] = ()
    admins: frozenset[str] = frozenset()
    may_change_settings: Callable[[], Awaitable[bool]] = _always  # of the conversation; may ask the platform
    noted: Callable[[str], None] | None = None  # told what is left out, where the platform says so itself
    pictures: tuple[int, ...] | None = None
    region: Region | None = None
    images: tuple[Image, ...] = ()
    spot: Spot | None = None
    replaces: str | None = None
    introduction: tuple[Note, ...] = ()
    bot: str = ""
    keeps: bool = True
    automatic: bool = False
    turns_pages: bool = True  # to those that it names of the conversation's document
    alone: bool = False  # pictures that wait in the conversation are left to later questions
    pages: tuple[int, ...] = ()  # of that document, chosen instead of named
    document: str = ""  # its digest, if these are pages of no other
    turn: int = 0  # number of the turn that gets these words, from 1; 0: it is a question of its own

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

    @property
    def chat(self) -> str:
        """The chat, or the person if they are alone with the bot."""
        return self.places[0] if self.shared and self.places else self.user

    @property
    def known_as(self) -> str:
        """Who asks and, among others, in which chat: the ids that an admin needs to let them in."""
        return self.user if self.chat == self.user else f"{self.user} ({self.chat})"

    def here(self, command: str) -> str:
        """Return a command as it is written in this chat: where others write, it may have to name the bot."""
        if not self.bot:
            return command
        word, _, rest = command.partition(" ")
        return f"{word}{self.bot} {rest}".rstrip() if self.platform.prefix else f"{self.bot} {command}"

    @property
    def asker(self) -> str | None:
        """Who asks, in a conversation of several people."""
        return self.person if self.shared else None


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command says, and the files before it."""

    text: str = ""
    files: tuple[File, ...] = ()


def forgets(command: str | None, text: str, begun_by_another: bool) -> bool:
    """Return whether an order to forget is carried out. What another person began needs a second word for it."""
    return command == "forget" and (not begun_by_another or text.strip().lower() in EVERYTHING)

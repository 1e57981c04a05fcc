"""What a person wants of the bot: an adapter reads its messages into `Request`s, `bots.conversing.answering` answers
them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bots.conversing.actions import AnswerAction, DisplayOptions
from bots.conversing.draft import File
from bots.conversing.platform import Platform
from core.conversation import Image
from core.small_talk import is_small_talk

EVERYTHING = frozenset({"all", "everything", "全部", "所有"})  # what makes an order to forget one for everybody


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message. `read` downloads it and raises `BotError`; photos have no `name`."""

    read: Callable[[], Awaitable[bytes]]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """`files` are downloaded when their turn has come. `about` is the platform's id of the bot's message that this one
    replies to. `person` is who asks, for the quotas: platform and id. `admins` are ids alone.

    Others can write in a `shared` conversation, and somebody else began one that is `anothers`. `quiet` leaves thanks
    and laughter alone: among people, and in threads. `notes` are sentences about what stands beside the files and is
    not looked at: the answer's receipt says them.
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
    anothers: bool = False
    notes: tuple[str, ...] = ()
    stopped: Callable[[], bool] = field(default=lambda: False)  # somebody wanted it stopped before it was running
    made: Callable[[int, Image], Awaitable[None]] | None = None  # told of the pictures that the n-th file became
    display: DisplayOptions = field(default=DisplayOptions())
    offer: Callable[[tuple[AnswerAction, ...]], None] | None = None  # told what else can be had, before the answer ends
    admins: frozenset[str] = frozenset()

    @property
    def wants_nothing(self) -> bool:
        """Thanks or laughter where an answer would only disturb people."""
        return self.quiet and not (self.command or self.files) and is_small_talk(self.text)

    @property
    def forgets(self) -> bool:
        return forgets(self.command, self.text, self.anothers)

    @property
    def asker(self) -> str | None:
        """Who asks, where several people do."""
        return self.person if self.shared else None

    @property
    def user(self) -> str:
        """The platform's id of who asks."""
        return self.person.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command says, and the files that come before it."""

    text: str = ""
    files: tuple[File, ...] = ()


def forgets(command: str | None, text: str, anothers: bool) -> bool:
    """Whether an order to forget is carried out: what somebody else began only with a second word that says so."""
    return command == "forget" and (not anothers or text.strip().lower() in EVERYTHING)

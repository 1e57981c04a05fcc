"""What a person wants of the bot: an adapter reads its messages into `Request`s, `bots.response` answers them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bots.extras import Offer, Wishes
from core.conversation import Image

COMMANDS = frozenset(
    {"start", "help", "new", "pictures", "remove", "export", "forget", "stop", "retry", "stats", "block", "unblock"}
)


@dataclass(frozen=True, slots=True)
class Request:
    """`files` are downloaded when their turn has come; each raises `BotError`. `about` is the platform's id of the
    bot's message that this one replies to. `person` is who asks, for the quotas: door and id. `admins` are ids alone.
    `help` is what /help says."""

    conversation_id: str
    key: str
    person: str
    text: str = ""
    command: str | None = None
    files: tuple[Callable[[], Awaitable[bytes]], ...] = ()
    about: str | None = None
    help: str = ""
    stopped: Callable[[], bool] = field(default=lambda: False)  # somebody wanted it stopped before it was running
    made: Callable[[int, Image], Awaitable[None]] | None = None  # told of the pictures that the n-th file became
    wishes: Wishes = field(default=Wishes())
    offer: Callable[[tuple[Offer, ...]], None] | None = None  # told what else of the answer can be had, before it ends
    admins: frozenset[str] = frozenset()

    @property
    def door(self) -> str:
        return self.person.partition(":")[0]

    @property
    def slash(self) -> str:
        """What stands before a command: Slack's slash commands do not work in threads."""
        return "/" if self.door == "telegram" else ""

    @property
    def user(self) -> str:
        """The platform's id of who asks."""
        return self.person.rpartition(":")[2]

"""Define who asks, and in which chat."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The person whose message is answered."""

    person: str  # their platform and their id there, as in telegram:42, for the quotas
    person_id: str = ""  # that id alone, as admins write it
    called: str = ""  # the name that their people see
    chat_ids: tuple[str, ...] = ()  # of the chat, and of what it belongs to, which may be let in whole
    shared: bool = False  # others can write in the conversation
    automatic: bool = False  # it is a bot, a workflow or a channel's post
    admin: bool = False  # they may decide who is let in

    @property
    def chat(self) -> str:
        """The chat, or the person if they are alone with the bot."""
        return self.chat_ids[0] if self.shared and self.chat_ids else self.person_id

    @property
    def known_as(self) -> str:
        """Who asks and, among others, in which chat: the ids that an admin needs to let them in."""
        return self.person_id if self.chat == self.person_id else f"{self.person_id} ({self.chat})"

    @property
    def person_if_shared(self) -> str | None:
        """Who asks, in a conversation of several people."""
        return self.person if self.shared else None

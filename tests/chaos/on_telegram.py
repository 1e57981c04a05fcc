"""Somebody on Telegram: alone with the bot, or in a topic of a group."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.bots.telegram.conftest import PLACEHOLDERS, is_finished
from tests.bots.telegram.person import Person as Sender
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.world import Chat, Json
from tests.chaos.people import PDF, Book, Person, is_document, own, without_introduction
from tests.chaos.stubborn import StubbornWorld

FIRST = 10_000  # of their ids
TOPIC = 3
MENTION = "@picture_bot"
IN_GROUPS = ("leaves a picture", "spends the quota", "stops one of two")


class OnTelegram(Person):
    """One in five is in a group. Several pictures come as an album. `is_untold` tells of a message of the bot, by its
    chat, its id and when it was posted, whether whoever posted it may never have learned of that."""

    platform = "telegram"

    def __init__(
        self,
        telegram: BotApi,
        number: int,
        kind: str,
        book: Book,
        dice: random.Random,
        copies: int = 1,
        is_untold: Callable[[int, int, float], bool] = lambda chat_id, message_id, posted: False,
    ) -> None:
        super().__init__(number, kind, book, dice, copies)
        assert isinstance(telegram.world, StubbornWorld)
        self.world = telegram.world
        self._telegram = telegram
        self._is_untold = is_untold
        self._topics = 0  # besides the first one
        self._group = kind in IN_GROUPS or (kind == "asks twice" and number % 5 == 4)
        chat_id = FIRST + number
        self.chat: Chat = self.world.chat(-chat_id if self._group else chat_id, forum=self._group)

    # What they do

    async def ask(self, text: str, pictures: Sequence[bytes] = (), who: int = 0) -> str:
        sender = self._sender(who)
        if self._group:
            command, _, rest = text.partition(" ")
            text = f"{command}{MENTION} {rest}" if text.startswith("/") else f"{MENTION} {text}".rstrip()
        album = f"album {self.number}" if len(pictures) > 1 else None
        with self._arriving():
            if not pictures:
                return _place(sender.says(text))
            if is_document(pictures[0]):
                return _place(sender.sends_file(pictures[0], "paper.pdf", PDF, text))
            shown = [
                sender.shows(picture, "" if index else text, album=album) for index, picture in enumerate(pictures)
            ]
        return _place(shown[0])

    async def ask_anew(self, text: str, pictures: Sequence[bytes] = ()) -> str:
        """In the next topic of their group."""
        self._topics += 1
        return await self.ask(text, pictures)

    async def order(self, command: str) -> str:
        return await self.ask(f"/{command}")

    async def set(self, name: str) -> str:
        return await self.order(f"settings {name} off")

    async def rate(self, place: str) -> bool:
        with self._arriving():
            self._sender().reacts(self._finished(place)[0], "👍")
        return False

    async def stop(self, place: str) -> None:
        """By the button below what is being written, if it can be seen already; or in words."""
        growing = [message for message in self.chat.answers_to(int(place)) if not is_finished(message)]
        if growing and self.dice.random() < 0.5:
            with self._arriving():
                self._sender().presses(growing[0])
        else:
            self.wants(await self.order("stop"), own, least=0)

    async def edit(self, place: str, text: str) -> None:
        message = self.chat.messages[int(place)]  # all its edits come within one second, as far as Telegram tells
        message.update({"text" if "text" in message else "caption": text, "edit_date": message["date"]})
        with self._arriving():
            self._telegram.update(edited_message=message)

    def forward(self, comment: str, pictures: Sequence[bytes]) -> tuple[str, ...]:
        """Several messages at the same moment, the comment first."""
        sender = self._sender()
        more: Json = {"forward_origin": {"type": "hidden_user", "date": 1_795_000_000, "sender_user_name": "Somebody"}}
        more |= {"media_group_id": f"album {self.number}"} if len(pictures) > 1 else {}
        with self._arriving():
            sent = [sender.says(comment)]
            for index, picture in enumerate(pictures):
                file_id = f"forwarded-{self.number}-{index}"
                self.world.files[file_id] = picture
                size = {"file_id": file_id, "file_unique_id": file_id, "file_size": len(picture)}
                sent.append(sender.sends(photo=[{**size, "width": 1280, "height": 960}], **more))
        return tuple(map(_place, sent))

    def forbid_edits(self) -> None:
        self.world.forbids_edits.add(self.chat.id)

    def forbid_uploads(self) -> None:
        self.world.forbids_uploads.add(self.chat.id)

    # What they see

    def found(self, place: str) -> list[str]:
        return [_said(message) for message in self._finished(place)]

    def begun(self, place: str) -> bool:
        return any(message.get("text") not in PLACEHOLDERS for message in self.chat.answers_to(int(place)))

    def file(self, place: str) -> bytes:
        [message] = self._finished(place)
        return self.world.files[message["document"]["file_id"]]

    def everything(self) -> list[str]:
        return [_said(message) for message in self.chat.by_bot() if is_finished(message)]

    def shown(self) -> list[str]:
        return [f"{self.chat.id}:{message['message_id']}" for message in self.chat.by_bot() if is_finished(message)]

    def untold(self, place: str) -> int:
        """What has always said the same was posted whole, and was never edited."""
        states = {message["message_id"]: self.chat.states[message["message_id"]] for message in self._finished(place)}
        whole = {id: shown[0][0] for id, shown in states.items() if len({text for _, text in shown}) == 1}
        return sum(self._is_untold(self.chat.id, id, posted) for id, posted in whole.items())

    def marks(self) -> list[str]:
        return [f"{self.chat.id}:{id}" for id in self.chat.reactions]

    def leftovers(self) -> dict[str, float]:
        left = [message["message_id"] for message in self.chat.by_bot() if not is_finished(message)]
        return {f"{self.chat.id}:{id}": self.chat.states[id][0][0] for id in left}

    def in_order(self) -> bool:
        shown = [message for wish in self.display for place in wish.places for message in self._finished(place)]
        ends = [self.chat.states[message["message_id"]][-1][0] for message in shown]
        return ends == sorted(ends)

    @property
    def conversation(self) -> str:
        return f"telegram:{self.chat.id}:{TOPIC if self._group else 0}"

    def _finished(self, place: str) -> list[Json]:
        return [message for message in self.chat.answers_to(int(place)) if is_finished(message)]

    def _sender(self, who: int = 0) -> Sender:
        user = FIRST + self.number + 1_000_000 * who
        return Sender(self._telegram, self.chat, user, topic=TOPIC + self._topics if self._group else None)

    @contextmanager
    def _arriving(self) -> Iterator[None]:
        """What is sent meanwhile arrives as often as this person's messages do."""
        self._telegram.copies = self.copies
        try:
            yield
        finally:
            self._telegram.copies = 1


def _place(message: Json) -> str:
    return str(message["message_id"])


def _said(message: Json) -> str:
    content: Any = message.get("text") or message.get("document", {}).get("file_name") or message.get("caption", "")
    return without_introduction(str(content))

"""Takes updates in: what is of interest is written down for the desk; Stop and thumbs are seen to at once."""

from telegram import CallbackQuery, Message, MessageReactionUpdated, ReactionTypeEmoji, Update, User

from bots.house import House
from bots.telegram.buttons import ORDERS, STOP
from bots.telegram.clerk import Clerk
from bots.telegram.inquiry import conversation_of, is_for
from bots.telegram.place import sent_id
from core.voice import Voice


class Reception:
    """`me` is the bot itself."""

    def __init__(self, clerk: Clerk, me: User, house: House) -> None:
        self._clerk = clerk
        self._desk = clerk.desk
        self._me = me
        self._store = house.store

    async def receive(self, update: Update) -> None:
        """Returns once the update is on disk, or was of no interest. Raises `BotError` when the disk fails."""
        key = f"telegram:{self._me.id}:{update.update_id}"
        if update.callback_query:
            await self._receive_button(key, update, update.callback_query)
        elif message := update.message:
            await self._receive_message(key, update, message)
        elif reaction := update.message_reaction:
            await self._receive_reaction(reaction)

    async def _receive_message(self, key: str, update: Update, message: Message) -> None:
        if not message.migrate_to_chat_id and not _by_person(message):
            return
        in_album = message.media_group_id is not None  # its caption may stand on another picture
        if not in_album and not message.migrate_to_chat_id and not is_for(self._me, message):
            return
        conversation_id = conversation_of(message)
        stops = _is_stop(message) and await self._clerk.may(message.from_user, message.chat.id)
        if stops and await self._desk.stop_once(key, conversation_id, update.to_json()):
            return
        await self._desk.inbox.receive(key, conversation_id, update.to_json(), message.media_group_id)

    async def _receive_button(self, key: str, update: Update, query: CallbackQuery) -> None:
        if not isinstance(query.message, Message):
            self._clerk.later(query.answer())
            return
        voice = Voice(query.from_user.language_code)
        conversation_id = conversation_of(query.message)
        if not self._clerk.allows(query.from_user, query.message.chat.id):
            self._clerk.later(
                query.answer(voice.explain(self._clerk.stranger(query.from_user, query.message.chat.id))[:200])
            )
        elif await self._desk.is_blocked(str(query.from_user.id)):
            self._clerk.later(query.answer())
        elif query.data == STOP and self._desk.stop(conversation_id):
            self._clerk.later(query.answer(voice.say("Stopping …")))
        elif query.data == STOP:
            self._clerk.later(query.answer(voice.say("This is finished already.")))
            if query.message.text == voice.say("One moment …"):  # posted, but killed before it was written down
                self._clerk.later(query.message.delete())
        elif query.data and query.data.partition(":")[0] in ORDERS:
            # One press of one button counts, however often it is pressed.
            key = f"telegram:{self._me.id}:{query.data}:{sent_id(query.message)}"
            await self._desk.inbox.receive(key, conversation_id, update.to_json())
            self._clerk.later(query.answer())

    async def _receive_reaction(self, reaction: MessageReactionUpdated) -> None:
        """A thumb rates an answer; not written down first, a lost one is no loss."""
        emoji = {kind.emoji for kind in reaction.new_reaction if isinstance(kind, ReactionTypeEmoji)}
        rating = 1 if "👍" in emoji else -1 if "👎" in emoji else 0
        if self._store.ratings and await self._clerk.may(reaction.user, reaction.chat.id):
            await self._store.rate_sent("telegram", f"{reaction.chat.id}:{reaction.message_id}", rating)


def _by_person(message: Message) -> bool:
    """An anonymous admin of a group shows up as a bot who speaks for the group."""
    sender = message.from_user
    return sender is not None and (not sender.is_bot or message.sender_chat == message.chat)


def _is_stop(message: Message) -> bool:
    words = (message.text or "").lower().split()
    return bool(words) and words[0].partition("@")[0] == "/stop"

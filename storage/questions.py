"""Store questions with their pictures and answers, all together or not at all.

Each function is one step inside a transaction that its caller opened.
"""

import secrets
from collections.abc import Callable, Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from core.answer import Answer, Ending
from core.conversation import Picture, Turn
from core.errors import ConversationGone
from core.image import Image
from core.pictures.kept_document import KeptDocument
from core.pseudonym import pseudonym
from core.stored_message import StoredMessage
from storage import conversations, documents, files, messages, pictures, turns
from storage.conversation_row import ensure, locked

PROBE_BYTES = 8192  # more than a page
Payload = Callable[[Sequence[int], Sequence[int]], str]  # of a question, by its pictures' numbers and the new of these


async def put(
    connection: AsyncConnection,
    now: float,
    adapter: str,
    key: str,
    conversation_id: str,
    images: Sequence[Image],
    payload: Payload,
    person: str,
    digest: str | None = None,
    document: KeptDocument | None = None,
    most: int = 0,
    begins: bool = True,
) -> StoredMessage | None:
    """Store a message with its pictures, and the document whose pages they are.

    `payload` gets their numbers, and which of these are new. `digest` tells what came with the key. Raises
    `EarlierQuestionsWait` if so many of the conversation's messages as `most` wait already; 0 is no limit. Unless it
    `begins` a conversation, it raises `ConversationGone` if there is none.
    """
    if await messages.is_known(connection, key):
        return None
    row = await locked(connection, conversation_id)  # others that would write in the conversation wait
    if row is None and not begins:
        raise ConversationGone
    first = 1 if row is None else row.next_number
    if most:
        await messages.check_waiting(connection, conversation_id, most)
    numbers = await add_pictures(connection, now, conversation_id, images, person) if images else []
    if document is not None:
        await keep_document(connection, now, conversation_id, person, document, begins=False)
    written = payload(numbers, [number for number in numbers if number >= first])
    return await messages.put(connection, now, adapter, key, conversation_id, written, digest=digest)


async def take_back(connection: AsyncConnection, message: StoredMessage, numbers: Sequence[int]) -> Collection[str]:
    """Delete a refused question with its pictures."""
    await messages.take_back(connection, message.id)
    return await conversations.take_back(connection, message.conversation_id, numbers)


async def save(
    connection: AsyncConnection,
    now: float,
    conversation_id: str,
    turn: Turn,
    key: str,
    replaces: str | None = None,
    person: str | None = None,
) -> None:
    """Save a finished turn. `replaces` is the key of a turn that it replaces, `person` is who asked."""
    asked_by = None if person is None else pseudonym(person)
    await turns.save(connection, now, conversation_id, turn, key, replaces, asked_by)
    await _belong(connection, conversation_id, [picture.image for picture in turn.pictures], person)


async def add_pictures(
    connection: AsyncConnection,
    now: float,
    conversation_id: str,
    images: Sequence[Image],
    person: str | None = None,
    first: int | None = None,
    *,
    begins: bool = True,
) -> list[int]:
    """Store pictures that wait for their question, all or none, and return their numbers. For `begins` see `put`."""
    numbers = await conversations.add_pictures(connection, now, conversation_id, images, first, begins)
    await _belong(connection, conversation_id, images, person)
    return numbers


async def keep_document(
    connection: AsyncConnection, now: float, conversation_id: str, person: str, document: KeptDocument, begins: bool
) -> None:
    """Keep a conversation's document. One that does not exist begins with it, or else nothing is kept."""
    row = await (ensure(connection, conversation_id, now) if begins else locked(connection, conversation_id))
    if row is not None:
        await documents.keep(connection, conversation_id, person, document)


async def forget(
    connection: AsyncConnection, now: float, conversation_id: str, key: str | None = None
) -> tuple[tuple[str, ...], Collection[str]]:
    """Return what `messages.forget` and `conversations.forget` return."""
    image_ids = await conversations.forget(connection, conversation_id)
    await files.forget(connection, conversation_id)
    return await messages.forget(connection, now, conversation_id, key), image_ids


async def forget_answered(
    connection: AsyncConnection, now: float, conversation_id: str, key: str
) -> Collection[str] | None:
    """Delete all of a conversation but its settings and what waits for a question, if `key` was answered there.

    The message is finished with that, so that its words go, and no crash lets it be asked again. Return the ids of
    images that no conversation shows any more, or None if `key` was not answered.
    """
    if await turns.answered(connection, key) is None:
        return None
    await messages.finish(connection, now, await messages.together(connection, key))
    await files.forget(connection, conversation_id)
    await messages.close_edits(connection, conversation_id)
    return await conversations.empty(connection, conversation_id)


async def move(connection: AsyncConnection, conversation_id: str, new_id: str) -> bool:
    """Move a conversation with its messages and files."""
    if not await conversations.move(connection, conversation_id, new_id):
        return False
    await messages.move(connection, conversation_id, new_id)
    await files.move(connection, conversation_id, new_id)
    return True


async def try_out(connection: AsyncConnection, now: float) -> None:
    """Write a question with a picture and its answer, then take all of it back. Fails if nothing can be written now."""
    name = f"check:{secrets.token_hex(8)}"  # replicas may check at the same time
    image = Image(name, bytes(PROBE_BYTES), 1, 1, (1, 1))
    message = await put(connection, now, "check", name, name, [image], lambda numbers, new: str(numbers), name)
    turn = Turn("?", (Picture(1, image),), Answer("!", Ending.DONE))
    await save(connection, now, name, turn, name, person=name)
    await conversations.forget(connection, name)
    if message is not None:
        await messages.take_back(connection, message.id)


async def _belong(
    connection: AsyncConnection, conversation_id: str, images: Sequence[Image], person: str | None
) -> None:
    if person is not None and images:
        await pictures.set_sender(connection, conversation_id, [image.id for image in images], pseudonym(person))

"""Questions, their pictures and their answers: what is written down of them together, or not at all.

Each function is one step inside a transaction that its caller opened.
"""

import secrets
from collections.abc import Callable, Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from core.conversation import Answer, Ending, Image, Picture, Turn
from core.inbox import Message
from core.pseudonym import pseudonym
from storage import conversations, messages, pictures

PROBE_BYTES = 8192  # more than a page
Payload = Callable[[Sequence[int], Sequence[int]], str]  # of a question, by its pictures' numbers and the new of these


async def put(
    connection: AsyncConnection,
    adapter: str,
    key: str,
    conversation_id: str,
    images: Sequence[Image],
    payload: Payload,
    person: str,
    now: float,
) -> Message | None:
    if await messages.is_known(connection, key):
        return None
    first = await conversations.next_number(connection, conversation_id)
    numbers = await add_pictures(connection, conversation_id, images, person, now) if images else []
    written = payload(numbers, [number for number in numbers if number >= first])
    return await messages.put(connection, adapter, key, conversation_id, written, None, now)


async def take_back(connection: AsyncConnection, message: Message, numbers: Sequence[int]) -> Collection[str]:
    """As `conversations.take_back`."""
    await messages.take_back(connection, message.id)
    return await conversations.take_back(connection, message.conversation_id, numbers)


async def save(
    connection: AsyncConnection,
    conversation_id: str,
    turn: Turn,
    key: str,
    replaces: str | None,
    person: str | None,
    now: float,
) -> None:
    await conversations.save(connection, conversation_id, turn, key, replaces, now)
    await _belong(connection, conversation_id, [picture.image for picture in turn.pictures], person)


async def add_pictures(
    connection: AsyncConnection,
    conversation_id: str,
    images: Sequence[Image],
    person: str | None,
    now: float,
    first: int | None = None,
) -> list[int]:
    numbers = await conversations.add_pictures(connection, conversation_id, images, now, first)
    await _belong(connection, conversation_id, images, person)
    return numbers


async def try_out(connection: AsyncConnection, now: float) -> None:
    """Write a question with a picture and its answer, and take all of it back.

    A statement that changes no row never reaches the disk, not even a full one.
    """
    name = f"check:{secrets.token_hex(8)}"  # replicas may check at the same time
    image = Image(name, bytes(PROBE_BYTES), 1, 1, (1, 1))
    message = await put(connection, "check", name, name, [image], lambda numbers, new: str(numbers), name, now)
    turn = Turn("?", (Picture(1, image),), Answer("!", Ending.DONE))
    await save(connection, name, turn, name, None, name, now)
    await conversations.forget(connection, name)
    if message is not None:
        await messages.take_back(connection, message.id)


async def _belong(
    connection: AsyncConnection, conversation_id: str, images: Sequence[Image], person: str | None
) -> None:
    if person is not None and images:
        await pictures.belong(connection, conversation_id, [image.id for image in images], pseudonym(person))

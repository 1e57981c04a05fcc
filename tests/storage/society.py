"""People in chats of their own and with others, whose words and pictures tell whose they are."""

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.answer import Answer, Ending
from core.conversation import Picture, Question
from core.image import Image
from core.person import Standing
from core.pictures.kept_document import KeptDocument
from core.pseudonym import pseudonym
from core.quota import tally_of
from core.replica import SLOT
from storage.schema import metadata
from storage.store import Store
from tests.storage.things import image

ANN, BOB, EVE, EVE_ELSEWHERE = "telegram:42", "telegram:43", "slack:T1:U1", "slack:T2:U1"
WHOSE = {ANN: "Ann's", BOB: "Bob's", EVE: "Eve's", EVE_ELSEWHERE: "Eve's"}
GROUP = "telegram:-100:0"


def picture(person: str, name: str) -> Image:
    """A picture, with the file that it came from."""
    return replace(image(f"{WHOSE[person]} {name}"), original=f"{WHOSE[person]} {name} as it was sent".encode())


async def ask(store: Store, person: str, conversation_id: str, text: str, *images: Image, replaces: str = "") -> str:
    """Ask and be answered. Return the question's key."""
    key = f"{conversation_id} {text}"
    message = await store.put(person.partition(":")[0], key, conversation_id, payload(person, text))
    assert message is not None
    turn = (await store.load(conversation_id)).ask(Question(f"{WHOSE[person]} {text}", images)).turns[-1]
    if replaces:
        turn = (await store.load(conversation_id)).turns[-1]
    answer = Answer(f"{turn.text} is answered", Ending.DONE)
    await store.save(conversation_id, replace(turn, answer=answer), key, replaces or None, person)
    await store.record_posted(message.id, [f"sent for {key}"])
    await store.finish([message.id])
    return key


async def ask_small_print(store: Store, person: str, conversation_id: str, number: int, shown: Image) -> None:
    """Ask again about a picture, less shrunk."""
    asked = (await store.load(conversation_id)).ask(Question("?", alone=True, small_print=(Picture(number, shown),)))
    turn = replace(asked.turns[-1], answer=Answer("closer", Ending.DONE))
    await store.save(conversation_id, turn, f"closer {person} {number}", None, person)


def payload(person: str, text: str) -> str:
    return f"{person}|{WHOSE[person]} {text}"


def author_of(platform: str, payload: str) -> str | None:
    return payload.partition("|")[0] or None


async def settle(store: Store) -> None:
    """Let them live: private chats, a group, a channel, the inbox, decisions of admins."""
    await ask(store, ANN, "telegram:42:0", "first", picture(ANN, "cat"))
    await ask(store, ANN, "telegram:42:0", "second")
    await store.restart("telegram:42:0")
    await ask(store, ANN, "telegram:42:0", "third", picture(ANN, "dog"))
    await ask(store, BOB, "telegram:43:0", "alone", picture(BOB, "bird"))
    asked = await ask(store, ANN, GROUP, "in the group", picture(ANN, "cat"), picture(ANN, "fish"))
    await ask(store, BOB, GROUP, "again", replaces=asked)
    await ask_small_print(store, BOB, GROUP, 2, picture(ANN, "fish, larger"))
    await ask(store, BOB, GROUP, "about both", picture(ANN, "cat"), picture(BOB, "bird"))
    await ask(store, BOB, GROUP, "only mine", picture(BOB, "bird"))
    await ask(store, ANN, GROUP, "about his", picture(BOB, "bird"))
    await store.add_pictures(GROUP, [picture(ANN, "horse")], ANN)
    await store.keep_document(GROUP, ANN, KeptDocument(b"Ann's paper", (picture(ANN, "fish").id,)))
    await store.remember_file("telegram:file", GROUP, [picture(ANN, "fish").id])
    await ask(store, EVE, "slack:T1:D1:1.0", "in private", picture(EVE, "car"))
    await ask(store, EVE, "slack:T1:C1:2.0", "in the channel", picture(EVE, "bus"))
    await store.rate("telegram:42:0 first", 1)
    await store.put("slack", "waits beside Eve", "slack:T1:C1:2.0", payload(BOB, "waits beside Eve"))
    for person in (ANN, BOB):
        await store.put("telegram", f"waits {person}", GROUP, payload(person, "waits"), "album")
        await store.put("telegram", f"new {person}", f"telegram:{person[-2:]}:7", payload(person, "in a new topic"))
        await store.change_tally(tally_of(pseudonym(person)), 1e9, lambda counts, now: counts.update(questions={}))
        await store.claim_lease(f"{SLOT}{tally_of(pseudonym(person))}:0", "a service that was killed", 60)
        message = await store.put("telegram", f"held {person}", GROUP, payload(person, "is held"))
        assert message is not None
        await store.meet(f"{person[-2:]}", message)
        await store.finish([message.id])
    await store.decide("slack", "U1", Standing.ALLOWED)
    await store.decide("telegram", "-100", Standing.ALLOWED)


async def everything(connection: AsyncConnection) -> str:
    """Return all rows of all tables."""
    found = []
    for table in metadata.sorted_tables:
        found += [f"{table.name} {tuple(row)!r}" for row in await connection.execute(select(table))]
    return "\n".join(found)


async def unused_images(connection: AsyncConnection) -> list[str]:
    """Return the ids of images that nothing shows."""
    images, pictures, turn_pictures = [metadata.tables[name] for name in ("images", "pictures", "turn_pictures")]
    shown = [select(each.c.image_id).where(each.c.image_id.is_not(None)) for each in (pictures, turn_pictures)]
    query = select(images.c.id).where(images.c.id.not_in(shown[0]), images.c.id.not_in(shown[1]))
    return list((await connection.execute(query)).scalars())


def is_of(person: str, text: str) -> bool:
    """Return whether something there is the person's: words, pictures, ids or the pseudonym."""
    platform, _, rest = person.rpartition(":")
    return any(
        sign in text
        for sign in (WHOSE[person], repr(WHOSE[person])[1:-1], pseudonym(person), f"{platform}:{rest}", f"'{rest}'")
    )

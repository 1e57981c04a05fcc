"""What people do in a storm. A kind is a short story and what has to come of it; `KINDS` says where it is played."""

import asyncio
import io
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from PIL import Image

from core.pictures.images import make_image
from tests.chaos.on_slack import OnSlack
from tests.chaos.on_telegram import OnTelegram
from tests.chaos.on_the_web import SET, OnTheWeb, told_of
from tests.chaos.people import (
    LOOK_S,
    LOOKED_AT,
    PAGES,
    Person,
    Talk,
    Turn,
    anything,
    begins,
    document,
    exactly,
    is_spent,
    not_own,
    own,
    talks,
)

QUOTA = 8  # questions of a day; only who wants to spends them
ASKED_AT_ONCE = 3
FOR_EVERYBODY = "forget all"
ASKS_FOR_EVERYBODY = re.compile(r"forget\S* (?:all|全部)|忘记 全部")  # in a group the order names the bot
GONE = (  # what the web says of what is not kept
    "This question was asked before, and its answer is gone. Please ask it again.",
    "There is no such conversation. It was deleted or has expired.",
)
Story = Callable[[Any, Talk], Awaitable[None]]


async def _first(me: Person, talk: Talk) -> str:
    """Asks the first question with its pictures; returns its place."""
    place = await me.ask(talk.questions[0], talk.pictures)
    me.wants(place, exactly(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures))
    return place


async def _on(me: Person, talk: Talk) -> str:
    """Asks the second question below the first."""
    place = await me.ask(talk.questions[1])
    me.wants(place, exactly(me.truth(talk)[1]), Turn(talk.questions[1:]))
    return place


def _picture_of_their_own(number: int) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (40, 30), (number % 256, number // 256 % 256, 77)).save(packed, "PNG")
    return packed.getvalue()


async def asks_twice(me: Person, talk: Talk) -> None:
    await _first(me, talk)
    await _on(me, talk)


async def says_thanks(me: Person, talk: Talk) -> None:
    """No model says anything to that; in a chat of two, the bot may."""
    await me.answered(await _first(me, talk))
    me.wants(await me.ask("thanks!"), own, least=0)
    await _on(me, talk)


async def has_no_picture(me: Person, talk: Talk) -> None:
    me.wants(await me.ask(talk.questions[0]), own)


async def stops(me: Person, talk: Talk) -> None:
    place = await me.ask(talk.questions[0], talk.pictures)
    me.wants(place, begins(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures, sure=False))
    await me.stop(place)


async def stops_midway(me: OnTelegram | OnSlack, talk: Talk) -> None:
    """Once the first words are there."""
    place = await me.ask(talk.questions[0], talk.pictures)
    me.wants(place, begins(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures, sure=False))
    await me.has_begun(place)
    await me.stop(place)


async def stops_one_of_two(me: OnTelegram | OnSlack, _: Talk) -> None:
    """Of two answers that grow at the same time in different conversations: the other one becomes whole."""
    me.apart = True
    talk = next(each for each in talks() if len(each.pictures) == 1)
    places = [await me.ask_anew(talk.questions[0], talk.pictures) for _ in range(2)]
    me.wants(places[0], exactly(me.truth(talk)[0]), model=True)
    me.wants(places[1], begins(me.truth(talk)[0]), model=True)
    for place in places:
        await me.has_begun(place)
    await me.stop(places[1])


async def retries(me: Person, talk: Talk) -> None:
    """The new answer is drawn differently and takes the old one's place, in what is remembered at least."""
    place = await _first(me, talk)
    await me.answered(place)
    again = await me.order("retry")
    if not me.rewrites:
        me.wants(place, exactly(me.truth(talk)[0]), model=True)
    me.wants(again, anything, Turn(talk.questions[:1], talk.pictures))


async def _forget(me: Person, place: str) -> None:
    """Forget the conversation, and say so for everybody where the bot cannot see who began the thread.

    The confirmation stands below the order, or in the place of what had just been written there.
    """
    said = me.found(place)
    order = "forget"
    while not me.forgot:
        at = await me.order(order)
        me.wants(at, own, least=0)
        while not (new := [text for it in (place, at) for text in me.found(it) if own(text) and text not in said]):
            await asyncio.sleep(LOOK_S)
        me.forgot = not any(map(ASKS_FOR_EVERYBODY.search, new))
        order = FOR_EVERYBODY


async def forgets(me: Person, talk: Talk) -> None:
    """Nothing is kept, and what is asked below that is about no picture.

    The answer may vanish, too: where it had just been written, it becomes the confirmation.
    """
    first = await _first(me, talk)
    await me.answered(first)
    me.wants(first, lambda text: own(text) or text == me.truth(talk)[0], least=0, model=True)
    await _forget(me, first)
    me.wants(await me.ask(talk.questions[1]), own)


async def forgets_a_picture(me: Person, talk: Talk) -> None:
    """One that nobody else has, and that was never asked about."""
    picture = _picture_of_their_own(me.number)
    if place := await me.leave(picture):
        me.wants(place, own, least=0)
        await me.answered(place)
    if me.counted:
        await _forget(me, place)
        me.forgotten_pictures.append((await make_image(picture)).id)


async def asks_often(me: Person, talk: Talk) -> None:
    """One after the other, more than anybody may at once: each counts only for as long as it is answered."""
    await me.answered(await _first(me, talk))
    for number in range(2, 6):
        question = f"{talk.questions[1]} ({me.number}, {number})"
        place = await me.ask(question)
        me.wants(place, not_own, Turn((question,)))
        await me.answered(place)


async def takes_along(me: Person, talk: Talk) -> None:
    await me.answered(await _first(me, talk))
    await me.answered(await _on(me, talk))
    me.wants(await me.order("export"), exactly("conversation.zip"))


async def rates(me: Person, talk: Talk) -> None:
    """A thumb that is heard stays. In chats one may be lost, and changes nothing else."""
    place = await _first(me, talk)
    await me.answered(place)
    if await me.rate(place):
        me.wants(place, exactly(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures, rating=1))
    await _on(me, talk)


async def _set(me: Person, name: str) -> None:
    """Switch a setting off, as often as it takes the bot to see that they may."""
    while name not in me.settings:
        place = await me.set(name)
        me.wants(place, own)
        await me.answered(place)
        if me.found(place)[0].startswith(SET):
            me.settings[name] = False


async def changes_settings(me: Person, talk: Talk) -> None:
    await me.answered(await _first(me, talk))
    await _set(me, "receipt")
    await _on(me, talk)


async def keeps_nothing(me: Person, talk: Talk) -> None:
    """From the second question on: it is answered once, and then forgotten with the first. On the web, whoever sends it
    again after a kill is told that its answer is gone."""
    await me.answered(await _first(me, talk))
    await _set(me, "keep")
    place = await me.ask(talk.questions[1])
    right = exactly(me.truth(talk)[1])
    me.wants(place, lambda text: right(text) or (me.platform == "web" and text in GONE), model=True)
    await me.answered(place)
    me.keeps = False


async def sends_a_document(me: Person, talk: Talk) -> None:
    """With more pages than are looked at; the last one is asked about later."""
    first = await me.ask(talk.questions[0], (document(),))
    me.wants(first, not_own, Turn(talk.questions[:1], pages=LOOKED_AT))
    await me.answered(first)
    question = f"{talk.questions[1]} (page {PAGES})"
    me.wants(await me.ask(question), not_own, Turn((question,), pages=1))


async def edits(me: OnTelegram | OnSlack, talk: Talk) -> None:
    """At any moment: before the answer, within it, or after it. Only the last words have an answer."""
    old, new = talk.turned, talk
    place = await me.ask(old.questions[0], talk.pictures)
    me.wants(place, exactly(me.truth(new)[0]), Turn(new.questions[:1], talk.pictures))
    for words in me.dice.choice(((new,), (new, old, new))):
        await asyncio.sleep(me.dice.choice((0, 0.3)))
        if me.dice.random() < 0.5:
            await me.answered(place)
        await me.edit(place, words.questions[0])
    while me.found(place) != [me.truth(new)[0]]:
        await asyncio.sleep(LOOK_S)


async def edits_an_answered_question(me: OnTelegram | OnSlack, talk: Talk) -> None:
    """The new answer stands in the place of the old one."""
    old = talk.turned
    place = await me.ask(old.questions[0], talk.pictures)
    me.wants(place, exactly(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures))
    await me.answered(place)
    await me.edit(place, talk.questions[0])
    while me.found(place) != [me.truth(talk)[0]]:
        await asyncio.sleep(LOOK_S)


async def adds_words(me: OnTelegram | OnSlack, talk: Talk) -> None:
    """To pictures sent without any; before or after the bot said something to that, which the answer then replaces."""
    place = await me.ask("", talk.pictures)
    me.wants(place, exactly(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures))
    if me.dice.random() < 0.5:
        await me.answered(place)
    await me.edit(place, talk.questions[0])
    while me.found(place) != [me.truth(talk)[0]]:
        await asyncio.sleep(LOOK_S)


async def forwards(me: OnTelegram, talk: Talk) -> None:
    """Clients send the comment first, then the picture. Where a kill comes between, each gets its own sentence, and
    the question is asked once more. If the kill also comes before the comment is finished, its sentence becomes the
    answer to both after the restart."""
    places, turn = me.forward(talk.questions[0], talk.pictures), Turn(talk.questions[:1], talk.pictures)
    is_answer = exactly(me.truth(talk)[0])
    me.wants(places, is_answer, turn)
    while not any(map(is_answer, found := [text for place in places for text in me.found(place)])):
        if len(found) >= 2:
            break
        await asyncio.sleep(LOOK_S)
    if all(map(own, found)):
        me.counted = False
        me.wants(places, own, least=2, most=2)
        me.wants(await me.ask(talk.questions[0]), is_answer, turn)


async def begins_anew(me: OnTelegram, talk: Talk) -> None:
    command = me.dice.choice(("/new", "/ask"))
    place = await me.ask(f"{command} {talk.questions[0]}", talk.pictures)
    me.wants(place, exactly(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures))


async def leaves_a_picture(me: OnTelegram | OnSlack, talk: Talk) -> None:
    """Two people in one group: the picture of one is not added to the other's."""
    other = next(each for each in talks() if len(each.pictures) == 1 and each.pictures != talk.pictures)
    left = await me.ask("", other.pictures)
    me.wants(left, own)
    await me.answered(left)
    place = await me.ask(talk.questions[0], talk.pictures, who=1)
    me.wants(place, exactly(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures))


async def once_refused(me: OnTelegram, talk: Talk) -> None:
    """One edit is answered with an error that nobody has seen before."""
    me.world.refuses_once.add(me.chat.id)
    await asks_twice(me, talk)


async def never_edited(me: OnTelegram | OnSlack, talk: Talk) -> None:
    """None of the bot's messages there can be edited, so what is finished is posted whole."""
    me.forbid_edits()
    place = await _first(me, talk)
    me.wants(place, exactly(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures))


async def never_uploaded(me: OnTelegram | OnSlack, talk: Talk) -> None:
    """A file that cannot be uploaded is given up with a sentence, and the chat goes on."""
    me.forbid_uploads()
    await me.answered(await _first(me, talk))
    place = await me.order("export")
    me.wants(place, own)
    await me.answered(place)
    await _on(me, talk)


async def deletes(me: OnSlack, talk: Talk) -> None:
    """Before the answer, within it or after it. It stops: what was whole when Slack was told may stay, nothing is
    written after, and the pictures are gone."""
    place = await me.ask(talk.questions[0], talk.pictures)
    if me.dice.random() < 0.5:
        await me.answered(place)
    await _delete(me, place, talk)


async def deletes_an_answered_question(me: OnSlack, talk: Talk) -> None:
    """Where a deletion that is not heeded leaves the pictures."""
    place = await me.ask(talk.questions[0], talk.pictures)
    await me.answered(place)
    await _delete(me, place, talk)


async def _delete(me: OnSlack, place: str, talk: Talk) -> None:
    await me.delete(place)
    turn = Turn(talk.questions[:1], talk.pictures, sure=False, shown=False, removed=True)
    me.wants(place, exactly(*me.found(place)), turn, least=0)


async def shares(me: OnSlack, talk: Talk) -> None:
    """A forwarded message, whose files stand in its attachments."""
    place = await me.share(talk.questions[0], talk.pictures)
    me.wants(place, exactly(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures))


async def sends_bytes(me: OnSlack, talk: Talk) -> None:
    """Pictures whose type Slack does not know."""
    me.mimetype = "application/octet-stream"
    await asks_twice(me, talk)


async def goes_on_in_private(me: OnSlack, talk: Talk) -> None:
    """A picture, and what is asked about it in the next messages: threads of their own, and one conversation."""
    left = await me.ask("", talk.pictures)
    me.wants(left, own)
    await me.answered(left)
    first = await me.ask_anew(talk.questions[0])
    me.wants(first, exactly(me.truth(talk)[0]), Turn(talk.questions[:1], talk.pictures))
    await me.answered(first)
    second = await me.ask_anew(talk.questions[1])
    me.wants(second, exactly(me.truth(talk)[1], me.truth(talk.turned)[0]), Turn(talk.questions[1:2]))


async def is_refused(me: OnSlack, talk: Talk) -> None:
    """A channel where the bot may not write: its person is told in a direct message, and nobody else is troubled."""
    me.forbid_writing()
    place = await me.ask(talk.questions[0], talk.pictures)
    turn = Turn(talk.questions[:1], talk.pictures, sure=False, shown=False)
    # Killed between telling and writing that down, it tells again.
    me.wants(place, own, turn, least=1, most=20, model=False)


async def spends_the_quota(me: Person, talk: Talk) -> None:
    """Some at once, each in a conversation of its own, which is worked on by any replica. As many are answered as the
    quota allows, and the others get its sentence."""
    me.apart = True
    places: list[str] = []
    for _ in range(QUOTA // ASKED_AT_ONCE + 2):
        asking = [me.ask_anew(talk.questions[0], talk.pictures[:1]) for _ in range(ASKED_AT_ONCE)]
        asked = await asyncio.gather(*asking)
        for place in asked:
            me.wants(place, lambda text: not_own(text) or is_spent(text), model=True)
        for place in asked:
            await me.answered(place)
        places += asked
    answered = [place for place in places if not is_spent(me.found(place)[0])]
    if len(answered) != QUOTA:
        me.troubles.append(f"{len(answered)} of {len(places)} were answered, with a quota of {QUOTA}")


async def posts_once(me: OnTheWeb, talk: Talk) -> None:
    """Until it is taken; then only reads."""
    me.reads = True
    await asks_twice(me, talk)


async def edits_later(me: OnTheWeb, talk: Talk) -> None:
    """The old words and their answer become an earlier version, once."""
    old, new = talk.turned, talk
    place = await me.ask(old.questions[0], talk.pictures)
    me.wants(place, exactly(me.truth(old)[0]), model=True)
    await me.answered(place)
    place = await me.edit_first(new.questions[0])
    me.wants(place, exactly(me.truth(new)[0]), Turn(new.questions[:1], talk.pictures))
    await me.answered(place)
    both = told_of(*[(words.questions[0], me.truth(words)[0]) for words in (old, new)])
    me.wants(await me.order("versions"), exactly(both), model=True)


async def removes_a_picture(me: OnTheWeb, talk: Talk) -> None:
    """The answer stays, and its picture is gone."""
    alone = Talk(talk.pictures[:1], talk.questions)
    place = await me.ask(alone.questions[0], alone.pictures)
    me.wants(place, not_own, Turn(alone.questions[:1], alone.pictures, removed=True))
    await me.answered(place)
    await me.remove_picture()


EVERYWHERE: tuple[Story, ...] = (
    asks_twice, says_thanks, has_no_picture, stops, retries, forgets, forgets_a_picture, takes_along, asks_often, rates,
    changes_settings, keeps_nothing, sends_a_document,
)  # fmt: skip
IN_CHATS: tuple[Story, ...] = (
    stops_midway, stops_one_of_two, edits, edits_an_answered_question, adds_words, leaves_a_picture, never_edited,
    never_uploaded,
)  # fmt: skip
KINDS: dict[str, tuple[Story, ...]] = {
    "telegram": (*EVERYWHERE, *IN_CHATS, forwards, begins_anew, once_refused),
    "slack": (
        *EVERYWHERE, *IN_CHATS, deletes, deletes_an_answered_question, shares, sends_bytes, goes_on_in_private,
        is_refused,
    ),
    "web": (*EVERYWHERE, posts_once, edits_later, removes_a_picture),
}  # fmt: skip


SLOW = (never_uploaded,)  # what is given up after minutes only, which no life lasts before the storm is over
SLOW_ONES = 2  # people at a platform who play such a thing


def name(story: Story) -> str:
    """As it stands in reports."""
    return story.__name__.replace("_", " ")


def stories(platform: str, names: Sequence[str] | None = None) -> tuple[Story, ...]:
    """Those of a platform, or the ones of them with such names."""
    return tuple(story for story in KINDS[platform] if names is None or name(story) in names)

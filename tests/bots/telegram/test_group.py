"""Hours of busy chats in no time: the loop's clock jumps to whatever is next, so that no figure depends on the machine.

Real `reply`, real drafts, real pace; the far side is a network of 50 to 150 ms that notes when each write arrives.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from bots.telegram.buttons import Buttons
from bots.telegram.draft import TelegramDraft
from bots.telegram.place import Place
from bots.telegram.rate_limit import RateLimit
from bots.telegram.sender import Sender
from core.answer import Answer, Ending
from core.events import Piece, Waiting
from core.i18n import Translator
from tests.telling import Told, reply
from tests.virtual import run


@dataclass
class Network:
    """A bot in one chat, with a delay for every write to Telegram and back.

    `ends` are the times of an answer's last token and of its final edit.
    """

    dice: random.Random
    writes: list[tuple[float, str]] = field(default_factory=list)  # when each arrived, and what it was
    ends: list[tuple[float, float]] = field(default_factory=list)
    computed: dict[str, float] = field(default_factory=dict)  # each answer's word, and when it first was there
    shown: dict[str, float] = field(default_factory=dict)  # and when somebody could read it
    ids: Any = field(default_factory=lambda: count(1))

    async def _travel(self, kind: str, text: str) -> Any:
        await asyncio.sleep(self.dice.uniform(0.02, 0.07))
        now = asyncio.get_running_loop().time()
        is_first = text.startswith("word") and text.split()[0] not in self.shown
        self.writes.append((now, "first" if is_first and kind == "grow" else kind))
        if is_first:
            self.shown[text.split()[0]] = now
        await asyncio.sleep(self.dice.uniform(0.02, 0.07))
        return SimpleNamespace(message_id=next(self.ids))

    async def send_message(self, chat_id: int, text: str, reply_markup: Any = None, **_: Any) -> Any:
        kind = "post" if text == "One moment …" else "grow" if reply_markup else "final"
        return await self._travel(kind, text)

    async def edit_message_text(
        self, text: str, chat_id: int, message_id: int, reply_markup: Any = None, **_: Any
    ) -> Any:
        return await self._travel("grow" if reply_markup else "final", text)


async def events(network: Network, seconds: float, ended: list[float]) -> Told:
    """An answer of so many seconds, a piece each 0.12 s, that waits in line before."""
    for place in (2, 1):
        yield Waiting(place, 2.0)
        await asyncio.sleep(network.dice.uniform(0.2, 1.5))
    text, word = "", f"word{len(network.computed)} "
    while seconds > 0:
        network.computed.setdefault(word.strip(), asyncio.get_running_loop().time())
        text += word
        yield Piece(word)
        await asyncio.sleep(0.12)
        seconds -= 0.12
    ended.append(asyncio.get_running_loop().time())
    yield Answer(text, Ending.DONE)


async def answer(network: Network, rate_limit: RateLimit, chat_id: int, topic: int, seconds: float) -> None:
    place, posted, ended = Place(chat_id, topic, 1), list[float](), list[float]()

    async def record(posted_ids: Sequence[str]) -> None:
        posted.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.003)

    sender, buttons = Sender(rate_limit, place, first=True), Buttons(Translator("en"))
    draft = TelegramDraft(network, sender, buttons, 1.5, False, lambda: None)  # type: ignore[arg-type]
    await reply(events(network, seconds, ended), draft, Translator("en"), (), record)
    final = max(moment for moment, kind in network.writes if kind == "final")  # ours, as the draft has just returned
    if posted[0] < ended[0]:  # else the group's minute was so full that there was no place for it before it ended
        network.ends.append((ended[0], final))


@pytest.mark.parametrize("topics", [1, 2])
@pytest.mark.parametrize("chat_id", [7, -7])
def test_an_answer_is_complete_within_two_seconds_of_its_last_token(chat_id: int, topics: int) -> None:
    """One answer after the other in a chat, or two that end in the same moment."""
    network = Network(random.Random(topics))

    async def play() -> None:
        rate_limit = RateLimit()
        for _ in range(30):
            seconds = network.dice.uniform(0, 40)
            await asyncio.gather(*(answer(network, rate_limit, chat_id, topic, seconds) for topic in range(topics)))
            await asyncio.sleep(network.dice.uniform(0, 3))

    run(play())
    slowest = max(final - last for last, final in network.ends)
    print(f"{len(network.ends)} answers, the slowest {slowest:.2f} s after its last token")
    assert slowest < 2
    if topics == 1:
        assert sum(kind in ("first", "grow") for _, kind in network.writes) > len(network.ends)


def test_a_busy_group_sees_its_limits_kept_and_ends_wait_for_other_ends_only() -> None:
    """Five topics, more questions than a group's minute can show: placeholders wait, ends do not."""
    network = Network(random.Random(3))

    async def play() -> None:
        rate_limit = RateLimit()
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(answer(network, rate_limit, -7, number % 5, network.dice.uniform(1, 30)))
                await asyncio.sleep(network.dice.expovariate(1 / 5))

    run(play())
    moments = [moment for moment, _ in network.writes]
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 1
    assert all(later - earlier > 60 for earlier, later in zip(moments, moments[20:], strict=False))
    for last, final in network.ends:
        between = [kind for moment, kind in network.writes if last < moment < final]
        others = between.count("final") + between.count("first")
        assert len(between) - others <= 1
        full = len([moment for moment in moments if final - 61 < moment < final]) >= 20
        assert full or final - last < 2 + 1.2 * others


@pytest.mark.parametrize("seconds", [1.0, 5.0, 12.0, 30.0, 90.0])
@pytest.mark.parametrize("topics", [1, 2, 12])
def test_twelve_askers_in_a_group_read_their_first_words_within_15_seconds(topics: int, seconds: float) -> None:
    """In a row, in one topic or the other, or all at once; long and short answers. The limits are kept."""
    network = Network(random.Random(topics))

    async def play() -> float:
        rate_limit = RateLimit()

        async def lane(askers: int) -> None:
            for _ in range(askers):
                await answer(network, rate_limit, -7, 0, seconds * network.dice.uniform(0.7, 1.3))

        await asyncio.gather(*(lane(12 // topics) for _ in range(topics)))
        return asyncio.get_running_loop().time()

    took = run(play())
    waits = [network.shown[word] - moment for word, moment in network.computed.items()]
    print(f"{topics} at once, {seconds} s each: slowest first words {max(waits):.1f} s, all {took:.1f} s")
    assert len(waits) == 12
    assert max(waits) < 15
    moments = [moment for moment, _ in network.writes]
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 1
    assert all(later - earlier > 60 for earlier, later in zip(moments, moments[20:], strict=False))
    assert took < 12 // topics * (1.3 * seconds + 6) + 60

"""Several engines: who gets which question, what one that fails means for the others, and who waits."""

import asyncio
import subprocess
import sys
from collections import Counter
from itertools import count

import pytest

from core import work_context
from core.errors import BotError, QueueFull
from core.events import BeganAgain, Event, Piece, Waiting
from core.remote.engine import RemoteEngine
from core.remote.pool import RequestTimes
from core.sampling import Sampling
from tests.core.remote.fake_engine import FakeEngine, Reply, refuses, says
from tests.core.remote.test_engine import answer, asked, broken_off, remote, slow, until


class Held:
    """A script whose answers wait until they are let go, one after the other."""

    def __init__(self, text: str = "It is red.") -> None:
        self._text = text
        self._go = asyncio.Semaphore(0)

    async def __call__(self, reply: Reply) -> None:
        await reply.line(": still here")
        await self._go.acquire()
        await says(self._text)(reply)

    def go(self, times: int = 1) -> None:
        for _ in range(times):
            self._go.release()


async def homes(engine: RemoteEngine, fakes: list[FakeEngine], conversations: int) -> dict[str, FakeEngine]:
    """Return which engine answered which conversation."""
    found = {}
    for number in range(conversations):
        before = [len(fake.asked) for fake in fakes]
        await answer(engine, asked(id=f"telegram:{number}"))
        [home] = [fake for fake, count in zip(fakes, before, strict=True) if len(fake.asked) > count]
        found[f"telegram:{number}"] = home
    return found


async def test_a_conversation_stays_with_its_engine_and_all_engines_have_some() -> None:
    fakes = [FakeEngine() for _ in range(3)]
    async with remote(*fakes) as engine:
        first, again = [await homes(engine, fakes, 60) for _ in range(2)]
    assert first == again
    counts = Counter(map(id, first.values()))  # which differ, because the engines' ports do
    assert len(counts) == 3 and min(counts.values()) >= 3


async def test_an_engine_that_ends_moves_only_its_own_conversations_and_gets_them_back() -> None:
    fakes = [FakeEngine() for _ in range(3)]
    async with remote(*fakes) as engine:
        before = await homes(engine, fakes, 20)
        port = fakes[0].port
        await fakes[0].stop()
        without = await homes(engine, fakes, 20)
        for conversation, home in before.items():
            assert (without[conversation] is home) == (home is not fakes[0])
        await fakes[0].start(port)
        await until(lambda: all(not endpoint.health.reason for endpoint in engine._pool.endpoints))
        assert await homes(engine, fakes, 20) == before


@pytest.mark.parametrize("trouble", [refuses(500), refuses(400), refuses(401), refuses(404), refuses(503)])
async def test_another_engine_answers_before_the_first_word_unnoticed(trouble: object) -> None:
    ill, well = FakeEngine(usual=trouble), FakeEngine()  # type: ignore[arg-type]
    events: list[Event] = []
    async with remote(ill, well) as engine:
        for number in count():
            found = await engine.answer(asked(id=f"telegram:{number}"), Sampling(), events.append)
            assert found.text == "It is red."
            if ill.asked:  # it was its conversation
                break
        engine.check()
    assert BeganAgain() not in events


async def test_another_engine_writes_again_what_broke_off() -> None:
    ill, well = FakeEngine(usual=broken_off("It is gr", Reply.cut)), FakeEngine()
    async with remote(ill, well) as engine:
        for number in count():
            events: list[Event] = []
            found = await engine.answer(asked(id=f"telegram:{number}"), Sampling(), events.append)
            assert found.text == "It is red."
            if ill.asked:  # it was its conversation
                break
    told = [event for event in events if isinstance(event, Piece | BeganAgain)]
    assert told == [Piece("It is gr"), BeganAgain(), Piece("It"), Piece(" is"), Piece(" red.")]


async def test_what_one_engine_has_no_room_for_goes_to_another() -> None:
    held = Held()
    fakes = [FakeEngine(usual=held) for _ in range(2)]
    async with remote(*fakes, requests=2) as engine:
        tasks = [asyncio.create_task(answer(engine, asked(id="telegram:1"))) for _ in range(5)]
        await until(lambda: sum(fake.running for fake in fakes) == 4)
        assert [fake.running for fake in fakes] == [2, 2]
        assert engine.stats().waiting == 1 and engine.stats().running == 4
        held.go(5)
        await asyncio.gather(*tasks)
    assert engine.stats().running == 0


async def test_who_came_first_is_next_and_hears_the_place() -> None:
    held = Held()
    fake = FakeEngine(usual=held)
    places: dict[str, list[int]] = {name: [] for name in "abc"}

    async def ask(name: str, arrived: float) -> None:
        work_context.set_current(name, arrived)

        def tell(event: Event) -> None:
            if isinstance(event, Waiting) and places[name][-1:] != [event.position]:
                places[name].append(event.position)

        await engine.answer(asked(name), Sampling(), tell)

    async with remote(fake, requests=1) as engine:
        first = asyncio.create_task(answer(engine, asked("first")))
        await until(lambda: fake.running == 1)
        tasks = []
        for name, arrived in (("c", 3.0), ("a", 1.0), ("b", 2.0)):  # c's pictures took the shortest time to open
            tasks.append(asyncio.create_task(ask(name, arrived)))
            await until(lambda line=len(tasks): engine.stats().waiting == line)  # type: ignore[misc]
        held.go(4)
        await asyncio.gather(first, *tasks)
    assert fake.questions() == ["first", "a", "b", "c"]
    assert places == {"a": [1], "b": [2, 1], "c": [1, 2, 3, 2, 1]}


async def test_a_full_line_says_so_and_who_gives_up_leaves_it() -> None:
    held = Held()
    fake = FakeEngine(usual=held)
    async with remote(fake, requests=1, waiting=1) as engine:
        writing, waiting = (asyncio.create_task(answer(engine)) for _ in range(2))
        await until(lambda: engine.stats().waiting == 1)
        with pytest.raises(QueueFull):
            await answer(engine)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert engine.stats().waiting == 0
        again = asyncio.create_task(answer(engine))
        await until(lambda: engine.stats().waiting == 1)
        held.go(2)
        await asyncio.gather(writing, again)
    assert len(fake.asked) == 2


async def test_those_who_wait_are_told_when_no_engine_is_left() -> None:
    fake = FakeEngine(usual=slow)
    async with remote(fake, requests=1) as engine:
        tasks = [asyncio.create_task(answer(engine)) for _ in range(3)]
        await until(lambda: fake.running == 1 and engine.stats().waiting == 2)
        await fake.stop()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(error, BotError) and "cannot be reached" in str(error)


def test_estimates_count_the_places_before_and_the_rooms() -> None:
    times = RequestTimes()
    assert times.estimate(1, 0, 2) is None
    times.measure(first_token=2.0, answer=10.0)
    assert times.estimate(1, 1, 4) == 2.0
    assert times.estimate(1, 0, 4) == 4.5
    assert times.estimate(8, 0, 4) == 22.0
    assert times.estimate(1, 0, 0) is None
    times.measure(first_token=7.0, answer=10.0)
    assert times.estimate(1, 1, 4) == 3.0


async def test_a_listener_that_fails_delays_no_one_else(caplog: pytest.LogCaptureFixture) -> None:
    def fails(event: Event) -> None:
        raise KeyError("a bug")

    held = Held()
    fake = FakeEngine(usual=held)
    async with remote(fake, requests=1) as engine:
        writing = asyncio.create_task(answer(engine))
        await until(lambda: fake.running == 1)
        deaf = asyncio.create_task(engine.answer(asked(), Sampling(), fails))
        waiting = asyncio.create_task(answer(engine))
        await until(lambda: engine.stats().waiting == 2)
        held.go(3)
        assert [(await task).text for task in (writing, waiting)] == ["It is red."] * 2
        with pytest.raises(KeyError):
            await deaf
    assert "a place in line could not be told" in caplog.text


def test_no_torch_is_imported_for_engines_elsewhere() -> None:
    code = "import sys, bots.service, core.remote.engine, core.remote.checkup\n"
    code += "print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

"""The demo model behind both platforms: what stands in a thread is what it says when asked directly, follow-ups too."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from core.engine import EngineConfig
from core.engine.engine import Engine
from tests.bots.slack.conftest import Scene
from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import BOT, Json, said
from tests.demo import directly, sample, shows

ME = f"<@{BOT}>"
CHANNEL, DM = "C0GENERAL", "D0ANN"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One for all tests here; it has a thread of its own and belongs to no event loop."""
    folder = tmp_path_factory.mktemp("cache")
    engine = asyncio.run(Engine.start(EngineConfig(model="demo", cache=folder)))
    yield engine
    asyncio.run(engine.close())


@pytest.fixture
async def demo(scene: Scene, engine: Engine) -> Scene:
    scene.engine = engine
    return scene


@pytest.fixture(params=["Socket Mode", "HTTP"])
async def answering(demo: Scene, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    platforms: dict[str, Callable[[], AbstractAsyncContextManager[object]]] = {
        "Socket Mode": demo.bot,
        "HTTP": demo.bot_over_http,
    }
    async with platforms[request.param]():
        yield demo


@dataclass(frozen=True)
class Talk:
    """Pictures with the first question, and one below the answer. `begin` asks the first and gives the thread."""

    pictures: tuple[str, ...]
    question: str
    follow_up: str
    channel: str
    begin: Callable[["Talk", FakeSlack], str]


def mention(talk: Talk, slack: FakeSlack) -> str:
    return slack.says(f"{ME} {talk.question}", uploads(talk, slack))


def mention_below(talk: Talk, slack: FakeSlack) -> str:
    """Somebody else posted the picture, without a word to the bot."""
    thread = slack.says("our new headphones", uploads(talk, slack), user="U0BOB")
    slack.says(f"{ME} {talk.question}", thread=thread)
    return thread


def direct(talk: Talk, slack: FakeSlack) -> str:
    return slack.says(talk.question, uploads(talk, slack), channel=DM)


def uploads(talk: Talk, slack: FakeSlack) -> tuple[Json, ...]:
    return tuple(slack.upload(sample(name), f"{name}.png") for name in talk.pictures)


TALKS = {
    "a mention with a picture": Talk(
        ("invoice",), "What is the total?", "What is the invoice number?", CHANNEL, mention
    ),
    "a mention with two pictures": Talk(
        ("invoice", "chart"),
        "What is the total in picture 1?",
        "Which quarter is the highest in picture 2?",
        CHANNEL,
        mention,
    ),
    "a mention below a picture posted earlier": Talk(
        ("product",), "What is the price?", "产品名称是什么？", CHANNEL, mention_below
    ),
    "a direct message with a photo": Talk(
        ("chart",), "Which quarter is the highest?", "Which quarter is the lowest?", DM, direct
    ),
}


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS.keys())
async def test_the_demo_model_answers(answering: Scene, talk: Talk) -> None:
    first = (talk.question, tuple(sample(name) for name in talk.pictures))
    expected = await directly(answering.engine, first, (talk.follow_up, ()))
    thread = talk.begin(talk, answering.slack)
    assert shows(await answering.answer(thread, talk.channel), expected[0])
    mention = "" if talk.channel == DM else f"{ME} "
    answering.slack.says(f"{mention}{talk.follow_up}", thread=thread, channel=talk.channel)
    assert shows(said((await answering.finished(thread, 2, talk.channel))[1]), expected[1])


async def test_slack_is_acknowledged_while_the_model_is_busy(answering: Scene) -> None:
    """Twelve questions at once: all are acknowledged before all are answered."""
    threads = [(talk.begin(talk, answering.slack), talk.channel) for talk in list(TALKS.values()) * 3]
    await answering.slack.settled()
    assert await answering.store.unfinished("slack")
    print(f"slowest of {len(answering.slack.acks)} acks {1000 * max(answering.slack.acks):.0f} ms")
    for thread, channel in threads:
        await answering.finished(thread, channel=channel)

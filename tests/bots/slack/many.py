"""Many answers at once in one workspace whose limits are strict: who waits for how long between two writes.

`python -m tests.bots.slack.many` measures it on the real clock, over real HTTP; the tests do on a virtual one.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.conversing.health import Health
from bots.slack.api import SlackApi
from bots.slack.buttons import Buttons
from bots.slack.draft import SlackDraft
from bots.slack.place import Place
from bots.slack.sender import Sender
from bots.slack.status import Abilities, Status
from bots.slack.stream import Streams
from core.answer import Answer, Ending
from core.events import Piece
from core.i18n import Translator
from core.stored_message import StoredMessage
from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import BOT_TOKEN, Json, Refusal, Workspace, said
from tests.telling import Told, reply

CHANNEL = "C0GENERAL"
WRITES = ("chat.postMessage", "chat.startStream", "chat.appendStream", "chat.stopStream", "chat.update")
TIERS = {"chat.startStream": 20, "chat.stopStream": 20, "chat.update": 50, "chat.appendStream": 100, "chat.delete": 50}
LATENCY_S = 0.15


@dataclass
class Tiers:
    """Slack's limits, as strict as they can be read: in no minute more calls than that."""

    clock: Callable[[], float]
    refused: int = 0
    calls: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def retry_after(self, method: str) -> float:
        """Zero for a call that is allowed."""
        now, calls = self.clock(), self.calls[method]
        while calls and now - calls[0] >= 60.0:
            calls.popleft()
        if len(calls) >= TIERS.get(method, 10_000):
            self.refused += 1
            return calls[0] + 60.0 - now
        calls.append(now)
        return 0.0


@dataclass
class Seen:
    """When each answer was written to, by its thread."""

    writes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, workspace: Workspace, method: str, args: Json, now: float) -> None:
        if method in WRITES:
            thread = args.get("thread_ts") or workspace.find(CHANNEL, args["ts"])["thread_ts"]
            self.writes[thread].append(now)

    def longest_gaps(self) -> list[float]:
        """Of each answer, between its first words and its last."""
        return [max((b - a for a, b in pairwise(times)), default=0.0) for times in self.writes.values()]


class Client:
    """An `AsyncWebClient` without a wire: for a virtual clock, which waits for no socket."""

    def __init__(self, workspace: Workspace, tiers: Tiers, seen: Seen) -> None:
        self._workspace, self._tiers, self._seen = workspace, tiers, seen

    def __getattr__(self, name: str) -> Callable[..., Awaitable[AsyncSlackResponse]]:
        method = name.replace("_", ".")

        async def call(**arguments: Any) -> AsyncSlackResponse:
            await asyncio.sleep(LATENCY_S)
            args = {key: value for key, value in arguments.items() if value is not None}
            seconds = self._tiers.retry_after(method)
            status, headers, data = 200, {}, {}
            if seconds:
                status, headers, data = 429, {"Retry-After": str(int(seconds) + 1)}, {"error": "ratelimited"}
            else:
                try:
                    data = self._workspace.call(method, BOT_TOKEN, args)
                    self._seen.note(self._workspace, method, args, self._tiers.clock())
                except Refusal as refusal:
                    data = refusal.answer
            response = AsyncSlackResponse(
                client=AsyncWebClient(), http_verb="POST", api_url=method, req_args={}, data=data, headers=headers,
                status_code=status,
            )  # fmt: skip
            if status != 200 or not data.get("ok"):
                raise SlackApiError("", response)  # type: ignore[no-untyped-call]
            return response

        call.__name__ = name
        return call


async def computed(words: int, pause: float) -> Told:
    """What a stub engine computes."""
    text = ""
    for number in range(words):
        await asyncio.sleep(pause)
        piece = f"word{number} "
        text += piece
        yield Piece(piece)
    yield Answer(text, Ending.DONE)


async def answers_at_once(
    slack: SlackApi, workspace: Workspace, count: int, streaming: bool, words: int, pause: float
) -> list[str]:
    """So many questions in one channel, answered beside each other; returns what stands there then."""
    abilities = Abilities(streams=streaming)

    async def record(_: object) -> None:
        pass

    async def stop() -> None:
        pass

    async def answer(number: int) -> str:
        asked = workspace.ts()
        workspace.channels[CHANNEL].append({"ts": asked, "user": f"U{number}", "text": "?"})
        place = Place(CHANNEL, asked, asked, f"U{number}", "T0TEAM")
        translator = Translator("en")
        message = StoredMessage(number, "slack", f"slack:{number}", "", "")
        streams = Streams(slack, place, message.key, abilities, stop)
        sender, buttons = Sender(slack, place, message, streams), Buttons(place, message.key, translator)
        draft = SlackDraft(slack, sender, Status(slack, place, abilities), buttons, 1.2)
        await reply(computed(words, pause), draft, translator, (), record)
        return "".join(map(said, workspace.answers(CHANNEL, asked)))

    return list(await asyncio.gather(*map(answer, range(count))))


async def virtually(count: int, streaming: bool, words: int, pause: float) -> tuple[list[str], Seen, Tiers]:
    """To be run with `tests.virtual.run`."""
    loop = asyncio.get_running_loop()
    workspace, tiers, seen = Workspace(stream_s=1e9), Tiers(loop.time), Seen()
    slack = SlackApi(BOT_TOKEN, "http://nowhere/", 1.0, Health())
    slack.bot = "U0BOT"
    slack.client = Client(workspace, tiers, seen)  # type: ignore[assignment]
    return await answers_at_once(slack, workspace, count, streaming, words, pause), seen, tiers


async def really(count: int, streaming: bool, words: int, pause: float) -> tuple[list[str], Seen, Tiers]:
    """Over real HTTP and on the real clock."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(FakeSlack(workspace=Workspace(stream_s=1e9)))
        tiers, seen = Tiers(loop.time), Seen()
        fake.limits = tiers.retry_after
        fake.heard = lambda method, args: seen.note(fake.workspace, method, args, loop.time())
        slack = await stack.enter_async_context(SlackApi(BOT_TOKEN, fake.api_url, 1.0, Health()))
        await slack.introduce()
        return await answers_at_once(slack, fake.workspace, count, streaming, words, pause), seen, tiers


async def _main() -> None:
    for count, streaming in ((10, True), (5, False), (10, False)):
        began = asyncio.get_running_loop().time()
        said_, seen, tiers = await really(count, streaming, 120, 1.0)
        gaps = sorted(seen.longest_gaps())
        print(
            f"{count} answers, {'streamed' if streaming else 'edited'}: longest gap {gaps[-1]:.1f} s, "
            f"middle {gaps[len(gaps) // 2]:.1f} s, {tiers.refused} times 429, whole after "
            f"{asyncio.get_running_loop().time() - began:.0f} s, {sum('word119' in each for each in said_)} whole"
        )


if __name__ == "__main__":
    asyncio.run(_main())

"""Give every target the same work on the same machine, round by round in turn."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from core.benchmark.scene import go_on, make_picture, start_conversation
from core.benchmark.target import AnswerTimes, Target
from core.conversation import Conversation

LONG_ANSWER_TOKENS = 4000  # still being written when another conversation's picture has been encoded
FOLLOW_UP_SECONDS = 1.0  # before a follow-up, for every target: no person asks within a millisecond
Figures = dict[str, float | None]
Tell = Callable[[str], None]


async def measure(
    targets: Mapping[str, Target],
    conversations: int,
    tokens: int,
    rounds: int,
    picture: bytes | None,
    found: Mapping[str, list[Figures]],
    tell: Tell,
) -> None:
    """Append each target's figures to its list in `found`, as they are measured: what was found stays when it is ended.

    Each target is started for its round and stopped after it, so it runs alone.
    """
    for _ in range(rounds):
        for name, target in targets.items():
            figures: Figures = {}
            found[name].append(figures)
            async with aclosing(_Round(target, conversations, tokens, picture).run()) as round_:
                async for figure, value in round_:
                    figures[figure] = value
                    tell(f"{name} {figure} {value}")


class _Round:
    def __init__(self, target: Target, conversations: int, tokens: int, picture: bytes | None) -> None:
        self._target = target
        self._conversations = conversations
        self._tokens = tokens
        self._picture = picture
        self._seed = time.time_ns()  # makes pictures that no cache knows

    async def run(self) -> AsyncGenerator[tuple[str, float | None]]:
        """Yield figures as they are measured."""
        target = self._target
        try:
            await target.start()
            first = self._new("alone")
            alone = await self._ask(first)
            yield "first_token_s", alone.first_token_s
            yield "decode_tokens_per_s", alone.decode_tokens_per_s
            second = go_on(first, alone.text)
            await asyncio.sleep(FOLLOW_UP_SECONDS)
            followup = await self._ask(second)
            yield "followup_first_token_s", followup.first_token_s
            yield "peak_memory_alone_bytes", target.peak()
            async for figure in self._together():
                yield figure
            yield "longest_pause_s", await self._disturb()
            yield ("first_start_peak_memory_bytes" if target.is_new else "peak_memory_bytes"), target.peak()
            yield "load_s", await target.restart()
            resumed = await self._ask(go_on(second, followup.text))
            yield "restart_followup_first_token_s", resumed.first_token_s
        finally:
            await target.stop()

    async def _together(self) -> AsyncGenerator[tuple[str, float | None]]:
        """Let all conversations show a picture at once, then let all answers be written at the same time."""
        begun = [self._new(f"together:{n}") for n in range(self._conversations)]
        seen = await asyncio.gather(*[self._ask(each, 2) for each in begun])
        yield "last_of_all_first_token_s", max(writing.first_token_s for writing in seen)
        questions = [go_on(each, answer.text) for each, answer in zip(begun, seen, strict=True)]
        writings = await asyncio.gather(*[self._ask(each) for each in questions])
        start, end = max(w.times[0] for w in writings), min(w.times[-1] for w in writings)
        within = sum(w.tokens_between(start, end) for w in writings)
        yield "batch_tokens_per_s", within / (end - start) if end > start else None

    async def _disturb(self) -> float:
        """Return the longest pause in an answer while another conversation's picture is encoded."""
        begun = asyncio.Event()
        disturbed = AnswerTimes(begun.set)
        writing = asyncio.create_task(self._target.ask(self._new("disturbed"), LONG_ANSWER_TOKENS, disturbed))
        writing.add_done_callback(lambda _: begun.set())  # it may fail before its first piece
        try:
            await begun.wait()
            await self._ask(self._new("disturbing"), 2)
            disturbed.add("")  # a pause that has not ended counts too
        finally:
            writing.cancel()
            # Not awaited by itself: its end by this could not be told from Ctrl+C, which ends the measurement.
            await asyncio.gather(writing, return_exceptions=True)
        if not writing.cancelled():
            writing.result()  # raises why it failed
        return disturbed.longest_pause_s

    def _new(self, name: str) -> Conversation:
        self._seed += 1
        return start_conversation(name, make_picture(self._seed, self._picture))

    async def _ask(self, conversation: Conversation, tokens: int | None = None) -> AnswerTimes:
        return await self._target.ask(conversation, tokens or self._tokens, AnswerTimes())

"""The service in bad weather for a while: people ask until they are answered, and what watches it hears the truth."""

import asyncio
import random
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx

from tests.chaos.fate import set_clock
from tests.chaos.ledger import Conversation, Ledger
from tests.chaos.people import SAMPLES, Talk, samples, talks
from tests.chaos.site import Site
from tests.chaos.storms import READY, UNREADY, Storms, Truth
from tests.chaos.talkers import LOOK_S, talker

PLATFORMS = ("telegram", "slack", "web")
PATIENCE_S = 300.0  # at the end, until everybody is answered
THINKING_S = 3.0  # between an answer and the next question, at most
CALM_S = (4.0, 10.0)  # between two storms
RECENT_S = 5.0  # for which it counts how a question ended
NO_MEMORY = ("There is not enough memory", "现在内存不足")  # in the language of the question


def right_answers(talk: Talk, question: str) -> list[str]:
    """To one of the demo model's own pictures."""
    asked = next(pairs for name, pairs in samples().items() if (SAMPLES / name).read_bytes() == talk.pictures[0])
    return [answer for known, answer in asked if known == question]


def _letters(text: str) -> str:
    """Return the letters and digits alone: platforms write lists and tables in their own ways."""
    return "".join(filter(str.isalnum, text))


class Sheltered(Site):
    """Where nobody minds that the service is gone for a moment."""

    def check_alive(self) -> None: ...


class BadWeather:
    """`kinds` are the storms that come, all by default."""

    def __init__(
        self,
        folder: Path,
        people: int,
        seconds: float,
        seed: int,
        platforms: Sequence[str] = PLATFORMS,
        kinds: Sequence[str] = (),
    ) -> None:
        self.ledger = Ledger(seed)
        self._folder, self._people, self._seconds, self._platforms, self._kinds = (
            folder,
            people,
            seconds,
            platforms,
            kinds,
        )
        self._dice = random.Random(seed)
        self._endings: dict[bool, float] = {}  # when a question was answered last, and when one found no memory

    async def blow(self) -> Ledger:
        clock = self._folder / "clock"
        set_clock(clock, 0)
        async with Sheltered(self._folder, self._platforms, self._dice) as self._site:
            self._storms = Storms(self._site, clock, self._dice, self.ledger)
            await self._storms.begin_life()
            self._over = asyncio.Event()
            looking = asyncio.create_task(self._look())
            people = [asyncio.create_task(self._converse(number)) for number in range(self._people)]
            await self._storm()
            self._over.set()  # whoever has asked still wants an answer
            _, waiting = await asyncio.wait(people, timeout=PATIENCE_S)
            looking.cancel()
            for task in waiting:
                task.cancel()
            ends = await asyncio.gather(*people, return_exceptions=True)
            self.ledger.troubles += [repr(end) for end in ends if isinstance(end, Exception)]
            await asyncio.gather(looking, return_exceptions=True)
            await self._read_again()
            await self._site.end()
        return self.ledger

    async def _storm(self) -> None:
        """Every kind comes as often, in an order of the dice."""
        end, left = time.monotonic() + self._seconds, list[str]()
        while time.monotonic() < end:
            async with self._storms.weather(Truth("calm")):
                await asyncio.sleep(self._dice.uniform(*CALM_S))
            left = left or self._dice.sample(self._kinds or self._storms.kinds, len(self._kinds or self._storms.kinds))
            kind = left.pop()
            asked, answered = self.ledger.asked.total(), self.ledger.answered.total()
            print(f"{kind}: {asked} asked, {answered} answered so far", file=sys.stderr, flush=True)
            await self._storms.come(kind)

    async def _look(self) -> None:
        """What watches it: only what it hears within one kind of weather is judged."""
        async with httpx.AsyncClient(base_url=self._site.url, timeout=60, trust_env=False) as client:
            while True:
                truth = self._storms.truth
                with suppress(httpx.TransportError):
                    said = await client.get("/readyz")
                    if truth is not None and truth is self._storms.truth:
                        true = self._is_true(said.status_code, said.text, truth)
                        self.ledger.looks[truth.kind, true] += 1
                        if not true:
                            self.ledger.troubles.append(f"{truth.kind}: /readyz said {said.status_code}, {said.text!r}")
                await asyncio.sleep(0.2)

    def _is_true(self, status: int, text: str, truth: Truth) -> bool:
        if truth.status is not None:
            return status == truth.status and truth.line in text
        recent = {well for well, moment in self._endings.items() if time.monotonic() - moment < RECENT_S}
        if status == UNREADY:
            return False in recent or "memory" in text
        return status == READY and recent != {False}

    # People

    async def _converse(self, number: int) -> None:
        """About one picture after the other, each with a follow-up, until the weather is over."""
        platform, dice = self._platforms[number % len(self._platforms)], random.Random(f"{self.ledger.seed} {number}")
        while not self._over.is_set():
            talk = dice.choice([talk for talk in talks() if len(talk.pictures) == 1])
            if platform == "web":
                await self._ask_on_the_web(number, talk, dice)
            else:
                await self._ask_in_chat(platform, number, talk, dice)

    async def _ask_in_chat(self, platform: str, number: int, talk: Talk, dice: random.Random) -> None:
        someone = talker(platform, self._site, number)
        for index, question in enumerate(talk.questions):
            await asyncio.sleep(dice.uniform(0, THINKING_S))
            self.ledger.asked[platform] += 1
            words = await someone.ask(question, None if index else talk.pictures[0])
            while any(sentence in words for sentence in NO_MEMORY):  # as it says there: please ask again
                self._endings[False] = time.monotonic()
                await asyncio.sleep(THINKING_S)
                words = await someone.ask(question, None if index else talk.pictures[0])
            self._note(platform, question, words)
            if not any(_letters(answer) in _letters(words) for answer in right_answers(talk, question)):
                self.ledger.troubles.append(f"{platform}: {question!r} was answered {words!r}")

    async def _ask_on_the_web(self, number: int, talk: Talk, dice: random.Random) -> None:
        known = Conversation("")
        for question in talk.questions:
            await asyncio.sleep(dice.uniform(0, THINKING_S))
            self.ledger.asked["web"] += 1
            form = {"query": question, **({"conversation": known.id} if known.id else {})}
            answer = await self._until_answered(number, form, None if known.id else talk.pictures[0])
            self._note("web", question, answer["text"])
            if answer["text"] not in right_answers(talk, question):
                self.ledger.troubles.append(f"web: {question!r} was answered {answer['text']!r}")
            known.id = answer["conversation"]
            known.turns.append((question, answer["text"]))
        self.ledger.conversations.append(known)

    async def _until_answered(self, number: int, form: dict[str, str], file: bytes | None) -> dict[str, str]:
        """Again and again with the same key, as the documentation says."""
        headers = {"Idempotency-Key": uuid4().hex}
        transport = httpx.AsyncHTTPTransport(local_address=f"127.0.1.{1 + number}")
        async with httpx.AsyncClient(base_url=self._site.url, timeout=PATIENCE_S, transport=transport) as client:
            while True:
                files = {"image": ("picture.png", file)} if file is not None else None
                with suppress(httpx.TransportError):
                    said = await client.post("/api/v1/analyze", data=form, files=files, headers=headers)
                    if said.status_code == 200:
                        return dict(said.json())
                    if NO_MEMORY[0] in said.text:
                        self._endings[False] = time.monotonic()
                    if said.status_code not in (429, 503):
                        self.ledger.troubles.append(f"web: {said.status_code} {said.text}")
                await asyncio.sleep(10 * LOOK_S)

    def _note(self, platform: str, question: str, words: str) -> None:
        self.ledger.answered[platform] += 1
        self._endings[True] = time.monotonic()
        if not words.strip() or "went wrong" in words or "does not work" in words:
            self.ledger.troubles.append(f"{platform}: {question!r} was answered {words!r}")

    # The end

    async def _read_again(self) -> None:
        """Whatever was answered is still there, as it was said."""
        async with httpx.AsyncClient(base_url=self._site.url, timeout=60, trust_env=False) as client:
            for known in self.ledger.conversations:
                stored = (await client.get(f"/api/v1/conversations/{known.id}")).json().get("turns", [])
                turns = [(turn["text"], turn["answer"]["text"]) for turn in stored]
                self.ledger.deleted += sum(turn not in turns for turn in known.turns)
        database = sqlite3.connect(self._folder / "answers.db")
        for platform in set(self._platforms) - {"web"}:
            query = "SELECT count(*) FROM turns WHERE conversation_id LIKE ? AND NOT replaced"
            kept = database.execute(query, (f"{platform}:%",)).fetchone()[0]
            self.ledger.deleted += max(0, self.ledger.answered[platform] - kept)
        database.close()

"""Everybody who asks in a storm: who begins when, who still waits, and what each must have seen in the end."""

import asyncio
import random
from collections.abc import Sequence

from core.pictures.images import make_image
from tests.chaos.kinds import SLOW, SLOW_ONES, Story, asks_twice, name, stories
from tests.chaos.people import LOOK_S, Book, Person, Talk, samples, talks, words
from tests.chaos.plan import Plan
from tests.chaos.site import Site

CALM_S = 600.0  # seconds for the calm day; the machine may be busy
PATIENT_S = 900.0  # without progress, while somebody waits for what the service gives up after minutes
TWICE_S = 3.0  # a second answer would come by then
IDLE_S = 15.0  # after which nothing more comes from a service that owes nobody anything


class Stuck(Exception):
    """So many people wait without being answered that nobody new can come."""


class Crowd:
    """Whoever plays what is drawn in turn, so that all kinds and all talks come about as often."""

    def __init__(self, site: Site, plan: Plan, dice: random.Random, book: Book | None = None) -> None:
        self.people: list[Person] = []
        self.book = book or Book()
        self._site = site
        self._plan = plan
        self._dice = dice
        self._talks = talks()[: plan.talks]
        self._talks_left: list[Talk] = []  # to be asked before any comes again
        self._stories = {platform: stories(platform, plan.kinds) for platform in plan.platforms}
        self._left: dict[str, list[Story]] = {
            platform: [] for platform in plan.platforms
        }  # to be played before any comes again
        self._asking: dict[Person, asyncio.Task[None]] = {}

    @property
    def kinds(self) -> dict[str, list[str]]:
        """What is played at each platform, by name."""
        return {platform: list(map(name, each)) for platform, each in self._stories.items()}

    async def calm_day(self) -> list[str]:
        """Everything is asked once, so that the answers are known; returns what is not what the picture says."""
        pictures = {picture for talk in self._talks for picture in talk.pictures}
        self.book.images = {picture: (await make_image(picture)).id for picture in pictures}
        people: list[tuple[Person, Talk]] = []
        for talk in [*self._talks, *[talk.turned for talk in self._talks]]:
            for platform in self._plan.platforms:
                person = self._site.person(platform, -1 - len(people), name(asks_twice), self.book, self._dice)
                self.book.answers[platform, talk] = ["", ""]
                people.append((person, talk))
        playing = [asyncio.create_task(self._play(asks_twice, *each)) for each in people]
        began = asyncio.get_running_loop().time()
        while waiting := [person for person, _ in people if not person.content]:
            self._site.check_alive()
            if asyncio.get_running_loop().time() - began > CALM_S:
                who = [f"{person.conversation}: {[asked.found for asked in person.asked()]}" for person in waiting]
                raise TimeoutError(f"on a calm day there wait {who}")
            await asyncio.sleep(LOOK_S)
        await asyncio.gather(*playing)
        for person, talk in people:
            self.book.answers[person.platform, talk] = [asked.found[0] for asked in person.asked()]
            await person.close()
        return [
            complaint
            for (platform, talk), said in self.book.answers.items()
            for complaint in _misread(platform, talk, said)
        ]

    async def ask(self, count: int) -> None:
        """Until so many people have begun, or this life is over; nobody begins while too many wait.

        Raises `Stuck` when nobody is answered any more.
        """
        try:
            async with asyncio.timeout(self._plan.patience_s):
                while (number := len(self.people)) < count and not self._site.life.ended.done():
                    if sum(not person.patient for person in self.waiting()) >= self._plan.at_once:
                        await asyncio.sleep(LOOK_S / 2)
                        continue
                    self._begin(self._plan.platforms[number % len(self._plan.platforms)])
        except TimeoutError:
            raise Stuck from None

    def _begin(self, platform: str) -> None:
        """Somebody comes; and something malformed with them, now and then."""
        while self._dice.random() < self._plan.noise / (1 + self._plan.noise):
            self._site.platforms.disturb()
        self.bring(platform, self._next_story(platform), self._plan.fewest_copies)

    def bring(self, platform: str, story: Story, fewest_copies: int = 1) -> None:
        """Let somebody come who plays this."""
        talk = self._next_talk()
        copies = self._dice.randint(fewest_copies, self._plan.copies)
        person = self._site.person(platform, len(self.people), name(story), self.book, self._dice, copies)
        person.patient = story in SLOW
        self.people.append(person)
        self._asking[person] = asyncio.create_task(self._play(story, person, talk))

    def _next_story(self, platform: str) -> Story:
        if not self._left[platform]:
            slow = sum(person.patient for person in self.people if person.platform == platform)
            told = [story for story in self._stories[platform] if story not in SLOW or slow < SLOW_ONES]
            self._left[platform] = self._dice.sample(told, len(told))
        return self._left[platform].pop()

    def _next_talk(self) -> Talk:
        self._talks_left = self._talks_left or self._dice.sample(self._talks, len(self._talks))
        return self._talks_left.pop()

    async def _play(self, story: Story, person: Person, talk: Talk) -> None:
        await story(person, talk)
        person.done = True

    def waiting(self) -> list[Person]:
        """Who has not seen yet what they wait for."""
        for person, task in list(self._asking.items()):
            if task.done():
                task.result()  # who could not ask says why
                if person.content:
                    del self._asking[person]
        return list(self._asking)

    async def settle(self) -> None:
        """Until everybody has their answers, or nothing has come for a long time, or nothing can come any more."""
        loop = asyncio.get_running_loop()
        known, since, busy = -1, loop.time(), loop.time()
        while waiting := self.waiting():
            patience = PATIENT_S if any(person.patient for person in waiting) else self._plan.patience_s
            if self._site.life.ended.done() or loop.time() - max(busy, since) > IDLE_S:
                break
            if loop.time() - since > patience:
                break
            if len(waiting) != known:
                known, since = len(waiting), loop.time()
            if not await self._site.owes_nothing():
                busy = loop.time()
            await asyncio.sleep(2 * LOOK_S)
        await asyncio.sleep(TWICE_S)
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def close(self) -> None:
        for person in self.people:
            await person.close()


def _misread(platform: str, talk: Talk, said: Sequence[str]) -> list[str]:
    """What the calm day's answers should have been; with two pictures the first question is about the first."""
    right = {question: words(answer) for asked in samples().values() for question, answer in asked}
    if len(talk.pictures) > 1:
        return []
    return [
        f"{platform}, on a calm day: {question!r} was answered {answer!r}"
        for question, answer in zip(talk.questions, said, strict=True)
        if words(answer) != right[question]
    ]

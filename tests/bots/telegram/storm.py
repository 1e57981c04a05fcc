"""Questions through bad weather: faults in the calls, and a service that is killed and started again and again."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bots.telegram.conftest import is_finished, photo
from tests.bots.telegram.server import BotApi, Fault, Person
from tests.bots.telegram.world import Json

FAULTS: tuple[Fault, ...] = ("429", "500", "garbage", "hang", "drop before", "drop after")


@dataclass
class Report:
    """What the people saw."""

    questions: int = 0
    answered: int = 0  # exactly one complete answer
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    placeholders: int = 0  # left behind by a kill or a lost reply between posting and writing it down
    kills: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.questions} questions, {self.answered} answered exactly once, {len(self.lost)} lost, "
            f"{len(self.doubled)} doubled, {len(self.disordered)} out of order; {self.kills} kills, "
            f"{sum(self.faults.values())} faults in {self.calls} calls {dict(self.faults)}, "
            f"{self.placeholders} placeholders left behind"
        )


@dataclass
class _Asked:
    person: Person
    questions: list[tuple[Json, str]]  # and the answers they should get


async def storm(
    telegram: BotApi, command: Sequence[str], conversations: int, kills: int, one_in: int, seconds: float, seed: int = 1
) -> Report:
    """`command` starts the service, with the server's address as its last word but one. Asks for at most `seconds`."""
    dice = random.Random(seed)
    telegram.trouble = lambda method: dice.choice(FAULTS) if dice.random() < 1 / one_in else None
    asked = [_ask(telegram, number) for number in range(conversations)]
    process = await _start(command)
    end = asyncio.get_running_loop().time() + seconds
    killed = 0
    try:
        while asyncio.get_running_loop().time() < end and not (killed == kills and all(map(_is_over, asked))):
            await asyncio.sleep(dice.uniform(1.0, 4.0) if killed < kills else 0.2)
            if killed < kills:
                process.kill()
                await process.wait()
                killed += 1
                process = await _start(command)
            elif process.returncode is not None:
                raise RuntimeError(f"the service ended by itself with {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    report = Report(kills=killed, calls=sum(telegram.calls.values()), faults=telegram.faults)
    for one in asked:
        _judge(one, report)
    return report


def _ask(telegram: BotApi, number: int) -> _Asked:
    """A captioned photo or an album, and two follow-ups, at once; one chat in ten is a topic of a group."""
    if number % 10 == 9:
        chat = telegram.world.chat(-1000 - number, forum=True)
        person, mention = Person(telegram, chat, user_id=number + 1, topic=3), "@picture_bot "
    else:
        person, mention = Person(telegram, telegram.world.chat(number + 1)), ""
    album = f"album {number}" if number % 4 == 3 else None
    first = person.shows(photo("red"), f"{mention}first {number}", twice=number % 5 == 0, album=album)
    if album:
        person.shows(photo("blue"), twice=number % 8 == 3, album=album)
    second = person.says(f"{mention}second {number}", twice=number % 7 == 0)
    third = person.says(f"{mention}third {number}")
    return _Asked(
        person,
        [
            (first, f"Answer to 'first {number}' about [{'1, 2' if album else '1'}] after 0 turns."),
            (second, f"Answer to 'second {number}' about [] after 1 turns."),
            (third, f"Answer to 'third {number}' about [] after 2 turns."),
        ],
    )


def _answers(asked: _Asked, question: Json) -> list[Json]:
    messages = asked.person.chat.by_bot()
    return [m for m in messages if m.get("reply_to_message", {}).get("message_id") == question["message_id"]]


def _is_over(asked: _Asked) -> bool:
    return all(any(a["text"] == text for a in _answers(asked, question)) for question, text in asked.questions)


def _judge(asked: _Asked, report: Report) -> None:
    ended = 0.0
    for question, expected in asked.questions:
        report.questions += 1
        answers = _answers(asked, question)
        complete = [message for message in answers if message["text"] == expected]
        written = [message for message in answers if is_finished(message)]
        name = f"{asked.person.chat.id}: {expected}"
        report.placeholders += len(answers) - len(written)
        if not complete:
            report.lost.append(f"{name} but {[message['text'] for message in answers]}")
        elif len(written) > 1:
            report.doubled.append(name)
        else:
            report.answered += 1
            states = asked.person.chat.states[complete[0]["message_id"]]
            if states[-1][0] < ended:
                report.disordered.append(name)
            ended = states[-1][0]


async def _start(command: Sequence[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, *command, cwd=Path(__file__).parents[3])

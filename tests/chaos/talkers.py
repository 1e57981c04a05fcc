"""Somebody at a platform of a site who asks one thing after the other and reads each answer before the next."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import httpx

from tests.bots.slack.workspace import BOT, said
from tests.bots.telegram.conftest import is_finished
from tests.bots.telegram.person import Person
from tests.bots.web.conftest import events_of
from tests.chaos.on_slack import is_growing
from tests.chaos.people import own, without_introduction
from tests.chaos.site import Site

LOOK_S = 0.1  # between two looks at the screen
TIMING = re.compile(r"\d+\.\d s: ")  # the last line below an answer in the terminal
PATIENCE_S = 300.0  # for one answer; a decoder that hangs has 40 s, and four platforms share two decoders


class Talker(Protocol):
    status: int | None  # of the last answer: HTTP's, or a process's exit status; chats have none

    async def ask(self, text: str, file: bytes | None = None) -> str:
        """What is answered: the whole text, or the sentence of a refusal."""
        ...


@dataclass
class OnTelegram:
    site: Site
    number: int
    status: int | None = None

    async def ask(self, text: str, file: bytes | None = None) -> str:
        person = Person(self.site.platforms.telegram, self.site.platforms.telegram.world.chat(20_000 + self.number))
        asked = person.sends_file(file, "picture.png", None, text) if file is not None else person.says(text)
        while True:
            await _look(self.site)
            answers = person.chat.answers_to(asked["message_id"])
            if answers and all(map(is_finished, answers)):
                return without_introduction("\n".join(message["text"] for message in answers))


@dataclass
class OnSlack:
    site: Site
    number: int
    thread: str | None = None
    read: int = 0  # messages of the bot
    status: int | None = None

    async def ask(self, text: str, file: bytes | None = None) -> str:
        slack = self.site.platforms.slack
        files = (slack.upload(file),) if file is not None else ()
        sent = slack.says(f"<@{BOT}> {text}", files, thread=self.thread, user=f"U{self.number}")
        self.thread = self.thread or sent
        while True:
            await _look(self.site)
            messages = slack.workspace.answers("C0GENERAL", self.thread)[self.read :]
            if messages and not any(is_growing(slack, message) for message in messages):
                self.read += len(messages)
                return without_introduction("\n".join(map(said, messages)))


@dataclass
class OnTheWeb:
    """The page: it streams, and its questions have keys. Everybody has an address of their own, for the quotas."""

    site: Site
    number: int
    place: dict[str, str] = field(default_factory=dict)
    status: int | None = None

    async def ask(self, text: str, file: bytes | None = None) -> str:
        form = {"query": text, "stream": "true", "html": "true", **self.place}
        answer = await _post(self.site, self.number, form, file, {"Idempotency-Key": uuid4().hex})
        self.status = answer.status_code
        if self.status != 200:
            return str(answer.json()["detail"])
        events = events_of(answer)
        self.place = {"conversation": next(data["conversation"] for name, data in events if name == "conversation")}
        name, last = events[-1]
        self.status = last.get("status", 200)
        return str(last["text"] if name == "done" else last["detail"])


@dataclass
class OfTheApi:
    """A program: one request, one answer."""

    site: Site
    number: int
    place: dict[str, str] = field(default_factory=dict)
    status: int | None = None

    async def ask(self, text: str, file: bytes | None = None) -> str:
        said = await _post(self.site, self.number, {"query": text, **self.place}, file, {})
        self.status, answer = said.status_code, said.json()
        if "conversation" in answer:
            self.place = {"conversation": answer["conversation"]}
        return str(answer.get("text") or answer["detail"])


@dataclass
class InTheTerminal:
    """A process for each question. Besides the answer, or the sentence of a refusal, only notes may be printed."""

    site: Site
    number: int
    status: int | None = None

    async def ask(self, text: str, file: bytes | None = None) -> str:
        folder = self.site.folder
        path, out, errors = (folder / f"{name} {self.number}" for name in ("file", "answer", "notes"))
        await asyncio.to_thread(path.write_bytes, file or b"")
        words = ("ask", str(path), text, "--config", str(self.site.config))
        life = await self.site.nursery.bear(*words, out=out, errors=errors)
        self.status = await life.wait()
        answer, printed = out.read_text("utf-8"), without_introduction(errors.read_text("utf-8"))
        for each in (path, out, errors):
            each.unlink()
        notes = [line for line in printed.splitlines() if not TIMING.match(line)]
        match self.status, notes:
            case 0, _ if all(map(own, notes)):
                return answer
            case 2, [sentence] if not answer:
                return sentence
        raise RuntimeError(f"it ended with {self.status}: {answer!r} and {printed!r}")


def talker(platform: str, site: Site, number: int) -> Talker:
    kinds: dict[str, Any] = {"telegram": OnTelegram, "slack": OnSlack, "web": OnTheWeb, "api": OfTheApi}
    found: Talker = kinds.get(platform, InTheTerminal)(site, number)
    return found


async def _look(site: Site) -> None:
    site.check_alive()
    await asyncio.sleep(LOOK_S)


async def _post(
    site: Site, number: int, form: dict[str, str], file: bytes | None, headers: dict[str, str]
) -> httpx.Response:
    transport = httpx.AsyncHTTPTransport(local_address=f"127.0.{1 + number // 200}.{1 + number % 200}")
    files = {"image": ("picture.png", file)} if file is not None else None
    async with httpx.AsyncClient(base_url=site.url, timeout=PATIENCE_S, transport=transport) as client:
        return await client.post("/api/v1/analyze", data=form, files=files, headers=headers)

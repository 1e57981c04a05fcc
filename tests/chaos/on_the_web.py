"""Somebody on the web: a page that asks again with the same key until it is answered, or a program that only reads."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx

from tests.chaos.people import LOOK_S, STOPPED, Book, Person, is_spent

AGAIN_S = 0.3  # before a question is sent again
LATER = (429, 503)  # "not now"
WAIT = ("retries", "has no picture", "keeps nothing", "spends the quota")  # who could not find answers by reading
FORGOTTEN = "Forgotten: this conversation and its pictures are deleted."  # what 204 says
SET = "How I answer in this conversation:"  # what 200 says to new settings


def told_of(*turns: tuple[str, str]) -> str:
    """Versions of a question and its answer, as one text."""
    return " | ".join(f"{asked} – {answered}" for asked, answered in turns)


def _shown(answer: Mapping[str, Any]) -> str:
    """What stands on the page for it."""
    return f"{answer['text']} {STOPPED}" if answer["ending"] == "stopped" else str(answer["text"])


async def _usual(what: str, conversation: str) -> str:
    """Return no address: the client's own is meant."""
    return ""


class OnTheWeb(Person):
    """A place is the key of a question. With `reads` they hang up once it is taken, never send it again, and look."""

    platform = "web"

    def __init__(
        self,
        url: str,
        number: int,
        kind: str,
        book: Book,
        dice: random.Random,
        copies: int = 1,
        on_taken: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(number, kind, book, dice, copies)
        self.reads = kind not in WAIT and dice.random() < 0.5
        self.elsewhere: Callable[[str, str], Awaitable[str]] = _usual  # the address that an order is given at
        self._on_taken = on_taken
        self.refused: list[str] = []  # statuses and sentences
        address = f"127.{1 + number % 200}.{1 + number // 200 % 200}.1"  # of their own, as the quota is by it
        transport = httpx.AsyncHTTPTransport(local_address=address)
        self._client = httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, transport=transport)
        self._conversation = ""
        self._told: dict[str, list[str]] = {}
        self._files: dict[str, bytes] = {}
        self._sending: set[asyncio.Task[None]] = set()

    # What they do

    async def ask(self, text: str, pictures: Sequence[bytes] = (), who: int = 0) -> str:
        """Returns when it is taken."""
        form = {"query": text} | ({"conversation": self._conversation} if self._conversation else {})
        return await self._send("/api/v1/analyze", form, pictures)

    async def ask_anew(self, text: str, pictures: Sequence[bytes] = ()) -> str:
        return await self._send("/api/v1/analyze", {"query": text}, pictures)

    async def leave(self, picture: bytes) -> str:
        """Once: a second time it would belong to another conversation."""
        try:
            answer = await self._client.post("/api/v1/pictures", files={"image": ("picture.png", picture)})
            self._conversation = answer.raise_for_status().json()["conversation"]
        except httpx.HTTPError:
            self.counted = False
        return ""

    async def order(self, command: str) -> str:
        here = f"/api/v1/conversations/{self._conversation}"
        match command:
            case "retry":
                return await self._send(f"{here}/retry?stream=true", {}, ())
            case "forget":
                answer = await self._insist("DELETE", here, await self.elsewhere(command, self._conversation))
                gone = answer.status_code in (204, 404)  # the latter when the first answer to it got lost
                self._told[command] = [FORGOTTEN if gone else f"{answer.status_code}: {answer.text}"]
            case "export":
                answer = await self._insist("GET", f"{here}/export")
                told = "conversation.zip" if answer.status_code == 200 else f"{answer.status_code}: {answer.text}"
                self._told[command], self._files[command] = [told], answer.content
            case "versions":
                answer = await self._insist("GET", f"{here}/turns/1/versions")
                versions = answer.json()["versions"] if answer.status_code == 200 else []
                self._told[command] = [told_of(*[(turn["text"], turn["answer"]["text"]) for turn in versions])]
        return command

    async def set(self, name: str) -> str:
        answer = await self._insist("PUT", f"/api/v1/conversations/{self._conversation}/settings", json={name: False})
        self._told[name] = [SET if answer.status_code == 200 else f"{answer.status_code}: {answer.text}"]
        return name

    async def rate(self, place: str) -> bool:
        rating = f"/api/v1/conversations/{self._conversation}/turns/1/rating"
        await self._insist("POST", rating, data={"rating": "1"})
        return True

    async def edit_first(self, text: str) -> str:
        """The first question, in other words; returns the place of the new answer."""
        return await self._send(
            f"/api/v1/conversations/{self._conversation}/turns/1/edit?stream=true", {"query": text}, ()
        )

    async def remove_picture(self) -> None:
        """The first one."""
        await self._insist("DELETE", f"/api/v1/conversations/{self._conversation}/pictures/1")

    async def stop(self, place: str) -> None:
        where = await self.elsewhere("stop", self._conversation)
        await self._insist("POST", f"/api/v1/conversations/{self._conversation}/stop", where)

    # What they see

    def found(self, place: str) -> list[str]:
        return self._told.get(place, [])

    def file(self, place: str) -> bytes:
        return self._files[place]

    @property
    def conversation(self) -> str:
        return self._conversation

    async def close(self) -> None:
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._client.aclose()

    # The wire

    async def _send(self, path: str, form: dict[str, str], pictures: Sequence[bytes]) -> str:
        """Several times at once with one key, which is one question. Returns when one of them is taken."""
        key, taken = uuid4().hex, asyncio.Event()
        for copy in range(self.copies):
            streams = copy == 0
            task = asyncio.create_task(self._until_answered(path, form, pictures, key, taken, streams))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        await taken.wait()
        return key

    async def _until_answered(
        self, path: str, form: dict[str, str], pictures: Sequence[bytes], key: str, taken: asyncio.Event, streams: bool
    ) -> None:
        files = [("image", ("picture.png", picture)) for picture in pictures] or None
        form = {**form, "stream": "true"} if streams else form
        while not (self.reads and taken.is_set()):
            with suppress(httpx.HTTPError):  # killed under our hands; the key makes it safe to ask again
                if await self._post(path, form, files, key, taken):
                    return
            await asyncio.sleep(AGAIN_S)
        if streams:
            await self._read(key, form.get("query", ""))

    async def _post(self, path: str, form: dict[str, str], files: Any, key: str, taken: asyncio.Event) -> bool:
        """Whether there is nothing more to come."""
        name = ""
        headers = {"Idempotency-Key": key}
        async with self._client.stream("POST", path, data=form, files=files, headers=headers) as answer:
            if not answer.headers["Content-Type"].startswith("text/event-stream"):
                return self._hear(key, answer.status_code, json.loads(await answer.aread()), taken)
            async for line in answer.aiter_lines():
                name = line.removeprefix("event: ") if line.startswith("event: ") else name
                if not line.startswith("data: "):
                    continue
                data = json.loads(line.removeprefix("data: "))
                if name == "conversation":
                    self._take(data, taken)
                    if self.reads:
                        return False
                if name in ("done", "error"):
                    return self._hear(key, data.get("status", 200), data, taken)
        return False

    def _take(self, data: dict[str, Any], taken: asyncio.Event) -> None:
        self._conversation = self._conversation or data["conversation"]
        taken.set()
        self._on_taken()

    def _hear(self, key: str, status: int, data: dict[str, Any], taken: asyncio.Event) -> bool:
        if status in LATER and not is_spent(data["detail"]):
            return False
        if status != 200:
            self.refused.append(f"{status}: {data['detail']}")
        else:
            self._take(data, taken)
        text = _shown(data) if status == 200 else data["detail"]
        told = self._told.setdefault(key, [])  # all copies are told the same, except how long they have to wait
        if text not in told and not (is_spent(text) and any(map(is_spent, told))):
            told.append(text)
        taken.set()
        return True

    async def _read(self, key: str, question: str) -> None:
        """The conversation, until an answer to the question stands there."""
        while True:
            answer = await self._insist("GET", f"/api/v1/conversations/{self._conversation}")
            if answer.status_code != 200:
                self._told[key] = [answer.json()["detail"]]  # forgotten meanwhile
                return
            texts = [_shown(turn["answer"]) for turn in answer.json()["turns"] if turn["text"] == question]
            if texts:
                self._told[key] = texts
                return
            await asyncio.sleep(LOOK_S)

    async def _insist(self, method: str, path: str, where: str = "", **content: Any) -> httpx.Response:
        """Until there is an answer: at first at that address, then at the usual one."""
        while True:
            with suppress(httpx.HTTPError):
                answer = await self._client.request(method, where + path, **content)
                if answer.status_code not in LATER and answer.status_code < 500:
                    return answer
            where = ""
            await asyncio.sleep(AGAIN_S)

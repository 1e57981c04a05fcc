"""Somebody who uses the web through its API, streaming as the page does, as `tests.bots.guest.Guest`."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from bots.conversing.answer_action import AnswerAction
from core.i18n import Translator
from tests.bots.guest import Home, Seen, Sent
from tests.bots.web.conftest import events_in

API = "/api/v1"


@asynccontextmanager
async def visiting(home: Home, language: str, **_: Any) -> AsyncIterator["WebGuest"]:
    headers = {"Accept-Language": language}
    async with httpx.AsyncClient(base_url=home.address, headers=headers, timeout=280, trust_env=False) as client:
        yield WebGuest(client, Translator(language))


class WebGuest:
    def __init__(self, client: httpx.AsyncClient, translator: Translator) -> None:
        self._client = client
        self._translator = translator
        self._conversation = ""
        self._last: Any = None
        self._heard = ""  # of the stream of the last answer

    async def ask(self, text: str, *files: Sent) -> Seen:
        fields = {"query": text, "stream": "true", "html": "true"}
        if self._conversation:
            fields["conversation"] = self._conversation
        return await self._stream(
            f"{API}/analyze", data=fields, files=[("image", (it.name, it.data, it.kind)) for it in files] or None
        )

    async def press(self, seen: Seen, button: str) -> Seen:
        done: Any = seen.handle
        if button == AnswerAction.SMALL_PRINT.label(self._translator):
            return await self._stream(f"{self._turn(done)}/smallprint?stream=true&html=true")
        name = "table" if button == AnswerAction.CSV.label(self._translator) else "file"
        return Seen("", files={done[name].rpartition("/")[2]: await self._get(done[name])})

    async def pictures(self) -> Seen:
        response = await self._client.get(self._here)
        if response.status_code == 404:  # it is forgotten, if it ever was
            return Seen("")
        assert response.status_code == 200
        found = {p["number"]: p for turn in response.json()["turns"] for p in turn["pictures"]}
        lines = [f"Picture {n}: {p['original_width']} × {p['original_height']}" for n, p in sorted(found.items())]
        return Seen("\n".join(lines))

    async def remove(self, number: int) -> Seen:
        response = await self._client.delete(f"{self._here}/pictures/{number}")
        assert response.status_code == 204
        return Seen("")

    async def export(self) -> bytes:
        return await self._get(f"{self._here}/export")

    async def edit(self, text: str) -> Seen:
        return await self._stream(f"{self._turn(self._last)}/edit?stream=true&html=true", data={"query": text})

    async def sets(self, name: str, value: str) -> str:
        known = (await self._client.get(f"{self._here}/settings")).json()
        wanted = {**known, name: value == "on" if value in ("on", "off") else value}
        changed = await self._client.put(f"{self._here}/settings", json=wanted)
        assert changed.status_code == 200
        now = {name: {True: "on", False: "off"}.get(value, value) for name, value in changed.json().items()}
        return "\n".join(f"{name}: {value}" for name, value in now.items())

    async def mentioned_by(self, who: str, text: str, file: Sent) -> str:
        raise NotImplementedError

    def shown(self) -> tuple[str, ...]:
        whole, _, _ = self._heard.rpartition("\n\n")
        return tuple(self._said(*event) for event in events_in(whole))

    def marks(self) -> tuple[int, int]:
        return 0, 0  # a page has no reactions

    async def rate(self, seen: Seen, good: bool) -> None:
        response = await self._client.post(f"{self._turn(seen.handle)}/rating", data={"rating": 1 if good else -1})
        assert response.status_code == 204

    @property
    def _here(self) -> str:
        return f"{API}/conversations/{self._conversation}"

    def _turn(self, done: Any) -> str:
        return f"{self._here}/turns/{done['number']}"

    async def _get(self, address: str) -> bytes:
        response = await self._client.get(address)
        assert response.status_code == 200
        return response.content

    async def _stream(self, address: str, **body: Any) -> Seen:
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        self._heard = ""
        async with self._client.stream("POST", address, headers=headers, **body) as response:
            async for text in response.aiter_text():
                self._heard += text
        events = events_in(self._heard)
        name, done = events[-1]
        if name == "error":
            return Seen(done["detail"])
        self._conversation, self._last = done["conversation"] or self._conversation, done
        files = {f"picture-{it['number']}.png": await self._get(it["url"]) for it in done["marked"]}
        actions = {
            AnswerAction.CSV: done["table"],
            AnswerAction.TEXT: done["file"],
            AnswerAction.SMALL_PRINT: done["small_print"],
        }
        buttons = tuple(action.label(self._translator) for action, there in actions.items() if there)
        words = "\n\n".join(filter(None, [done["text"], done["receipt"], *done["notes"]]))
        return Seen(words, buttons, files, self.shown(), done)

    def _said(self, name: str, data: Any) -> str:
        """As the page says it."""
        match name:
            case "waiting" if data["seconds"] is not None:
                sentence = "You are number {place} in line, about {seconds} s …"
                return self._translator.say(sentence, place=data["place"], seconds=max(1, round(data["seconds"])))
            case "looking":
                return self._translator.say("Looking at picture {picture} of {of} …", **data)
        return str(data)

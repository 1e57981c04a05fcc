"""Answer questions of the terminal with a running service, through its /v1. Loads no model."""

import base64
import json
import mimetypes
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

from bots.cli.answer_output import CONTROLS
from bots.cli.ask_files import LocalFile, open_all, pictures_of, translator_for
from bots.conversing.proxy import Proxies, without_passwords
from bots.conversing.proxy_transport import through
from bots.web.openai.replies import NOTES
from core.answer import Answer, Ending, Figures
from core.errors import BadImage, BotError, OperatorError
from core.events import Piece, Tell, Waiting
from core.image import Image
from core.pictures.documents import document_for, open_document
from core.pictures.file_types import is_pdf
from core.pictures.images import ImagesConfig
from core.settings import SHORT_ANSWER_TOKENS, ConversationSettings, Length, Sharpness

CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 60.0  # the service says every 10 s that it is still there
MOST_ERROR_BYTES = 100_000
VARIABLE = "env:"
_PART = re.compile(r"messages\.\d+\.content\.(\d+)\.[\w.]*: ")


class ServiceAnswerer:
    """Implements `bots.cli.ask.Answerer`. The service keeps nothing, so every question sends all that came before."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        files: Sequence[LocalFile],
        wanted: ConversationSettings = ConversationSettings(),
    ) -> None:
        self.notes: Sequence[str] = ()
        self._wanted = wanted
        self._client = client
        self._files = files
        self._messages: list[dict[str, Any]] = []
        self._asked: list[str] = []
        self._seconds = 0.0

    async def ask(self, text: str, tell: Tell) -> Answer:
        began = time.monotonic()
        tell(Waiting(1, None))
        parts = [_part(file, self._wanted.sharpness) for file in self._files] if not self._messages else []
        question = {"role": "user", "content": [*parts, {"type": "text", "text": text}]}
        answer = await self._stream([*self._messages, question], translator_for(text).language, tell)
        self._messages += [question, {"role": "assistant", "content": answer.text}]
        self._asked.append(text)
        self._seconds = time.monotonic() - began
        return answer

    async def images(self) -> Sequence[Image]:
        """Open them here as the service does."""
        first, *later = self._asked
        documents = await open_all(self._files, first, ImagesConfig())
        named = []
        for text in later:
            if (data := document_for(documents, text)) is not None:
                with suppress(BadImage):
                    named.append(await open_document(data, text))
        return pictures_of([*documents, *named])

    def timing(self, answer: Answer) -> str:
        figures = answer.figures
        cut = "" if answer.ending is Ending.DONE else f", {answer.ending}"
        reused = f"{figures.reused_tokens} of {figures.prompt_tokens} tokens were known"
        return f"{self._seconds:.1f} s: {reused}; {figures.answer_tokens} tokens{cut}"

    async def _stream(self, messages: list[dict[str, Any]], language: str, tell: Tell) -> Answer:
        told = [{"role": "system", "content": self._wanted.system}] if self._wanted.system else []
        body = {"messages": [*told, *messages], "stream": True, "stream_options": {"include_usage": True}}
        if self._wanted.length is Length.SHORT:
            body["max_tokens"] = SHORT_ANSWER_TOKENS
        headers = {"Accept-Language": language}
        text, ending, figures = "", None, Figures()
        try:
            async with self._client.stream("POST", "chat/completions", json=body, headers=headers) as reply:
                if reply.status_code != httpx.codes.OK:
                    raise await self._refusal(reply)
                self.notes = _notes(reply.headers.get(NOTES, "[]"))
                async for event in _events(reply):
                    if "error" in event:
                        raise self._told(event)
                    figures = _figures(event.get("usage")) or figures
                    for choice in event["choices"]:
                        if piece := choice["delta"].get("content"):
                            text += piece
                            tell(Piece(piece))
                        ending = choice["finish_reason"] or ending
        except httpx.ConnectError as error:
            if "CERTIFICATE" in str(error):
                raise OperatorError(
                    "The certificate of {url} is not trusted here: name its authority in SSL_CERT_FILE.", url=self._url
                ) from None
            raise OperatorError("There is no service at {url}. Is it running there?", url=self._url) from None
        except httpx.TimeoutException:
            raise OperatorError("The service at {url} does not answer in time.", url=self._url) from None
        except httpx.HTTPError:
            raise OperatorError("The connection to {url} broke off. Please ask again.", url=self._url) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._not_our_service() from None
        if ending is None:
            raise OperatorError("The connection to {url} broke off. Please ask again.", url=self._url)
        return Answer(text, Ending.LENGTH if ending == "length" else Ending.DONE, figures)

    @property
    def _url(self) -> str:
        return without_passwords(str(self._client.base_url)).removesuffix("/v1/")

    async def _refusal(self, reply: httpx.Response) -> BotError:
        """Return the error of a whole reply: the service's own sentence, unless the key or the address is wrong."""
        if reply.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            if "Authorization" in reply.request.headers:
                return OperatorError("The service at {url} refuses this key: check it, and --key.", url=self._url)
            return OperatorError("The service at {url} needs a key: give it by --key env:NAME.", url=self._url)
        body = b""
        async for piece in reply.aiter_bytes():
            body += piece
            if len(body) > MOST_ERROR_BYTES:
                return self._not_our_service()
        return self._told(json.loads(body))

    def _told(self, body: Any) -> BotError:
        """Return the service's own sentence. It names a field where a person knows a file."""
        sentence = str(body["error"]["message"])
        if field := _PART.match(sentence):
            index, sentence = int(field[1]), sentence[field.end() :]
            if 1 < len(self._files) > index:
                sentence = f"{self._files[index].name}: {sentence}"
        return BotError(sentence)

    def _not_our_service(self) -> OperatorError:
        return OperatorError("What answers at {url} is not this service: check --url.", url=self._url)


@asynccontextmanager
async def answer_by_service(
    url: str,
    key: str,
    environment: Mapping[str, str],
    files: Sequence[LocalFile],
    wanted: ConversationSettings = ConversationSettings(),
) -> AsyncIterator[ServiceAnswerer]:
    """Connect when the first question is asked. `key` is env:NAME, or empty. Raises `OperatorError`."""
    address = _address(url)
    secret = _key(key, environment) if key else ""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    proxy = Proxies().proxy_for(address)
    transport = through(proxy, 1) if proxy else httpx.AsyncHTTPTransport()
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    async with httpx.AsyncClient(
        base_url=f"{address}/v1/", headers=headers, timeout=timeout, transport=transport
    ) as client:
        yield ServiceAnswerer(client, files, wanted)


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and bool(httpx.URL(url))
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise OperatorError("--url has to be like http://127.0.0.1:5000.")
    return url.partition("?")[0].rstrip("/").removesuffix("/v1")


def _key(key: str, environment: Mapping[str, str]) -> str:
    if not key.startswith(VARIABLE):
        raise OperatorError("--key names a variable, as env:NAME: other users can read what a command is called with.")
    name = key.removeprefix(VARIABLE)
    secret = environment.get(name, "").strip()
    if not secret or not (secret.isascii() and secret.isprintable()):
        raise OperatorError("There is no key in the environment variable {name}.", name=name)
    return secret


def _part(file: LocalFile, sharpness: Sharpness) -> dict[str, Any]:
    kind = "application/pdf" if is_pdf(file.data) else mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    url = f"data:{kind};base64,{base64.b64encode(file.data).decode()}"
    if is_pdf(file.data):
        return {"type": "file", "file": {"filename": "document.pdf", "file_data": url}}
    detail = {"detail": "high"} if sharpness is Sharpness.HIGH else {}
    return {"type": "image_url", "image_url": {"url": url, **detail}}


async def _events(reply: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in reply.aiter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


def _notes(header: str) -> list[str]:
    return [str(note).translate(CONTROLS) for note in json.loads(header)]


def _figures(usage: Any) -> Figures | None:
    if not usage:
        return None
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return Figures(prompt_tokens=usage["prompt_tokens"], reused_tokens=cached, answer_tokens=usage["completion_tokens"])

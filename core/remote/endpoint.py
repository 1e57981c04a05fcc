"""Talk to one engine elsewhere: ask it, look whether it is there, and know how it is."""

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from openai import APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient, Omit, Timeout

from core.engine.config import EngineConfig
from core.remote.failure import Failure, FailureKind, failure_of
from core.remote.model_list import ListedModel, choose, models_of
from core.remote.request import RemoteRequest, images_of
from core.remote.stream import StreamedAnswer

CONNECT_SECONDS = 5.0
LONGEST_ANSWER_SECONDS = 3600.0  # every wait ends, also for an engine that only says that it is still there
PROBE_SECONDS = 10.0  # for the list of models
PAUSES_SECONDS = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # before an engine that failed so many times is looked at again
LONGEST_LOADING_SECONDS = 900.0  # what loads for longer is broken
DEFAULT_CONTEXT_TOKENS: int = EngineConfig.model_fields["context_tokens"].default
WITHOUT_LIST = (404, 405, 501)  # statuses of an engine that is there and has no list of models
SESSION_HEADER = "x-session-id"  # by which routers can send a conversation to the same engine each time
_UNSENT: dict[str, str | Omit] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}  # of OpenAI's customers


class State(StrEnum):
    READY = "ready"
    EXPECTED = "expected"  # it loads, is busy, or has just failed: worth waiting for
    DOWN = "down"


@dataclass(slots=True)
class EndpointHealth:
    """How an engine is, by use and by probes. `reason` says why it is not ready."""

    state: State = State.EXPECTED
    reason: str = "it was not asked yet"
    loading: bool = False
    failures: int = 0  # since its last answer
    pause: float = 0.0  # seconds until the next probe
    _expected_since: float | None = None

    def ready(self) -> None:
        """Note that a probe found it. What went before is forgiven only by an answer."""
        self.state, self.reason, self.loading = State.READY, "", False

    def answered(self) -> None:
        self.ready()
        self.failures, self._expected_since = 0, None

    def failed(self, failure: Failure) -> None:
        """Note a failure, unless it is the question's own."""
        if failure.kind in (FailureKind.TOO_LONG, FailureKind.QUESTION):
            return
        self.reason, self.loading = failure.reason, failure.kind is FailureKind.LOADING
        if failure.kind in (FailureKind.LOADING, FailureKind.BUSY):
            now = time.monotonic()
            self._expected_since = self._expected_since or now
            waited = now - self._expected_since
            self.state = State.EXPECTED if waited < LONGEST_LOADING_SECONDS else State.DOWN
            self.pause = failure.pause
            return
        first = self.failures == 0 and failure.kind is not FailureKind.REFUSED
        self.state = State.EXPECTED if first else State.DOWN
        self.pause = PAUSES_SECONDS[min(self.failures, len(PAUSES_SECONDS) - 1)]
        self.failures += 1


class Endpoint:
    """One engine. `running` counts the questions that it works on; the pool keeps them to `most`."""

    def __init__(self, url: str, config: EngineConfig) -> None:
        self.url = url
        self.name = url.removeprefix(f"{urlsplit(url).scheme}://")
        self.health = EndpointHealth()
        self.model: ListedModel | None = None
        self.running = 0
        self.most = config.requests
        self._config = config
        key = config.api_key.get_secret_value() if config.api_key else None
        limits = Timeout(config.timeout_seconds, connect=CONNECT_SECONDS)
        self._headers = _UNSENT if key else {**_UNSENT, "Authorization": Omit()}
        self._client = AsyncOpenAI(
            base_url=url,
            api_key=key or "none",
            max_retries=0,
            timeout=limits,
            http_client=DefaultAsyncHttpxClient(follow_redirects=False, timeout=limits),
        )

        self._completions = self._client.chat.completions  # imports for a quarter of a second, so not with a question

    @property
    def context_tokens(self) -> int:
        """Return how long a conversation may be: as the operator says, else as the engine does."""
        if "context_tokens" in self._config.model_fields_set:
            return self._config.context_tokens
        return (self.model.context_tokens if self.model else None) or DEFAULT_CONTEXT_TOKENS

    async def probe(self) -> None:
        """Look whether the engine is there and has the model. Raises `Failure`."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                body = await self._client.get("/models", cast_to=object, options={"headers": self._headers})
        except Exception as error:
            if not (isinstance(error, APIStatusError) and error.status_code in WITHOUT_LIST):
                raise failure_of(error) from error
            body = None
        wanted = self._config.model if "model" in self._config.model_fields_set else None
        self.model = choose(models_of(body), wanted)

    async def write(self, request: RemoteRequest, written: StreamedAnswer) -> None:
        """Let the engine write an answer. Raises `Failure`, and `BadQuestion` if there is no room for the question.

        Cancelling it closes the connection, which frees the engine.
        """
        model = self.model.name if self.model else ""
        fields: dict[str, Any] = await asyncio.to_thread(request.fields, model, self.context_tokens)
        written.images = images_of(fields["messages"][-1])
        asking = self._completions.with_streaming_response.create(
            **fields,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={**self._headers, SESSION_HEADER: request.session},
        )
        try:
            async with asyncio.timeout(LONGEST_ANSWER_SECONDS), asking as response:
                await written.read(response.iter_bytes())
        except Exception as error:
            raise failure_of(error) from error

    async def close(self) -> None:
        await self._client.close()

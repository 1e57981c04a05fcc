"""Serve /metrics in Prometheus' own terms. docs/operate.md lists what to watch."""

import asyncio
import logging
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bots.web.access.address import client_of
from bots.web.operations.status import Operation
from core.leases import LiveReplica
from core.trace import log_event

log = logging.getLogger(__name__)
PREFIX = "picture_answers"
BEAT_SECONDS = 0.02  # between two checks of the event loop
LAGS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5)
ABOUT = ("clock", "database", "disk", "limit", "model")
DURATIONS = {
    "first_token": ("time_to_first_token", "From all of a question being here to the first word of its answer"),
    "queue_wait": ("queue_wait", "From all of a question being here to the model's beginning with it"),
    "answer": ("answer_duration", "From all of a question being here to its answer's end, however that ended"),
}
ENGINE = {  # the engine's number -> its name without the prefix, and its description
    "running": ("running_answers", "Answers that the model is writing now"),
    "waiting": ("waiting_questions", "Questions in the model's line now; `waiting` in [core.engine] is the most"),
    "answers": ("engine_answers_total", "Answers that the model has written to the end"),
    "image_s": ("engine_image_seconds_total", "Time spent on looking at pictures"),
    "prefill_s": ("engine_prefill_seconds_total", "Time spent on reading questions and their history"),
    "decode_s": ("engine_decode_seconds_total", "Time spent on writing answers"),
    "pictures_computed": ("engine_pictures_computed_total", "Pictures that the model looked at"),
    "pictures_reused": ("engine_pictures_reused_total", "Pictures that were in the cache"),
    "tokens_computed": ("engine_tokens_computed_total", "Tokens that were computed, of questions and answers"),
    "tokens_reused": ("engine_tokens_reused_total", "Tokens of questions that were in the cache"),
    "tokens_written": ("engine_tokens_written_total", "Tokens of answers"),
    "kv_bytes": ("engine_kv_bytes", "Memory of the conversations that are being answered now"),
    "cache_bytes": ("engine_cache_bytes", "Memory of what is kept for the next question"),
    "longest_step_s": ("engine_longest_step_seconds", "The longest that a reader waited for one token since the start"),
}


class Metrics:
    """One registry per app, so that two apps in one process (tests) stay apart."""

    def __init__(self, operation: Operation) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "http_requests", "HTTP requests answered, by route and status; 4xx are refusals", ["route", "status"],
            namespace=PREFIX, registry=self.registry,
        )  # fmt: skip
        self.lag = Histogram(
            "event_loop_lag_seconds", "How late the event loop comes to what is due", buckets=LAGS_S,
            namespace=PREFIX, registry=self.registry,
        )  # fmt: skip
        ProcessCollector(namespace=PREFIX, registry=self.registry)
        self._service = _Service(operation)
        self.registry.register(self._service)

    async def feel_pulse(self) -> None:
        """Measure the event loop's delays until cancelled.

        A block of a second counts as all the beats that it made late.
        """
        loop = asyncio.get_running_loop()
        due = loop.time() + BEAT_SECONDS
        while True:
            await asyncio.sleep(due - loop.time())
            now = loop.time()
            while due <= now:
                self.lag.observe(now - due)
                due += BEAT_SECONDS

    def text(self, replicas: Sequence[LiveReplica] = ()) -> bytes:
        self._service.replicas = replicas
        return generate_latest(self.registry)


class Counting:
    """Counts every answered request by its route, so that invented addresses never become labels.

    A refusal (4xx) is logged as an event, with the address that it came from.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                route = getattr(scope.get("route"), "path", "other")
                self._metrics.requests.labels(route, status).inc()
                if 400 <= status < 500:
                    log_event(log, "refused", platform="web", status=status, route=route, address=client_of(scope))
            await send(message)

        await self._app(scope, receive, send_counted)


class _Service(Collector):
    """Collects what the assistant counted, what works, and the engine's numbers."""

    replicas: Sequence[LiveReplica] = ()

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(PREFIX, "Which version and model answer here", self._operation.about())
        yield from self._answers()
        yield from self._durations()
        yield from self._health()
        if self.replicas:
            yield self._held()
        for name, value in self._operation.engine().items():
            if name in ENGINE:
                full, what = f"{PREFIX}_{ENGINE[name][0]}", ENGINE[name][1]
                family = CounterMetricFamily if full.endswith("_total") else GaugeMetricFamily
                yield family(full, what, value)

    def _answers(self) -> Iterator[Metric]:
        stats = self._operation.stats
        questions = CounterMetricFamily(
            f"{PREFIX}_questions", "Questions that were asked, by platform", labels=["platform"]
        )
        for platform, count in list(stats.questions.items()):
            questions.add_metric([platform], count)
        answers = CounterMetricFamily(
            f"{PREFIX}_answers",
            "Answers by platform and how they ended: done, length, repeated, stopped, failed, refused",
            labels=["platform", "ending"],
        )
        for (platform, ending), count in list(stats.endings.items()):
            answers.add_metric([platform, ending], count)
        yield questions
        yield answers

    def _held(self) -> Metric:
        held = GaugeMetricFamily(
            f"{PREFIX}_replica_leases", "Conversations and bots that each live replica holds", labels=["replica"]
        )
        for replica in self.replicas:
            held.add_metric([replica.name], replica.leases)
        return held

    def _durations(self) -> Iterator[Metric]:
        found = sorted(self._operation.stats.durations.items())
        for kind, (name, what) in DURATIONS.items():
            family = HistogramMetricFamily(f"{PREFIX}_{name}_seconds", f"{what}, by platform", labels=["platform"])
            for (of, platform), histogram in found:
                if of == kind:
                    family.add_metric([platform], list(histogram.buckets()), histogram.total_s)
            yield family

    def _health(self) -> Iterator[Metric]:
        health = self._operation.health
        up = GaugeMetricFamily(
            f"{PREFIX}_platform_up", "Whether a platform works (1) or is down (0)", labels=["platform"]
        )
        for name, state in health.platforms.items():
            up.add_metric([name], float(state.up))
        yield up
        trouble = GaugeMetricFamily(
            f"{PREFIX}_trouble",
            "What the operator should look at (1), by what it is; /admin says why",
            labels=["about"],
        )
        for about in ABOUT:
            trouble.add_metric([about], float(about in health.notices))
        yield trouble
        yield GaugeMetricFamily(
            f"{PREFIX}_recent_warnings",
            "Warnings and errors of the log that /admin shows, 30 at most",
            len(self._operation.troubles.latest),
        )

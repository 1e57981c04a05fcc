"""What the operator's machines can see at /metrics: requests, answers by platform, the engine's numbers, memory,
lag."""

import asyncio
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bots.web.operations.status import Operation

BEAT_S = 0.02  # between two looks at the event loop
LAGS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5)
ABOUT = ("clock", "database", "disk", "limit", "model")
Family = CounterMetricFamily | GaugeMetricFamily


class Metrics:
    """One registry to an app, so that two apps in one process (tests) do not meet."""

    def __init__(self, operation: Operation) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "web_requests", "HTTP requests answered, by route and status", ["route", "status"], registry=self.registry
        )
        self.lag = Histogram(
            "event_loop_lag_seconds", "How late the event loop comes to what is due", buckets=LAGS_S,
            registry=self.registry,
        )  # fmt: skip
        ProcessCollector(registry=self.registry)
        self.registry.register(_Service(operation))

    async def feel_pulse(self) -> None:
        """Until cancelled. A block of a second is as many late beats as would have been in it, not one."""
        loop = asyncio.get_running_loop()
        due = loop.time() + BEAT_S
        while True:
            await asyncio.sleep(due - loop.time())
            now = loop.time()
            while due <= now:
                self.lag.observe(now - due)
                due += BEAT_S

    def text(self) -> bytes:
        return generate_latest(self.registry)


class Counting:
    """Counts every answered request by its route, so that no address somebody made up becomes a label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self._metrics.requests.labels(route, message["status"]).inc()
            await send(message)

        await self._app(scope, receive, send_counted)


class _Service(Collector):
    """What the assistant counted, and every number of the engine under its own name."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def collect(self) -> Iterator[Family]:
        stats = self._operation.stats
        questions = CounterMetricFamily("questions", "Questions asked, by platform", labels=["platform"])
        for platform, count in stats.questions.items():
            questions.add_metric([platform], count)
        answers = CounterMetricFamily(
            "answers", "Answers, by platform and how they ended", labels=["platform", "ending"]
        )
        for (platform, ending), count in stats.endings.items():
            answers.add_metric([platform, ending], count)
        yield questions
        yield answers
        platform_up = GaugeMetricFamily(
            "platform_up", "Whether a platform works (1) or is down (0)", labels=["platform"]
        )
        for name, state in self._operation.health.platforms.items():
            platform_up.add_metric([name], float(state.up))
        yield platform_up
        trouble = GaugeMetricFamily("trouble", "What the operator should look at (1), by what it is", labels=["about"])
        for about in ABOUT:
            trouble.add_metric([about], float(about in self._operation.health.notices))
        yield trouble
        yield GaugeMetricFamily(
            "troubles_recent", "Warnings and errors kept for /admin", len(self._operation.troubles.latest)
        )
        for name, value in self._operation.engine().items():
            yield GaugeMetricFamily(f"engine_{name}", name.replace("_", " "), value)

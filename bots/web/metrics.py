"""What the operator can see at /metrics: our own counters, the engine's numbers, the process's memory."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Metrics:
    """One registry to an app, so that two apps in one process (tests) do not meet."""

    def __init__(self, figures: Callable[[], object] | None, running: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "web_requests", "HTTP requests answered, by route and status", ["route", "status"], registry=self.registry
        )
        Gauge("web_answers_running", "Answers being written for the web", registry=self.registry).set_function(running)
        ProcessCollector(registry=self.registry)
        if figures is not None:
            self.registry.register(_Engine(figures))

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


class _Engine(Collector):
    """Every number of the engine's figures under its own name."""

    def __init__(self, figures: Callable[[], object]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        figures = self._figures()
        if not is_dataclass(figures):
            return
        for field in fields(figures):
            value = getattr(figures, field.name)
            if isinstance(value, int | float):
                yield GaugeMetricFamily(f"engine_{field.name}", field.name.replace("_", " "), value)

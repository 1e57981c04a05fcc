"""Answer machines that watch: whether the service is alive and ready."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from bots.conversing.readiness import LOADING
from bots.web.operations.status import Operation
from core.leases import LiveReplica

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def alive() -> Response:
    """Answer as long as the process lives."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Say whether questions can be answered, and if not, why.

    A platform that is down is a line of the body, so that it does not take the page out of a balancer. So is each
    replica, where there are several.
    """
    operation: Operation = request.app.state.operation
    reasons = dict(await operation.readiness.reasons()) if operation.readiness else {}
    loading = [LOADING, reasons.pop(LOADING)] if LOADING in reasons else []
    lines = loading + [f"the {name} does not work: {reason}" for name, reason in reasons.items()]
    down = [f"{name} is down: {state.reason}" for name, state in operation.health.platforms.items() if not state.up]
    replicas = [f"replica {_described(each, operation)}" for each in await operation.replicas()]
    return PlainTextResponse("\n".join([*(lines or ["ok"]), *down, *replicas, ""]), 503 if lines else 200)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    state = request.app.state
    return Response(state.metrics.text(await state.operation.replicas()), media_type=CONTENT_TYPE_LATEST)


def _described(replica: LiveReplica, operation: Operation) -> str:
    own = ", which says this" if replica.name == operation.leases.name else ""
    return f"{replica.name}{own}: holds {replica.leases}"

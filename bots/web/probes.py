"""For machines that watch: alive, ready, and numbers."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from bots.web.problem import problem
from core.errors import BotError

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def alive() -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Say whether questions can be answered: the model is loaded, and the database can be written.

    A platform that is down is a line of the body, so that it does not take the page out of a balancer.
    """
    try:
        await request.app.state.desk.store.check()
    except BotError as error:
        return problem(request.headers, 503, error)
    platforms = request.app.state.operation.health.platforms
    down = [f"{name} is down: {state.reason}\n" for name, state in platforms.items() if not state.up]
    return PlainTextResponse("".join(["ok\n", *down]))


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)

"""Serve the operator's page at /admin: what the service is doing now, how its last answers went, who may ask."""

import time
from typing import Any

from fastapi import APIRouter, Request, Response

from bots.conversing.permissions import Decision, Permissions
from bots.web.language import translator_of
from bots.web.operations.status import Operation
from bots.web.page.pages import fields_of
from bots.web.platform import WEB
from core.answer import Figures
from core.errors import BadQuestion, NotAllowed
from core.person import Standing
from core.stats import AnswerRecord
from core.units import MEGABYTE

STAGES = (("queue_s", "in line"), ("image_s", "pictures"), ("prefill_s", "reading"), ("decode_s", "writing"))
PLOT_WIDTH, PLOT_HEIGHT = 800, 200  # in the plot's own units
SLOWEST = 10  # answers whose stages are written out
SHOWN_PEOPLE = 200
DECISIONS = {  # what can be decided about people with each standing
    Standing.WAITING: (Decision.ALLOW, Decision.IGNORE, Decision.BLOCK),
    Standing.IGNORED: (Decision.ALLOW, Decision.BLOCK),
    Standing.ALLOWED: (Decision.BLOCK,),
    Standing.BLOCKED: (Decision.UNBLOCK, Decision.ALLOW),
}

router = APIRouter(include_in_schema=False)


@router.get("/admin")
async def admin(request: Request) -> Response:
    return await _shown(request)


@router.post("/admin")
async def decide(request: Request) -> Response:
    """Let somebody in on a chat platform, or block them, as its admins can in the chat."""
    _check(request)
    fields = await fields_of(request)
    permissions = _chats(request).get(fields.get("platform", ""))
    if permissions is None or fields.get("decision") not in tuple(Decision):
        raise BadQuestion("This request could not be understood.")
    note = await permissions.decide(fields.get("person", ""), Decision(fields["decision"]), "the page")
    return await _shown(request, translator_of(request.headers).explain(note))


def _check(request: Request) -> None:
    state = request.app.state
    if state.auth.open and not state.config.loopback:
        raise NotAllowed("Set a token in [bots.web] first: others can reach this address too.")


def _chats(request: Request) -> dict[str, Permissions]:
    """Return the permissions of each platform where people can be let in."""
    operation: Operation = request.app.state.operation
    return {name: each for name, each in operation.permissions.items() if name != WEB.name}


async def _shown(request: Request, said: str = "") -> Response:
    """Return the page, with a sentence about what was just done."""
    _check(request)
    state = request.app.state
    operation: Operation = state.operation
    entries = list(operation.stats.latest)
    response: Response = state.pages.show(
        request,
        "admin.html",
        engine=operation.engine(),
        engine_rows=[_with_unit(name, value) for name, value in operation.engine().items()],
        clock=time.strftime("%H:%M:%S"),
        slowest=_slowest(entries),
        operation=operation,
        platforms=_platforms(operation),
        replicas=await operation.replicas(),
        bars=_bars(entries),
        longest=max((entry.figures.total_s for entry in entries), default=0.0),
        stages=STAGES,
        now=time.monotonic(),
        said=said,
        chats=sorted(_chats(request)),
        people=await state.receiver.store.known_people(SHOWN_PEOPLE),
        decisions=DECISIONS,
        day=lambda seconds: time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)),
    )
    return response


def _platforms(operation: Operation) -> list[dict[str, Any]]:
    """Return questions and how their answers ended, by platform."""
    stats = operation.stats
    names = sorted({*stats.questions, *(platform for platform, _ in stats.endings)})
    return [
        {
            "name": name,
            "questions": stats.questions[name],
            "endings": {
                ending: count for (platform, ending), count in sorted(stats.endings.items()) if platform == name
            },
        }
        for name in names
    ]


def _bars(entries: list[AnswerRecord]) -> list[dict[str, Any]]:
    """Return one stacked bar for each answer, oldest left, with its stages from the bottom up."""
    longest = max((entry.figures.total_s for entry in entries), default=0.0) or 1.0
    step = PLOT_WIDTH / max(20, len(entries))
    bars = []
    for index, entry in enumerate(entries):
        parts, top = [], float(PLOT_HEIGHT)
        for name, _ in STAGES:
            height = PLOT_HEIGHT * _seconds(entry.figures, name) / longest
            top -= height
            parts.append({"stage": name, "y": round(top, 2), "height": round(height, 2)})
        bars.append({"x": round(index * step, 2), "width": round(step * 0.72, 2), "parts": parts, "entry": entry})
    return bars


def _slowest(entries: list[AnswerRecord]) -> dict[AnswerRecord, str]:
    """Return the slowest answers, slowest first, with the id of each one's stages on the page."""
    slow = sorted(entries, key=lambda entry: -entry.figures.total_s)[:SLOWEST]
    return {entry: f"answer-{entry.finished * 1000:.0f}" for entry in slow}


def _with_unit(name: str, value: float) -> tuple[str, str]:
    """Return one of the engine's numbers as people read it."""
    if name.endswith("_bytes"):
        return name.removesuffix("_bytes"), f"{value / MEGABYTE:,.1f} MB"
    if name.endswith("_s"):
        return name.removesuffix("_s"), f"{value:,.1f} s"
    return name, f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _seconds(figures: Figures, name: str) -> float:
    return float(getattr(figures, name))

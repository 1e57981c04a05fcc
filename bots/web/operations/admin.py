"""Serve the operator's page at /admin: what the service is doing now and how its last answers went."""

import time
from typing import Any

from fastapi import APIRouter, Request, Response

from bots.web.operations.status import Operation
from core.conversation import Figures
from core.errors import NotAllowed
from core.stats import AnswerRecord

STAGES = (("queue_s", "in line"), ("image_s", "pictures"), ("prefill_s", "reading"), ("decode_s", "writing"))
PLOT_WIDTH, PLOT_HEIGHT = 800, 200  # in the plot's own units

router = APIRouter(include_in_schema=False)


@router.get("/admin")
async def admin(request: Request) -> Response:
    state = request.app.state
    if state.auth.open and not state.config.loopback:
        raise NotAllowed("Set a token in [bots.web] first: others can reach this address too.")
    operation: Operation = state.operation
    entries = list(operation.stats.latest)
    response: Response = state.pages.show(
        request,
        "admin.html",
        engine=operation.engine(),
        operation=operation,
        platforms=_platforms(operation),
        bars=_bars(entries),
        longest=max((entry.figures.total_s for entry in entries), default=0.0),
        stages=STAGES,
        now=time.monotonic(),
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


def _seconds(figures: Figures, name: str) -> float:
    return float(getattr(figures, name))

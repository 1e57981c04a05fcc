"""The web page and the REST API: FastAPI, uvicorn, and a page of plain HTML, CSS and ES modules."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bots.web.config import Config
from bots.web.shelf import Shelf
from core.assistant import Assistant
from core.images import Config as ImagesConfig

if TYPE_CHECKING:
    from starlette.routing import Router

__all__ = ["Config", "run"]


async def run(
    config: Config,
    assistant: Assistant,
    store: Shelf,
    images: ImagesConfig,
    figures: Callable[[], object] | None = None,
    ready: Callable[[str], None] | None = None,
    guests: "Router | None" = None,
    adapters: Mapping[str, str] | None = None,
) -> None:
    """Serve until cancelled. `figures` gives the engine's numbers for /metrics; `ready` is told the page's address.

    `guests` holds routes of other adapters that need an open port (/slack/events); each checks its callers itself.
    `adapters` says of each adapter how it is, for /admin.

    Raises `OperatorError` when the port cannot be had.
    """
    from bots.web.server import serve  # FastAPI takes half a second to import, which `--help` must not pay

    await serve(config, assistant, store, images, figures, ready, guests, adapters)

"""What all doors share: one assistant, one store, one word about how each of them is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bots.shelf import Shelf
from core.assistant import Assistant
from core.images import Config as ImagesConfig

if TYPE_CHECKING:
    from starlette.routing import Router


@dataclass(frozen=True, slots=True)
class House:
    """`figures` are the engine's numbers of now. `guests` holds routes that the web adapter carries for others; there
    is none without the web. `adapters` says of each how it is."""

    assistant: Assistant
    store: Shelf
    images: ImagesConfig = field(default_factory=ImagesConfig)
    figures: Callable[[], object] = lambda: None
    guests: "Router | None" = None
    adapters: dict[str, str] = field(default_factory=dict)

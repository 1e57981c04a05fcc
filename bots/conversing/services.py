"""Hold what all platforms share: one assistant, one store, one record of what works."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bots.conversing.health import Health
from bots.conversing.permissions import Permissions
from bots.conversing.store import Store
from core.assistant import Assistant
from core.leases import Leases
from core.model.description import ModelDescription
from core.pictures.images import ImagesConfig
from core.single_replica import SingleReplica

if TYPE_CHECKING:
    from starlette.routing import Router

EXPORTS_AT_ONCE = 2  # chat platforms want whole files, so each has all pictures of a conversation in memory


async def _never() -> None:
    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class Services:
    """The shared services. Each platform reports to `health`.

    `engine_stats` returns the engine's numbers, `check_model` raises why it cannot answer, and `model_ended` returns
    when it never will again. `extra_routes` holds routes that the web adapter carries for others, or None without it.
    `permissions` are those of each platform that was started, by its name. `leases` say what is left to other replicas.
    """

    assistant: Assistant
    store: Store
    images: ImagesConfig = field(default_factory=ImagesConfig)
    engine_stats: Callable[[], object] = lambda: None
    check_model: Callable[[], None] = lambda: None
    extra_routes: "Router | None" = None
    model_ended: Callable[[], Awaitable[None]] = _never
    health: Health = field(default_factory=Health)
    permissions: dict[str, Permissions] = field(default_factory=dict)
    model: ModelDescription = field(default_factory=ModelDescription)
    leases: Leases = field(default_factory=SingleReplica)
    exports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EXPORTS_AT_ONCE))

    async def limits(self, conversation_id: str) -> ImagesConfig:
        """Return the limits of pictures in a conversation, as sharp as its settings say."""
        return self.images.sharpened((await self.store.settings(conversation_id)).pixel_factor)

"""Collect what the operator may see of the running service: numbers, states and recent errors.

No questions or pictures.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass

import psutil

from bots.conversing.health import Health
from bots.conversing.permissions import Permissions
from bots.conversing.readiness import Readiness
from bots.log import leave_words_out
from core.errors import StoreDown
from core.leases import Leases, LiveReplica
from core.single_replica import SingleReplica
from core.stats import Stats
from core.units import MEGABYTE
from core.version import VERSION

KEPT = 30


@dataclass(frozen=True, slots=True)
class Trouble:
    """A warning or an error of the log, without its traceback."""

    when: float  # as `time.monotonic` counts
    level: str
    source: str
    sentence: str


class Troubles(logging.Handler):
    """The last warnings and errors of the whole process, while it is attached."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(leave_words_out)
        self.latest: deque[Trouble] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        sentence = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            sentence += f" ({record.exc_info[0].__name__})"
        self.latest.append(Trouble(time.monotonic(), record.levelname, record.name, sentence[:500]))

    def __enter__(self) -> "Troubles":
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


@dataclass(frozen=True, slots=True)
class Operation:
    """The service's state.

    `engine_stats` returns the engine's numbers, `health` what works, `readiness` whether it can answer. `permissions`
    are those of each chat platform, and `leases` know the other replicas.
    """

    stats: Stats
    engine_stats: Callable[[], object] | None = None
    health: Health = field(default_factory=Health)
    readiness: Readiness | None = None
    troubles: Troubles = field(default_factory=Troubles)
    permissions: Mapping[str, Permissions] = field(default_factory=dict)
    leases: Leases = field(default_factory=SingleReplica)

    async def replicas(self) -> Sequence[LiveReplica]:
        """Return the replicas that live, or none where there is one service or the database does not answer."""
        try:
            return await self.leases.live()
        except StoreDown:
            return ()

    def engine(self) -> dict[str, float]:
        """Return the engine's numbers by name, or none without an engine that counts."""
        stats = self.engine_stats() if self.engine_stats else None
        if not is_dataclass(stats):
            return {}
        values = {part.name: getattr(stats, part.name) for part in fields(stats)}
        return {name: value for name, value in values.items() if isinstance(value, int | float)}

    def about(self) -> dict[str, str]:
        """Return which version and model answer here: version, model, precision, kernel, replica."""
        stats = self.engine_stats() if self.engine_stats else None
        engine = {name: str(getattr(stats, name, "")) for name in ("model", "precision", "kernel")}
        replica = {"replica": self.leases.name} if self.leases.name else {}
        return {"version": VERSION, **engine, **replica}

    @property
    def up_s(self) -> float:
        return time.monotonic() - self.stats.started

    @property
    def memory_mb(self) -> float:
        return float(psutil.Process().memory_info().rss) / MEGABYTE

    @property
    def memory_free_mb(self) -> float:
        return float(psutil.virtual_memory().available) / MEGABYTE

    @property
    def load(self) -> float:
        """Return how many processes wanted a core, on average over the last minute."""
        return float(psutil.getloadavg()[0])

"""Tell whether anything can be answered, and if not, why: the model and the database are tested, and failures count."""

import asyncio
import time
from collections.abc import Callable

from bots.conversing.store import Store
from core.errors import BotError, ModelLoading, StoreDown
from core.stats import Stats

LOADING = "loading"  # the model is on its way
CHECK_SECONDS = 8.0  # longest time for the database to write a few rows
FRESH_SECONDS = 1.0  # how long a result is reused
FAILED_QUESTIONS = 3  # in a row; one may be about a damaged picture
REMEMBER_SECONDS = 60.0  # afterwards the next question may succeed


class Readiness:
    """Checks the service. `check_model` raises why the model cannot answer."""

    def __init__(
        self,
        store: Store,
        stats: Stats,
        check_model: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._stats = stats
        self._check_model = check_model
        self._clock = clock
        self._lock = asyncio.Lock()
        self._reasons: dict[str, str] = {}
        self._checked = float("-inf")

    async def reasons(self) -> dict[str, str]:
        """Return why nothing can be answered, by part: loading, model, database. It is empty when that is possible."""
        async with self._lock:
            if self._clock() - self._checked >= FRESH_SECONDS:
                found = {**self._model_trouble(), "database": await self._database_trouble()}
                if any(found.values()):
                    self._stats.streak = None  # they failed for this reason, and may succeed afterwards
                else:
                    found |= self._failing()
                self._reasons = {name: reason for name, reason in found.items() if reason}
                self._checked = self._clock()
            return self._reasons

    def _model_trouble(self) -> dict[str, str]:
        try:
            self._check_model()
        except ModelLoading as error:
            return {LOADING: str(error)}
        except BotError as error:
            return {"model": str(error)}
        return {}

    async def _database_trouble(self) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._store.check()
        except StoreDown as error:
            return error.reason or str(error)
        except TimeoutError:
            return "it does not answer"
        return ""

    def _failing(self) -> dict[str, str]:
        """Return why every question fails although the checks pass, for example because of damaged pages."""
        streak = self._stats.streak
        if streak is None or streak.count < FAILED_QUESTIONS or self._clock() - streak.last > REMEMBER_SECONDS:
            return {}
        return {streak.part: f"the last {streak.count} questions failed: {streak.reason}"}

"""Record what works right now. Each platform reports about itself.

The probes, the metrics and the operator's page read it. It holds no secrets and no person's words.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)
DOWN_AFTER_SECONDS = 300.0  # shorter outages are normal


@dataclass(frozen=True, slots=True)
class PlatformState:
    """Whether a platform's messages are received and answered. `reason` is a sentence for the operator."""

    up: bool
    reason: str = ""
    since: float = 0.0  # as `time.monotonic` counts


class Health:
    """The state of every platform that the config enables, by its name: telegram, slack, web."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.platforms: dict[str, PlatformState] = {}
        self.notices: dict[str, str] = {}  # sentences for the operator by subject, such as the clock
        self.admin_notifiers: dict[
            str, Callable[[str], Awaitable[None]]
        ] = {}  # by platform; sends a text to its admins
        self._clock = clock
        self._failing_since: dict[str, float] = {}  # by `clock`
        self._worked: set[str] = set()

    def mark_started(self, platform: str) -> None:
        """Note that the platform is being started. It counts as up until something fails."""
        self.platforms.setdefault(platform, PlatformState(up=True, since=self._clock()))

    def mark_working(self, platform: str) -> None:
        """Note that the platform has just done what it was asked. It is up."""
        self._failing_since.pop(platform, None)
        self._worked.add(platform)
        before = self.platforms.get(platform)
        if before is None or not before.up:
            self.platforms[platform] = PlatformState(up=True, since=self._clock())
        if before is not None and not before.up:
            log.warning("%s works again", platform)

    def has_worked(self, platform: str) -> bool:
        """Return whether the platform has worked since the process began: then its token was good."""
        return platform in self._worked

    def record_failure(self, platform: str, reason: str) -> None:
        """Note a failure that will be retried. The platform is down after five minutes of failures only."""
        now = self._clock()
        failing_since = self._failing_since.setdefault(platform, now)
        if now - failing_since >= DOWN_AFTER_SECONDS:
            self.mark_down(platform, reason)

    def mark_down(self, platform: str, reason: str) -> None:
        """Mark the platform as down. The log says so once, until it works again."""
        before = self.platforms.get(platform)
        if before is None or before.up:
            log.error("%s is down: %s", platform, reason)
            since = self._failing_since.get(platform, self._clock())
            self.platforms[platform] = PlatformState(up=False, reason=reason, since=since)
        else:
            self.platforms[platform] = PlatformState(up=False, reason=reason, since=before.since)

    def set_notice(self, about: str, sentence: str) -> None:
        """Set a sentence for the operator about something that does not stop answers; "" when it is over.

        The log says it when it changes.
        """
        before = self.notices.pop(about, "")
        if sentence:
            self.notices[about] = sentence
            if not before:
                log.warning("%s", sentence)
        elif before:
            log.warning("the %s is fine again", about)

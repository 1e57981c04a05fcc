"""Admins are told once when something does not work, and once when it is well again, in the chats that work."""

from collections.abc import Awaitable, Callable

from bots.conversing.health import DOWN_AFTER_SECONDS, Health
from bots.tasks.announcer import PERSIST_SECONDS, SEND_ATTEMPTS, Announcer


class Scene:
    """A service with admins on Telegram and Slack, whose time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.health = Health(lambda: self.now)
        self.announcer = Announcer(self.health, lambda: self.now)
        self.told: list[tuple[str, str]] = []
        self.refusing: set[str] = set()
        for platform in ("telegram", "slack"):
            self.health.mark_started(platform)
            self.health.admin_notifiers[platform] = self._teller(platform)

    def _teller(self, platform: str) -> Callable[[str], Awaitable[None]]:
        async def tell(text: str) -> None:
            if platform in self.refusing:
                raise ConnectionError
            self.told.append((platform, text))

        return tell

    async def passes(self, seconds: float) -> list[tuple[str, str]]:
        """What was told meanwhile."""
        self.told.clear()
        for _ in range(10):
            self.now += seconds / 10
            await self.announcer.step()
        return list(self.told)


async def test_a_platform_that_is_down_is_told_on_the_others_once_and_once_when_it_works_again() -> None:
    scene = Scene()
    scene.health.record_failure("telegram", "The token is refused.")
    assert await scene.passes(DOWN_AFTER_SECONDS) == []
    scene.health.record_failure("telegram", "The token is refused.")
    [(platform, text)] = await scene.passes(3600)
    assert platform == "slack"
    english, chinese, reason = text.splitlines()
    assert english.startswith("Telegram has not worked for 1")
    assert "Telegram" in chinese
    assert reason == "The token is refused."
    scene.health.mark_working("telegram")
    assert await scene.passes(3600) == [("slack", "Telegram works again.\nTelegram 恢复正常了。")]
    assert await scene.passes(3600) == []


async def test_how_long_a_platform_has_been_down_is_counted_from_its_first_failure() -> None:
    scene = Scene()
    scene.health.record_failure("telegram", "It cannot be reached.")
    scene.now += DOWN_AFTER_SECONDS
    scene.health.record_failure("telegram", "It cannot be reached.")
    await scene.announcer.step()
    [(_, text)] = scene.told
    assert text.startswith("Telegram has not worked for 5 minutes.\n")


async def test_what_lasts_is_told_on_every_platform_and_what_mends_itself_is_not() -> None:
    scene = Scene()
    scene.health.set_notice("disk", "The disk is nearly full: 3 MB are free.")
    assert await scene.passes(PERSIST_SECONDS / 2) == []
    scene.health.set_notice("disk", "")
    assert await scene.passes(PERSIST_SECONDS) == []
    scene.health.set_notice("disk", "The disk is nearly full: 3 MB are free.")
    told = await scene.passes(PERSIST_SECONDS * 10)
    assert sorted(platform for platform, _ in told) == ["slack", "telegram"]
    assert {text for _, text in told} == {
        "The disk is nearly full.\n磁盘快满了。\nThe disk is nearly full: 3 MB are free."
    }
    scene.health.set_notice("disk", "")
    assert await scene.passes(PERSIST_SECONDS / 2) == []
    scene.health.set_notice("disk", "The disk is nearly full: 2 MB are free.")  # it is not well yet
    assert await scene.passes(PERSIST_SECONDS * 10) == []
    scene.health.set_notice("disk", "")
    assert len(await scene.passes(PERSIST_SECONDS * 10)) == 2


async def test_who_could_not_be_told_is_told_when_their_platform_works() -> None:
    scene = Scene()
    for platform in ("telegram", "slack"):
        scene.health.mark_down(platform, "It cannot be reached.")
    assert await scene.passes(3600) == []
    scene.health.mark_working("slack")
    [(platform, text)] = await scene.passes(60)
    assert (platform, text.splitlines()[0][:8]) == ("slack", "Telegram")
    scene.health.mark_working("telegram")
    assert [platform for platform, _ in await scene.passes(3600)] == ["slack"]


async def test_a_platform_that_refuses_is_given_up_after_some_attempts_and_the_others_hear() -> None:
    scene = Scene()
    scene.refusing = {"telegram"}
    scene.health.set_notice("database", "The database does not work: the disk is full.")
    told = await scene.passes(PERSIST_SECONDS * SEND_ATTEMPTS * 10)
    assert [platform for platform, _ in told] == ["slack"]
    scene.refusing.clear()
    assert await scene.passes(3600) == []

"""When a platform counts as down, and what the operator hears of it."""

import logging

import pytest

from bots.conversing.health import DOWN_AFTER_SECONDS, Health


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_platform_is_down_when_nothing_worked_for_five_minutes_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    health = Health(clock)
    health.mark_started("telegram")
    health.record_failure("telegram", "The token is refused.")
    clock.now += DOWN_AFTER_SECONDS - 1
    health.record_failure("telegram", "The token is refused.")
    assert health.platforms["telegram"].up
    clock.now += 1
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            health.record_failure("telegram", "The token is refused.")
    assert not health.platforms["telegram"].up
    assert caplog.messages == ["telegram is down: The token is refused."]


def test_a_short_outage_between_good_answers_never_counts_as_down() -> None:
    clock = Clock()
    health = Health(clock)
    for _ in range(10):
        health.record_failure("slack", "Slack does not answer.")
        clock.now += DOWN_AFTER_SECONDS - 1
        health.mark_working("slack")
    assert health.platforms["slack"].up


def test_a_platform_that_works_again_is_up_and_starts_its_five_minutes_afresh(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    health = Health(clock)
    health.mark_down("telegram", "The token is refused.")
    with caplog.at_level(logging.WARNING):
        health.mark_working("telegram")
        health.mark_working("telegram")
    assert caplog.messages[1:] == ["telegram works again"]
    health.record_failure("telegram", "Telegram does not answer.")
    assert health.platforms["telegram"].up


def test_a_platform_has_worked_once_it_did_something_and_a_start_alone_is_not_that() -> None:
    health = Health()
    health.mark_started("telegram")
    assert not health.has_worked("telegram")
    health.mark_working("telegram")
    health.mark_down("telegram", "The token is refused.")
    assert health.has_worked("telegram")

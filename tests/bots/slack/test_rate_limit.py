"""Slack's limits are per method and workspace: how often it is asked, and who goes first."""

import pytest

from bots.conversing.delivery_errors import RetryLater
from bots.slack.rate_limit import WINDOW_SECONDS, Budget


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> Budget:
    return Budget(clock=clock)


def test_no_minute_has_more_calls_than_slack_allows(budget: Budget, clock: Clock) -> None:
    for _ in range(20):
        budget.spend("chat_stopStream")
    with pytest.raises(RetryLater) as later:
        budget.spend("chat_stopStream")
    assert later.value.seconds == pytest.approx(WINDOW_SECONDS)
    budget.spend("chat_update")  # another method
    clock.now += WINDOW_SECONDS
    budget.spend("chat_stopStream")


def test_growing_texts_leave_calls_to_last_writes(budget: Budget) -> None:
    budget.joins("an answer", "chat_update")
    for _ in range(47):
        budget.check_growing("an answer")
        budget.spend("chat_update")
    with pytest.raises(RetryLater):
        budget.check_growing("an answer")
    for _ in range(3):
        budget.spend("chat_update")


def test_growing_texts_share_a_method_evenly(budget: Budget) -> None:
    for number in range(10):
        budget.joins(number, "chat_appendStream")
    assert budget.interval(0) == 0.0  # as long as nearly nothing is spent
    for _ in range(10):
        budget.spend("chat_appendStream")
    assert budget.interval(0) == pytest.approx(60 / 8.5)
    budget.joins("another", "chat_update")
    assert budget.interval(0) == pytest.approx(60 / 8.5)
    for number in range(5):
        budget.leaves(number)
    assert budget.interval(9) == pytest.approx(30 / 8.5)
    assert budget.interval(0) == 0.0


def test_a_429_stops_a_method_and_makes_it_slower_for_a_while(budget: Budget, clock: Clock) -> None:
    budget.slow_down("chat_update", 30.0)
    budget.slow_down("chat_update", 20.0)  # another call that was on its way
    assert budget.wait("chat_update") == pytest.approx(30.0)
    assert budget.wait("chat_appendStream") <= 0
    clock.now += 30.0
    calls = 0
    while budget.wait("chat_update") <= 0:
        budget.spend("chat_update")
        calls += 1
    assert 40 <= calls < 50
    clock.now += 3600.0
    for _ in range(50):
        budget.spend("chat_update")


def test_a_method_that_slack_gives_no_limit_for_is_stopped_by_a_429_only(budget: Budget, clock: Clock) -> None:
    for _ in range(2000):
        budget.spend("chat_postMessage")
    budget.slow_down("chat_postMessage", 3.0)
    assert budget.wait("chat_postMessage") == pytest.approx(3.0)
    clock.now += 3.0
    budget.spend("chat_postMessage")

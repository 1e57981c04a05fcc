"""Strangers hear one line an hour in each chat, and what is kept of them is bounded."""

import logging

import pytest

from bots.conversing.strangers import BETWEEN_NOTICES_SECONDS, REMEMBERED_CHATS, Strangers


def test_a_chat_hears_one_line_an_hour() -> None:
    now = 0.0
    strangers = Strangers("telegram", lambda: now)
    assert strangers.claim_notice("telegram:1", "a")
    assert not strangers.claim_notice("telegram:2", "a")
    assert strangers.claim_notice("telegram:1", "b")
    now = BETWEEN_NOTICES_SECONDS - 1
    assert not strangers.claim_notice("telegram:1", "a")
    now = BETWEEN_NOTICES_SECONDS
    assert strangers.claim_notice("telegram:1", "a")


def test_a_stranger_is_an_event_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    strangers = Strangers("telegram", lambda: 0.0)
    assert strangers.claim_notice("telegram:1", "a")
    assert not strangers.claim_notice("telegram:1", "a")
    assert [record.getMessage() for record in caplog.records] == [
        "refused platform=telegram reason=stranger person=telegram:1 chat=a"
    ]


def test_of_many_chats_the_latest_are_kept() -> None:
    strangers = Strangers("slack", lambda: 0.0)
    for number in range(2 * REMEMBERED_CHATS):
        assert strangers.claim_notice("telegram:1", str(number))
    assert not strangers.claim_notice("telegram:1", str(2 * REMEMBERED_CHATS - 1))
    assert not strangers.claim_notice("telegram:1", str(REMEMBERED_CHATS))
    assert strangers.claim_notice("telegram:1", "0")

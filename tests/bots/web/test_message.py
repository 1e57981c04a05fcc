"""Test what is stored of a message from the web."""

import json

import pytest

from bots.web.message import WebMessage, read

ASKED = WebMessage("web:1", "What is the total?", pictures=(1, 2), brought=(2,), idempotency_key="a" * 16)


def test_a_stored_message_is_read_as_it_was() -> None:
    assert read(ASKED.payload()) == ASKED


def test_a_message_stored_by_an_earlier_version_is_read() -> None:
    fields = json.loads(ASKED.payload())
    fields["name"] = fields.pop("idempotency_key")
    assert read(json.dumps(fields)) == ASKED


def test_an_earlier_version_meets_no_field_that_it_does_not_know() -> None:
    fields = {"person": "web:1", "text": "What is the total?", "pictures": [1, 2], "brought": [2]}
    assert json.loads(ASKED.payload()) == fields | {"idempotency_key": "a" * 16}
    assert json.loads(WebMessage("").payload()) == {"person": ""}


@pytest.mark.parametrize("payload", ["", "[]", "{}", '{"person": "a", "unknown": 1}'])
def test_what_is_no_message_is_refused(payload: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        read(payload)

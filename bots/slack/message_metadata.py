"""Recognize which answer a message of ours belongs to, and which of our messages in a thread are not stored."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bots.slack.access import Declined
from bots.slack.api import SlackApi
from bots.slack.place import Place

log = logging.getLogger(__name__)
EVENT_TYPE = "picture_answer"  # of our messages' metadata


@dataclass(frozen=True, slots=True)
class UnstoredMessage:
    """A message of ours that was never stored."""

    ts: str
    text: str


def answer_metadata(key: str) -> dict[str, Any]:
    """Return metadata for a message, which stays invisible."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key}}


def key_of(message: dict[str, Any]) -> str | None:
    """Return the key of the answer that a message of ours carries, or None for a stream that was not stopped."""
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE:
        return None
    return str((metadata.get("event_payload") or {}).get("key"))


async def left_behind(slack: SlackApi, place: Place, key: str, known: Collection[str]) -> list[UnstoredMessage]:
    """Return our messages below the question that are not `known`, oldest first. Raises `Later`."""
    try:
        answer = await slack.call(
            slack.client.conversations_replies,
            channel=place.channel,
            ts=place.thread,
            oldest=place.asked,
            include_all_metadata=True,
            limit=200,
        )
    except Declined as error:
        log.warning("whether an answer already stands there could not be seen: %s", error)
        return []
    return [
        UnstoredMessage(message["ts"], message.get("text") or "")
        for message in answer["messages"]
        if message.get("user") == slack.bot
        and message["ts"] > place.asked
        and message["ts"] not in known
        and (key_of(message) == key or _is_empty(message))
    ]


def _is_empty(message: dict[str, Any]) -> bool:
    """Return whether it is a stream that was opened and never stored."""
    return key_of(message) is None and not (message.get("text") or message.get("blocks") or message.get("files"))

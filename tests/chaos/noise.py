"""Malformed updates and events: real ones with one thing wrong, as broken clients and old servers send them."""

import copy
import random
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
JUNK: tuple[Any, ...] = (None, [], {}, "", "x", "x" * 5000, -1, 0, 10**18, True, 1.5, [[[[]]]], {"x": {"y": []}})
STRANGER = {"id": 30_000, "is_bot": False, "first_name": "Nobody", "language_code": "en"}
CHAT = {"id": 30_000, "type": "private", "first_name": "Nobody"}
WHERE = {"channel": "C0NOISE", "user": "U0NOBODY", "team": "T0TEAM"}


def malformed_update(dice: random.Random) -> Json:
    """One of Telegram's without its id; it comes from a chat where nobody waits for anything."""
    return malformed(dice.choice(_UPDATES), dice)


def malformed_event(dice: random.Random) -> Json:
    """One of Slack's."""
    return malformed(dice.choice(_EVENTS), dice)


def malformed(whole: Json, dice: random.Random) -> Json:
    """One field, at any depth, is missing or is something else."""
    broken = copy.deepcopy(whole)
    holder, name = dice.choice(list(_fields(broken)))
    if dice.random() < 0.4:
        del holder[name]
    else:
        holder[name] = copy.deepcopy(dice.choice(JUNK))
    return broken


def _fields(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in it, as what holds it and its name or number there."""
    names = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in list(names):
        yield value, name
        yield from _fields(value[name])


def _message(**content: Any) -> Json:
    return {"message_id": 7, "date": 1_795_000_000, "chat": CHAT, "from": STRANGER, **content}


_PHOTO = [{"file_id": "nothing", "file_unique_id": "nothing", "file_size": 9, "width": 90, "height": 67}]
_POLL: Json = {"id": "1", "question": "?", "total_voter_count": 0, "is_closed": False, "is_anonymous": True}
_POLL |= {"type": "regular", "allows_multiple_answers": False, "options": [{"text": "a", "voter_count": 0}]}
_MENTION = {"type": "mention", "offset": 0, "length": 12}
_UPDATES: tuple[Json, ...] = (
    {"message": _message(text="@picture_bot hi", entities=[_MENTION])},
    {"message": _message(photo=_PHOTO, caption="What is it?", media_group_id="1")},
    {"message": _message(text="hi", forward_origin={"type": "hidden_user", "date": 1, "sender_user_name": "A"})},
    {"message": _message(poll=_POLL)},
    {"message": _message(text="hi", reply_to_message=_message(text="before"))},
    {"message": _message(document={"file_id": "x", "file_unique_id": "x", "mime_type": "image/png"})},
    {"edited_message": _message(text="hi", edit_date=1_795_000_001)},
    {
        "callback_query": {
            "id": "1", "from": STRANGER, "chat_instance": "1", "message": _message(text="…"), "data": "stop",
        }
    },
    {
        "message_reaction": {
            "chat": CHAT, "message_id": 7, "user": STRANGER, "date": 1, "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": "👍"}],
        }
    },
)  # fmt: skip
_FILE = {"id": "F0", "name": "a.png", "mimetype": "image/png", "filetype": "png", "size": 9, "mode": "hosted"}
_SAID: Json = {"type": "message", **WHERE, "text": "<@U0BOT> hi", "ts": "1795000000.000100", "channel_type": "channel"}
_EVENTS: tuple[Json, ...] = (
    _SAID,
    {**_SAID, "type": "app_mention"},
    {**_SAID, "subtype": "file_share", "files": [_FILE]},
    {**_SAID, "text": "", "attachments": [{"is_share": True, "files": [_FILE]}]},
    {
        **WHERE, "type": "message", "subtype": "message_changed", "ts": "1795000000.000200", "event_ts": "1",
        "message": {**_SAID, "files": []}, "previous_message": {**_SAID, "files": [_FILE]},
    },
    {
        **WHERE, "type": "message", "subtype": "message_deleted", "ts": "1795000000.000300", "event_ts": "2",
        "deleted_ts": "1795000000.000100", "previous_message": _SAID,
    },
    {"type": "file_deleted", "file_id": "F0", "event_ts": "3"},
    {
        "type": "reaction_added", "user": "U0NOBODY", "reaction": "+1", "item_user": "U0BOT", "event_ts": "4",
        "item": {"type": "message", "channel": "C0NOISE", "ts": "1795000000.000100"},
    },
    {
        **WHERE, "type": "agent_session_stopped", "thread_ts": "1795000000.000100", "streaming_message_ts": [],
        "event_ts": "5",
    },
)  # fmt: skip

"""Provide incomplete updates: some that really came, and any number of others made from real ones."""

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.bots.telegram.world import BOT, Json

WORDS = "the-words-of-ann"  # in every field where a person's words stand
ANN: Json = {"id": 7, "is_bot": False, "first_name": WORDS, "language_code": "en"}
PRIVATE: Json = {"id": 7, "type": "private", "first_name": WORDS}
GROUP: Json = {"id": -100, "type": "supergroup", "title": WORDS, "is_forum": True}
SENT: Json = {"date": 1795000000, "chat": PRIVATE, "from": ANN}
PHOTO = [{"file_id": "none", "file_unique_id": "none", "width": 90, "height": 67, "file_size": 1000}]

# What Telegram or an older Bot API server really sends, and what PTB cannot parse.
MET: dict[str, Json] = {
    "a button's press without chat_instance": {"callback_query": {"id": "x"}},
    "a forward from a hidden user without a name": {
        "message": {**SENT, "message_id": 11, "text": WORDS, "forward_origin": {"type": "hidden_user", "date": 1}}
    },
    "a poll of a Bot API server before 9.6": {
        "message": {
            **SENT,
            "message_id": 12,
            "poll": {
                "id": "1",
                "question": WORDS,
                "options": [{"text": WORDS, "voter_count": 0}],
                "total_voter_count": 0,
                "is_closed": False,
                "is_anonymous": True,
                "type": "regular",
                "allows_multiple_answers": False,
            },
        }
    },
    "a message without a date": {"message": {"message_id": 13, "chat": PRIVATE, "text": WORDS}},
    "a message whose date is null": {"message": {**SENT, "message_id": 14, "text": WORDS, "date": None}},
    "a photo size without file_id": {
        "message": {**SENT, "message_id": 14, "caption": WORDS, "photo": [{"width": 10, "height": 10}]}
    },
    "a huge date": {"message": {**SENT, "message_id": 15, "date": 99999999999999, "text": WORDS}},
    "entities that are no list": {"message": {**SENT, "message_id": 16, "text": WORDS, "entities": "bold"}},
    "a message that is a list": {"message": []},
    "nothing that was asked for": {"something_new": {"text": WORDS}},
    "words where a number belongs": {
        "message": {**SENT, "message_id": 17, "text": WORDS, "chat": {**PRIVATE, "id": WORDS}}
    },
    "text that is no text": {"message": {**SENT, "message_id": 18, "text": {WORDS: 1}}},
    "an album's id without end": {"message": {**SENT, "message_id": 20, "photo": PHOTO, "media_group_id": WORDS * 100}},
    "a chat whose id no database holds": {
        "message": {**SENT, "message_id": 21, "text": WORDS, "chat": {**PRIVATE, "id": 10**30}}
    },
}

MENTION = {"type": "mention", "offset": 0, "length": 12}
ANSWER: Json = {
    **SENT,
    "from": BOT,
    "message_id": 2,
    "text": WORDS,
    "reply_to_message": {**SENT, "message_id": 1, "text": WORDS},
}
REAL: tuple[Json, ...] = (
    {"message": {**SENT, "message_id": 31, "caption": WORDS, "photo": PHOTO}},
    {
        "message": {
            **SENT,
            "message_id": 32,
            "text": f"/new {WORDS}",
            "entities": [{"type": "bot_command", "offset": 0, "length": 4}],
        }
    },
    {
        "message": {
            **SENT,
            "message_id": 33,
            "text": WORDS,
            "reply_to_message": ANSWER,
            "quote": {"text": WORDS, "position": 0, "is_manual": True},
        }
    },
    {
        "message": {
            **SENT,
            "message_id": 34,
            "photo": PHOTO,
            "media_group_id": "5",
            "forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": WORDS},
        }
    },
    {
        "message": {
            **SENT,
            "message_id": 35,
            "chat": GROUP,
            "is_topic_message": True,
            "message_thread_id": 5,
            "text": f"@picture_bot {WORDS}",
            "entities": [MENTION],
        }
    },
    {
        "message": {
            **SENT,
            "message_id": 36,
            "caption": WORDS,
            "document": {
                "file_id": "none",
                "file_unique_id": "none",
                "file_name": f"{WORDS}.png",
                "mime_type": "image/png",
                "file_size": 1000,
            },
        }
    },
    {
        "message": {
            **SENT,
            "message_id": 37,
            "text": WORDS,
            "external_reply": {"origin": {"type": "user", "date": 1, "sender_user": ANN}, "photo": PHOTO},
        }
    },
    {
        "message": {
            **SENT,
            "message_id": 38,
            "voice": {"file_id": "v", "file_unique_id": "v", "duration": 1},
            "caption": WORDS,
        }
    },
    {"callback_query": {"id": "q", "from": ANN, "chat_instance": "1", "data": "retry", "message": ANSWER}},
    {"callback_query": {"id": "q", "from": ANN, "chat_instance": "1", "data": "stop", "message": ANSWER}},
    {
        "message_reaction": {
            "chat": PRIVATE,
            "message_id": 2,
            "user": ANN,
            "date": 1,
            "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": "👍"}],
        }
    },
)


def generated(count: int, seed: int) -> Iterator[Json]:
    """Yield real updates in which one field each was dropped, retyped, nested, emptied or made huge."""
    dice = random.Random(seed)
    for number in range(count):
        update: Json = json.loads(json.dumps(REAL[number % len(REAL)]))
        holder, key = dice.choice(list(_places(update)))
        change = dice.choice(("drop", "retype", "nest", "empty", "blow up"))
        if change == "drop":
            del holder[key]
        else:
            holder[key] = _changed(holder[key], change, dice)
        yield update


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every field as its container and key."""
    for key, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(part, dict | list):
            yield from _places(part)


def _changed(value: Any, change: str, dice: random.Random) -> Any:
    match change:
        case "retype":
            return dice.choice(
                [v for v in (WORDS, 5, -1.5, True, None, [WORDS], {WORDS: 1}) if type(v) is not type(value)]
            )
        case "nest":
            return dice.choice([[value], {WORDS: value}, [[[value]]]])
        case "empty":
            return dice.choice(["", [], {}, None, 0])
        case _ if isinstance(value, str):
            return value + WORDS * 20_000
        case _ if isinstance(value, int):
            return dice.choice([10**30, -(10**30), 2**63])
        case _ if isinstance(value, list):
            return value * 2000
        case _:
            deep: Any = value
            for _ in range(300):
                deep = {WORDS: deep}
            return deep

"""Malformed updates and events among people's: real ones with one thing wrong, as old or broken programs send them."""

import json
import random
from typing import Any

from tests.bots.malformed import WORD, malformed
from tests.bots.slack.workspace import APP, BOT, TEAM
from tests.bots.telegram.malformed import MET, REAL, WORDS

Json = dict[str, Any]
SECRETS = (WORD, WORDS)  # what they say, which is nobody's business in a log
CHANNEL, USER = "C0NOISE", "U0NOBODY"


def malformed_update(dice: random.Random) -> Json:
    """One of Telegram's without its id, from chats where nobody waits for anything."""
    return dice.choice(list(MET.values())) if dice.random() < 0.3 else dict(malformed(dice.choice(REAL), dice))


def malformed_event(dice: random.Random) -> tuple[str, Any]:
    """One of Slack's, or of the buttons and windows there: how it is sent, and all that is sent."""
    if dice.random() < 0.3:
        return "interactive", malformed(dice.choice(_INTERACTIONS), dice)
    whole = {"type": "event_callback", "team_id": TEAM, "api_app_id": APP, "event_id": "Ev0NOISE", "event_time": 1}
    return "events_api", malformed({**whole, "event": dice.choice(_EVENTS)}, dice)


_FILE = {"id": "F0", "name": f"{WORD}.png", "mimetype": "image/png", "filetype": "png", "size": 9, "mode": "hosted"}
_WHERE = {"channel": CHANNEL, "user": USER, "team": TEAM}
_SAID: Json = {"type": "message", **_WHERE, "text": f"<@{BOT}> {WORD}", "ts": "1795000000.000100"}
_ITEM = {"type": "message", "channel": CHANNEL, "ts": "1795000000.000100"}
_EVENTS: tuple[Json, ...] = (
    {**_SAID, "channel_type": "channel"},
    {**_SAID, "type": "app_mention"},
    {**_SAID, "subtype": "file_share", "files": [_FILE]},
    {**_SAID, "text": "", "attachments": [{"is_share": True, "files": [_FILE]}]},
    {
        **_WHERE, "type": "message", "subtype": "message_changed", "ts": "1795000000.000200", "event_ts": "1",
        "message": {**_SAID, "files": []}, "previous_message": {**_SAID, "files": [_FILE]},
    },
    {
        **_WHERE, "type": "message", "subtype": "message_deleted", "ts": "1795000000.000300", "event_ts": "2",
        "deleted_ts": "1795000000.000100", "previous_message": _SAID,
    },
    {"type": "file_deleted", "file_id": "F0", "event_ts": "3"},
    {"type": "reaction_added", "user": USER, "reaction": "+1", "item_user": BOT, "event_ts": "4", "item": _ITEM},
    {"type": "agent_session_stopped", **_WHERE, "thread_ts": "1795000000.000100", "event_ts": "5"},
)  # fmt: skip
_ANSWER: Json = {**_SAID, "user": BOT, "bot_id": "B0BOT", "thread_ts": "1795000000.000100", "ts": "1795000000.000150"}
_PRESSED = {"action_id": "retry", "type": "button", "block_id": "b", "action_ts": "1"}
_PRESSED["value"] = json.dumps({"key": f"slack:{TEAM}:{CHANNEL}:1795000000.000100", "asked": "1795000000.000100"})
_PERSON = {"user": {"id": USER, "team_id": TEAM}, "team": {"id": TEAM}, "trigger_id": "x", "api_app_id": APP}
_PLACE = {"channel": CHANNEL, "thread": "1795000000.000100", "asked": "1795000000.000100", "user": USER, "team": TEAM}
_VIEW: Json = {"id": "V0", "callback_id": "ask_about_picture", "private_metadata": json.dumps({**_PLACE, "told": ""})}
_VIEW["state"] = {"values": {"question": {"text": {"type": "plain_text_input", "value": WORD}}}}
_INTERACTIONS: tuple[Json, ...] = (
    {
        **_PERSON, "type": "block_actions", "actions": [_PRESSED], "message": _ANSWER, "channel": {"id": CHANNEL},
        "container": {"type": "message", "message_ts": _ANSWER["ts"], "channel_id": CHANNEL},
    },
    {
        **_PERSON, "type": "message_action", "callback_id": "ask_about_picture", "message": _SAID,
        "channel": {"id": CHANNEL},
    },
    {**_PERSON, "type": "view_submission", "view": _VIEW},
)  # fmt: skip

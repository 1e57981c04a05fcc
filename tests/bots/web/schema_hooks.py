"""Loaded by schemathesis: half of what it makes up is led to conversations and pictures that exist."""

import base64
import os
import zlib
from pathlib import Path
from typing import Any

import schemathesis

CONVERSATIONS = os.environ["CONVERSATIONS"].split(",")
PICTURE = Path(os.environ["PICTURE"]).read_bytes()
DATA_URL = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    if not path_parameters or "conversation_id" not in path_parameters:
        return path_parameters
    chance = zlib.crc32(repr(path_parameters).encode())
    if chance % 2:
        path_parameters["conversation_id"] = CONVERSATIONS[chance // 2 % len(CONVERSATIONS)]
    return path_parameters


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    if isinstance(case.body, dict):
        case.body = _chat(case.body) if "messages" in case.body else _asked(case.body, "json" in case.media_type)
    return case


def _asked(body: dict[str, Any], as_json: bool) -> dict[str, Any]:
    chance = zlib.crc32(repr(sorted(body)).encode() + repr(body.get("query")).encode())
    if chance % 2:
        body["image"] = [DATA_URL if as_json else PICTURE] * (1 + chance // 2 % 2)
    if chance % 3 and "conversation" in body:
        body["conversation"] = CONVERSATIONS[chance // 3 % len(CONVERSATIONS)]
    if chance % 5 and "pictures" in body:
        body["pictures"] = [1] if as_json else "1"
    return body


def _chat(body: dict[str, Any]) -> dict[str, Any]:
    """Let half of the chats end with a question about a picture: most others are refused."""
    if zlib.crc32(repr(body).encode()) % 2:
        body.pop("model", None)
        earlier = body["messages"] if isinstance(body["messages"], list) else []
        parts = [{"type": "image_url", "image_url": {"url": DATA_URL}}, {"type": "text", "text": "What is it?"}]
        body["messages"] = [*earlier, {"role": "user", "content": parts}]
    return body

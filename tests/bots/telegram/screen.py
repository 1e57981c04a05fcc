"""Draw a chat as Telegram would show it, for `tests.bots.stills`."""

import base64
import html

from tests.bots.telegram.world import BOT, Chat, Json, World

STYLE = """
body { margin: 0; padding: 16px; width: 460px; background: #cfe0c8; font: 15px/1.4 "Noto Sans", "Noto Sans CJK SC",
  "WenQuanYi Micro Hei", sans-serif; display: flex; flex-direction: column; gap: 8px; color: #111; }
.m { max-width: 360px; padding: 6px 10px; border-radius: 12px; background: #fff; white-space: pre-wrap;
  overflow-wrap: anywhere; align-self: flex-start; box-shadow: 0 1px 1px #0002; }
.m.me { align-self: flex-end; background: #e3fdc9; }
.m img { display: block; max-width: 100%; border-radius: 8px; margin-bottom: 4px; }
.q { border-left: 3px solid #3a8; padding-left: 6px; color: #375; font-size: 13px; margin-bottom: 4px; max-height: 18px;
  overflow: hidden; }
.f { display: flex; gap: 10px; align-items: center; }
.f b { background: #3a8; color: #fff; border-radius: 8px; padding: 8px 6px; font-size: 12px; }
.b { align-self: flex-start; width: 300px; text-align: center; background: #0003; color: #fff; border-radius: 8px;
  padding: 6px 10px; font-size: 14px; margin-top: -4px; }
pre, code { font: 13px "Noto Sans Mono", monospace; margin: 0; white-space: pre-wrap; color: #8a2a2a; }
blockquote { margin: 0; border-left: 3px solid #3a8; padding-left: 8px; }
"""
TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
}


def page(chat: Chat, world: World) -> str:
    shown = "".join(_bubble(message, world) for _, message in sorted(chat.messages.items()))
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{shown}"


def _bubble(message: Json, world: World) -> str:
    mine = "" if message["from"]["id"] == BOT["id"] else " me"
    parts = []
    if replied := message.get("reply_to_message"):
        parts.append(f"<div class=q>{html.escape(replied.get('text') or replied.get('caption') or '…')}</div>")
    if "photo" in message:
        data = base64.b64encode(world.files[message["photo"][-1]["file_id"]]).decode()
        parts.append(f"<img src='data:image;base64,{data}'>")
    if "document" in message:
        parts.append(_document(message["document"], world))
    parts.append(_formatted(message.get("text", ""), message.get("entities", [])))
    parts.append(html.escape(message.get("caption", "")))
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = "".join(f"<div class=b>{html.escape(button['text'])}</div>" for row in rows for button in row)
    return f"<div class='m{mine}'>{''.join(parts)}</div>{buttons}"


def _document(document: Json, world: World) -> str:
    name = document.get("file_name", "")
    if not name.endswith(".png"):
        return f"<div class=f><b>{html.escape(name.rpartition('.')[2].upper())}</b>{html.escape(name)}</div>"
    data = base64.b64encode(world.files[document["file_id"]]).decode()
    return f"<img src='data:image/png;base64,{data}'>"


def _formatted(text: str, entities: list[Json]) -> str:
    units = text.encode("utf-16-le")
    marks: dict[int, list[str]] = {}
    for entity in sorted(entities, key=lambda e: -e["length"]):
        tag = TAGS.get(entity["type"], "span")
        marks.setdefault(entity["offset"], []).append(f"<{tag}>")
        marks.setdefault(entity["offset"] + entity["length"], []).insert(0, f"</{tag}>")
    places = sorted({0, *marks, len(units) // 2})
    pieces = []
    for start, end in zip(places, [*places[1:], places[-1]], strict=True):
        pieces += [*marks.get(start, []), html.escape(units[2 * start : 2 * end].decode("utf-16-le"))]
    return "".join(pieces)

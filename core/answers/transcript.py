"""Export a conversation as Markdown, as JSON, and as a zip of both with the pictures."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncGenerator, Callable
from typing import Any

from core import thoughts
from core.answer import Ending
from core.answers.inert import inert, inert_line
from core.answers.transcription import as_markdown as answer_as_markdown
from core.conversation import Conversation, Picture, Turn
from core.i18n import Translator

ZIP_TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # fixed, so that the same conversation makes the same file


async def archive(
    conversation: Conversation, data_of: Callable[[str], AsyncGenerator[bytes]], translator: Translator
) -> AsyncGenerator[bytes]:
    """Yield a zip with transcript.md, transcript.json and pictures/1.png …, packing it while it is read.

    An outline of the conversation is enough: `data_of` yields the data of an image by its id.
    """
    texts = await asyncio.to_thread(_texts, conversation, translator)
    sink = _Sink()
    # Not every program can unpack stored entries whose size follows, so these are deflated, at level 0 for PNG.
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=0) as packed:
        for name, text in texts.items():
            packed.writestr(zipfile.ZipInfo(name, ZIP_TIMESTAMP), text, zipfile.ZIP_DEFLATED, 6)
        yield sink.taken()
        for picture in conversation.pictures:
            with packed.open(_path(picture), "w") as entry:
                async for piece in data_of(picture.image.id):
                    entry.write(piece)
                    yield sink.taken()
    yield sink.taken()


def as_markdown(conversation: Conversation, translator: Translator) -> str:
    """Return the conversation as Markdown. Pictures are links to `pictures/1.png`, where the zip has them."""
    lines = ["# " + translator.say("Conversation")]
    shown: set[int] = set()
    questions: list[str] = []
    for turn in conversation.turns:
        questions.append(turn.text)
        lines.append("## " + inert_line(turn.text))
        for picture in turn.pictures:
            name = translator.say("Picture {number}", number=picture.number)
            link = f"[{name}]({_path(picture)})"
            lines.append(link if picture.number in shown else f"!{link}")
            shown.add(picture.number)
        if turn.answer:
            lines.append(inert(answer_as_markdown(thoughts.without(turn.answer.text).strip(), questions)))
            if turn.answer.ending is Ending.STOPPED:
                lines.append(f"*{translator.say('(stopped)')}*")
    waiting = [f"![{translator.say('Picture {number}', number=p.number)}]({_path(p)})" for p in conversation.waiting]
    return "\n\n".join([*lines, *waiting]) + "\n"


def as_json(conversation: Conversation) -> str:
    whole = {
        "conversation": conversation.id,
        "pictures": [_picture(picture) for picture in conversation.pictures],
        "turns": [_turn(turn) for turn in conversation.turns],
    }
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def _texts(conversation: Conversation, translator: Translator) -> dict[str, str]:
    return {"transcript.md": as_markdown(conversation, translator), "transcript.json": as_json(conversation)}


class _Sink(io.RawIOBase):
    """A file that a zip is written to piece by piece, so that it is never whole in memory."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        taken, self._written = bytes(self._written), bytearray()
        return taken


def _path(picture: Picture) -> str:
    return f"pictures/{picture.number}.png"


def _picture(picture: Picture) -> dict[str, Any]:
    image = picture.image
    size = {"width": image.width, "height": image.height, "sent_as": list(image.original_size)}
    return {"number": picture.number, "file": _path(picture), "sha256": image.id, **size}


def _turn(turn: Turn) -> dict[str, Any]:
    asked = {"question": turn.text, "pictures": [picture.number for picture in turn.pictures]}
    if turn.answer is None:
        return asked
    seconds = round(turn.answer.figures.total_s, 3)
    rated = {"rating": turn.rating} if turn.rating else {}
    return {**asked, "answer": turn.answer.text, "ending": turn.answer.ending.value, "seconds": seconds, **rated}

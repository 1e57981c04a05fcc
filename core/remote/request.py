"""Write a conversation as OpenAI's chat API has it: messages of standard fields, pictures as data URLs."""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core import thoughts
from core.conversation import Conversation, Picture, Turn, labelled
from core.errors import BadQuestion
from core.pictures.views import view_png
from core.pseudonym import pseudonym
from core.sampling import Sampling

BYTES_PER_TOKEN = 3  # of UTF-8, so that neither English nor Chinese takes more tokens than are counted
MESSAGE_TOKENS = 8  # around each message and picture
PIXELS_PER_TOKEN = 32  # width and height of one image token of Qwen3-VL; other models take as many or fewer

Message = dict[str, Any]  # one of OpenAI's messages


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """A question for an engine elsewhere. `turns` limits how many turns of the conversation it may have."""

    conversation: Conversation
    sampling: Sampling
    turns: int

    @property
    def session(self) -> str:
        """Return the same 32 characters for the same conversation, which reveal nothing about it.

        Who keeps a conversation elsewhere sends it whole each time under a new id. Then its beginning names it.
        """
        conversation = self.conversation
        if conversation.stored or not conversation.turns:
            return pseudonym(conversation.id)
        first = conversation.turns[0]
        return pseudonym("\n".join([conversation.system, first.text, *(it.image.id for it in first.pictures)]))

    def fields(self, model: str, context_tokens: int) -> dict[str, Any]:
        """Return the request's body for a model with room for so many tokens. Raises `BadQuestion` if it never fits.

        It encodes pictures, so it may take some milliseconds.
        """
        sampling = self.sampling
        answer = min(sampling.max_new_tokens, context_tokens // 2)
        chosen = {
            name: getattr(sampling, name)
            for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
        }
        schema = self.conversation.answer_schema
        stop = sampling.stop if schema is None else ()  # which would cut JSON in the middle
        return {
            "model": model,
            "messages": self._messages(context_tokens - answer),
            "max_tokens": answer,
            **{name: value for name, value in chosen.items() if value is not None},
            **({"stop": list(stop)} if stop else {}),
            **_response_format(schema),
        }

    def halved(self) -> "RemoteRequest":
        """Return the request with half of the turns; with one, its pictures whole. Raises `BadQuestion` if they are."""
        if self.turns <= 1 and self.conversation.is_tiled:
            return replace(self, conversation=self.conversation.untiled)
        if self.turns <= 1:
            raise too_long()
        return replace(self, turns=self.turns // 2)

    def _messages(self, room: int) -> list[Message]:
        conversation = self.conversation
        system = [{"role": "system", "content": conversation.system}] if conversation.system else []
        room -= _text_tokens(conversation.system)
        try:
            turns = newest(conversation.turns[-self.turns :], room, _last_seen(conversation.turns))
        except BadQuestion:
            if not conversation.is_tiled:
                raise
            whole = conversation.untiled.turns  # in place of tiles that do not fit
            turns = newest(whole[-self.turns :], room, _last_seen(whole))
        return [*system, *(message for turn in turns for message in _messages_of(turn))]


def _response_format(schema: str | None) -> dict[str, Any]:
    """Return the field that keeps an answer within a JSON Schema, if there is one."""
    if schema is None:
        return {}
    named = {"name": "answer", "schema": json.loads(schema), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def too_long() -> BadQuestion:
    return BadQuestion(
        "Your question with its pictures is too long for the model. "
        'Ask about fewer pictures at once, by their numbers ("picture 1"), or in fewer words.'
    )


def newest(turns: Sequence[Turn], room: int, seen: Sequence[Picture]) -> list[Turn]:
    """Return the newest turns that fit into so many tokens, at least the last one. Raises `BadQuestion`.

    The cut is at a stable index, for the sake of the engine's prefix cache, as in `core.engine.prompt`. If the turns
    that are left show no picture, the oldest of them shows the pictures `seen` last.
    """
    kept = _fitting(turns, room)
    if seen and not any(turn.pictures for turn in kept):
        kept = _fitting(turns, room - sum(map(_picture_tokens, seen)))
        kept = [replace(kept[0], pictures=tuple(seen)), *kept[1:]]
    if sum(map(_turn_tokens, kept)) > room and len(kept) == 1:
        raise too_long()
    return kept


def _fitting(turns: Sequence[Turn], room: int) -> list[Turn]:
    used, latest, last = 0, len(turns) - 1, len(turns) - 1
    for index in range(last, -1, -1):
        used += _turn_tokens(turns[index])
        if used > room and index < last:
            first = max(range(index + 1, latest + 1), key=lambda number: number & -number)
            return list(turns[first:])
        if used <= room // 2:
            latest = index
    return list(turns)


def _last_seen(turns: Sequence[Turn]) -> Sequence[Picture]:
    return next((turn.pictures for turn in reversed(turns) if turn.pictures), ())


def images_of(message: Message) -> int:
    """Return how many images a message has."""
    content = message["content"]
    return sum(part["type"] == "image_url" for part in content) if isinstance(content, list) else 0


def _messages_of(turn: Turn) -> list[Message]:
    """Return a turn's messages. Each picture has its number before it: some engines fuse pictures of one size.

    A tiled picture is sent in its tiles.
    """
    content: list[Message] = []
    for label, view in labelled(turn.pictures):
        content.append({"type": "text", "text": label.strip()})
        data = base64.b64encode(view_png(view)).decode()
        content.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}", "detail": "high"}})
    if turn.text or not content:
        content.append({"type": "text", "text": turn.text})
    asked = {"role": "user", "content": content if turn.pictures else turn.text}
    if turn.answer is None:
        return [asked]
    return [asked, {"role": "assistant", "content": thoughts.without(turn.answer.text)}]


def _turn_tokens(turn: Turn) -> int:
    answer = turn.answer.text if turn.answer else ""
    return _text_tokens(turn.text) + _text_tokens(answer) + sum(map(_picture_tokens, turn.pictures))


def _text_tokens(text: str) -> int:
    return MESSAGE_TOKENS + len(text.encode()) // BYTES_PER_TOKEN


def _picture_tokens(picture: Picture) -> int:
    return sum(
        MESSAGE_TOKENS + math.ceil(view.width / PIXELS_PER_TOKEN) * math.ceil(view.height / PIXELS_PER_TOKEN)
        for view in picture.image.views
    )

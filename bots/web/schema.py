"""The nouns of the REST API as they travel, with examples for /docs."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from bots.web.broadcast import Broadcast
from bots.web.markup import render
from core.conversation import Answer, Conversation, Picture, Turn

EXAMPLE_ID = "web:9f2c41d07ab34be2a1c0d7e6f5384b1a"
EXAMPLE_FIGURES = {
    "queue_s": 0.0,
    "image_s": 0.41,
    "prefill_s": 0.22,
    "decode_s": 0.9,
    "prompt_tokens": 412,
    "reused_tokens": 0,
    "answer_tokens": 9,
    "total_s": 1.53,
}


class Problem(BaseModel):
    detail: str = Field(examples=["This file is not a picture I can read. Please send a JPEG, PNG or WebP file."])


class PictureView(BaseModel):
    """`width` and `height` are what the model sees; the originals are what was sent. `url` gives the PNG."""

    number: int = Field(examples=[1])
    width: int = Field(examples=[1024])
    height: int = Field(examples=[768])
    original_width: int = Field(examples=[4000])
    original_height: int = Field(examples=[3000])
    url: str = Field(examples=[f"/api/v1/conversations/{EXAMPLE_ID}/pictures/1"])

    @classmethod
    def of(cls, conversation_id: str, picture: Picture) -> "PictureView":
        image = picture.image
        return cls(
            number=picture.number,
            width=image.width,
            height=image.height,
            original_width=image.original_size[0],
            original_height=image.original_size[1],
            url=f"/api/v1/conversations/{conversation_id}/pictures/{picture.number}",
        )


class AnswerView(BaseModel):
    """`html` is `text` with its Markdown rendered, safe to show. `ending` is done, length, stopped or failed."""

    text: str = Field(examples=["The total is **1,284.50 EUR**."])
    html: str = Field(examples=["<p>The total is <strong>1,284.50 EUR</strong>.</p>"])
    ending: str = Field(examples=["done"])
    figures: dict[str, float] = Field(description="Seconds by stage, and tokens.", examples=[EXAMPLE_FIGURES])

    @classmethod
    def of(cls, answer: Answer) -> "AnswerView":
        return cls(text=answer.text, html=render(answer.text), ending=answer.ending.value, figures=figures_of(answer))


class TurnView(BaseModel):
    text: str = Field(examples=["What is the total?"])
    pictures: list[PictureView]
    answer: AnswerView | None

    @classmethod
    def of(cls, conversation_id: str, turn: Turn) -> "TurnView":
        return cls(
            text=turn.text,
            pictures=[PictureView.of(conversation_id, picture) for picture in turn.pictures],
            answer=AnswerView.of(turn.answer) if turn.answer else None,
        )


class AskingView(BaseModel):
    """A question that is being answered; ask again with its key as the Idempotency-Key to read along."""

    key: str
    text: str = Field(examples=["What is the total?"])
    pictures: list[PictureView]
    again: bool = Field(description="It is the last turn's question, which is answered again.")


class ConversationView(BaseModel):
    """`waiting` are pictures that no question was asked about yet; `asking` are questions being answered."""

    id: str = Field(examples=[EXAMPLE_ID])
    turns: list[TurnView]
    waiting: list[PictureView]
    asking: list[AskingView]

    @classmethod
    def of(cls, conversation: Conversation, asking: Sequence[tuple[str, Broadcast]]) -> "ConversationView":
        views = {picture.number: PictureView.of(conversation.id, picture) for picture in conversation.pictures}
        taken = {number for _, broadcast in asking for number in broadcast.numbers}
        return cls(
            id=conversation.id,
            turns=[TurnView.of(conversation.id, turn) for turn in conversation.turns],
            waiting=[views[picture.number] for picture in conversation.waiting if picture.number not in taken],
            asking=[
                AskingView(
                    key=key, text=it.text, pictures=[views[n] for n in it.numbers if n in views], again=not it.text
                )
                for key, it in asking
            ],
        )


class SummaryView(BaseModel):
    id: str = Field(examples=[EXAMPLE_ID])
    title: str = Field(description="The first question.", examples=["What is the total?"])
    updated: datetime


class Summaries(BaseModel):
    conversations: list[SummaryView]


class Pictures(BaseModel):
    """Pictures that now wait for their question."""

    conversation: str = Field(examples=[EXAMPLE_ID])
    pictures: list[PictureView]


class Stopped(BaseModel):
    stopped: bool = Field(description="False when nothing was running.")


class Analysis(BaseModel):
    """An answer. Ask on with `conversation`, then the pictures need not be sent again."""

    text: str = Field(examples=["The total is **1,284.50 EUR**."])
    conversation: str = Field(examples=[EXAMPLE_ID])
    ending: str = Field(description="done, length, stopped or failed", examples=["done"])
    figures: dict[str, float] = Field(description="Seconds by stage, and tokens.", examples=[EXAMPLE_FIGURES])

    @classmethod
    def of(cls, conversation_id: str, answer: Answer) -> "Analysis":
        return cls(
            text=answer.text, conversation=conversation_id, ending=answer.ending.value, figures=figures_of(answer)
        )


def figures_of(answer: Answer) -> dict[str, float]:
    rounded: dict[str, Any] = {name: round(value, 3) for name, value in asdict(answer.figures).items()}
    return rounded | {"total_s": round(answer.figures.total_s, 3)}

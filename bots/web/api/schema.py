"""Define the nouns of the REST API as they are sent, with examples for /docs."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from bots.web.json_body import Text
from core.settings import INSTRUCTION_CHARACTERS, LANGUAGE_CHARACTERS, ConversationSettings, Length, Sharpness
from core.storable import storable

NUMBERS = r"^\d{1,6}(,\d{1,6})*$"  # of pictures or pages, in a form
LARGEST_NUMBER = 999_999
MOST_PAGES = 100  # that a request may name; how many are looked at is fewer
PageNumber = Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
EXAMPLE_ID = "web:9f2c41d07ab34be2a1c0d7e6f5384b1a"
FIGURES = "Seconds by stage, tokens, and how many tall pictures were shown whole because their parts had no room."
EXAMPLE_FIGURES = {
    "queue_s": 0.0,
    "image_s": 0.41,
    "prefill_s": 0.22,
    "decode_s": 0.9,
    "prompt_tokens": 412,
    "reused_tokens": 0,
    "answer_tokens": 9,
    "shown_whole": 0,
    "total_s": 1.53,
}


class Problem(BaseModel):
    detail: str = Field(examples=["This file is not a picture I can read. Please send a JPEG, PNG or WebP file."])
    code: str = Field(description="What programs can tell it by.", examples=["invalid_image"])
    retryable: bool = Field(False, description="Whether the same may go well at once; absent where not.")


class PartView(BaseModel):
    """Where a picture was cut out: the number of the other one, and left, top, right, bottom there in thousandths."""

    of: int = Field(examples=[1])
    region: tuple[float, float, float, float] = Field(examples=[[500, 0, 1000, 250]])


class PictureView(BaseModel):
    """A picture. `width` and `height` are what the model sees; the original ones are what was sent.

    `url` returns the PNG.
    """

    number: int = Field(examples=[1])
    width: int = Field(examples=[1024])
    height: int = Field(examples=[768])
    original_width: int = Field(examples=[4000])
    original_height: int = Field(examples=[3000])
    url: str = Field(examples=[f"/api/v1/conversations/{EXAMPLE_ID}/pictures/1"])
    part: PartView | None = Field(None, examples=[None])


class BoxView(BaseModel):
    """Where something is: left, top, right, bottom in thousandths of the picture. A point has no extent."""

    picture: int | None = Field(examples=[1])
    label: str = Field(examples=["stamp"])
    corners: tuple[float, float, float, float] = Field(examples=[[120, 80, 340, 260]])


class MarkedView(BaseModel):
    """A picture with the answer's boxes drawn on it."""

    number: int = Field(examples=[1])
    url: str = Field(examples=[f"/api/v1/conversations/{EXAMPLE_ID}/turns/1/marked/1.png"])


class SettingsView(BaseModel, extra="forbid"):
    """How a conversation is answered."""

    instructions: str = Field("", max_length=INSTRUCTION_CHARACTERS, examples=["We sell bicycles; be friendly."])
    language: str = Field("", max_length=LANGUAGE_CHARACTERS, pattern=r"^[^\r\n]*$", examples=["German"])
    length: Length = Length.NORMAL
    sharpness: Sharpness = Field(Sharpness.NORMAL, description="high: pictures sent from now on keep twice the pixels.")
    receipt: bool = Field(True, description="false: the field receipt of its answers is empty.")
    keep: bool = Field(
        True, description="false: what is asked here is forgotten, with all before, once it is answered."
    )

    def settings(self) -> ConversationSettings:
        said = {"instructions": storable(self.instructions).strip(), "language": storable(self.language).strip()}
        return ConversationSettings(**{**dict(self), **said})


class Analysis(BaseModel):
    """An answer. Continue with `conversation`, without sending the pictures again; it is null if nothing is kept."""

    text: str = Field(examples=["The total is **1,284.50 EUR**."])
    conversation: str | None = Field(examples=[EXAMPLE_ID])
    ending: str = Field(description="done, length, repeated, stopped or failed", examples=["done"])
    figures: dict[str, int | float] = Field(
        description=FIGURES,
        examples=[EXAMPLE_FIGURES],
    )
    boxes: list[BoxView] = Field(description="Where things are that the answer points at.", examples=[[]])
    notes: list[str] = Field(description="What was left out, or had to make room.", examples=[[]])


class AnswerView(BaseModel):
    """An answer for the page. `html` is `text` with its Markdown rendered, safe to show.

    `receipt` says what was looked at, if that is worth saying. `table` and `file` are addresses of the answer as CSV
    and as Markdown, if that is useful.
    """

    text: str = Field(examples=["The total is **1,284.50 EUR**."])
    html: str = Field(examples=["<p>The total is <strong>1,284.50 EUR</strong>.</p>"])
    ending: str = Field(description="done, length, repeated, stopped or failed", examples=["done"])
    figures: dict[str, int | float] = Field(
        description=FIGURES,
        examples=[EXAMPLE_FIGURES],
    )
    boxes: list[BoxView] = Field(examples=[[]])
    receipt: str = Field(examples=["Looked at picture 1 (1024×768, shrunk from 4000×3000) · 12 s"])
    marked: list[MarkedView] = Field(examples=[[]])
    table: str | None = Field(examples=[None])
    file: str | None = Field(examples=[None])
    small_print: bool = Field(description="Asking again with sharper pictures may read more.")
    rating: int = Field(description="1 is a thumb up, -1 down, 0 none.", examples=[0])
    versions: int = Field(1, description="How many answers the question has got, this one included.")


class TurnView(BaseModel):
    number: int = Field(examples=[1])
    text: str = Field(examples=["What is the total?"])
    pictures: list[PictureView]
    answer: AnswerView | None


class Versions(BaseModel):
    """What a turn was before it was asked again or edited, oldest first. The last one is what it is now."""

    versions: list[TurnView]


class AskingView(BaseModel):
    """A question that is being answered. Ask again with its key as the Idempotency-Key to read along."""

    key: str
    text: str = Field(examples=["What is the total?"])
    pictures: list[PictureView]
    again: bool = Field(description="It is the last turn's question, which is answered again.")
    turn: int | None = Field(None, description="The number of the turn that gets these words.", examples=[None])


class ChosenPage(BaseModel):
    """A page that waits for the next question, and the number of its picture."""

    page: int = Field(examples=[5])
    picture: int = Field(examples=[2])


class DocumentView(BaseModel):
    """The conversation's last PDF or TIFF with several pages, which is kept so that others can be chosen."""

    id: str = Field(description="What tells it from others.", examples=["9f2c41d05a7b3e8890b1c2d3e4f50617"])
    pages: int = Field(description="How many it has.", examples=[9])
    limit: int = Field(description="Most pages in one question.", examples=[4])
    chosen: list[ChosenPage]
    thumbnail: str = Field(
        description="Address of a page, small: a number takes the place of {page}.",
        examples=[f"/api/v1/conversations/{EXAMPLE_ID}/document/pages/{{page}}?of=9f2c41d0"],
    )


class Choice(BaseModel, extra="forbid"):
    pages: list[PageNumber] = Field(max_length=MOST_PAGES, description="Numbers of pages, from 1.", examples=[[5, 6]])


class ConversationView(BaseModel):
    """A conversation. `waiting` are pictures without a question yet; `asking` are questions being answered."""

    id: str = Field(examples=[EXAMPLE_ID])
    turns: list[TurnView]
    waiting: list[PictureView]
    asking: list[AskingView]
    document: DocumentView | None = Field(None, examples=[None])


class SummaryView(BaseModel):
    id: str = Field(examples=[EXAMPLE_ID])
    title: str = Field(description="Its name, or the first question.", examples=["What is the total?"])
    named: bool = Field(False, description="Whether somebody gave it a name.")
    pinned: bool = Field(False, description="Whether it stays at the top.")
    updated: datetime
    writing: bool = Field(False, description="Whether a question in it is being answered.")
    thumbnail: str | None = Field(
        None,
        description="Address of its first picture, small.",
        examples=[f"/api/v1/conversations/{EXAMPLE_ID}/pictures/1/thumbnail"],
    )


class Link(BaseModel):
    path: str = Field(description="Path of the page to read it at.", examples=["/shared/4Tq9…"])


class Arrangement(BaseModel, extra="forbid"):
    """How a conversation stands in the list. What is left out stays as it is."""

    name: Annotated[Text | None, Field(description='"" names it by its first question.', max_length=200)] = None
    pinned: bool | None = None


class Summaries(BaseModel):
    conversations: list[SummaryView]
    next: str | None = Field(None, description="Where there are more: ask again with `after` set to this.")


class Pictures(BaseModel):
    """Pictures that now wait for their question. `removed` made room; `notes` say so, and what was left out."""

    conversation: str = Field(examples=[EXAMPLE_ID])
    pictures: list[PictureView]
    removed: list[int] = Field(description="Numbers of earlier pictures.", examples=[[]])
    notes: list[str] = Field(examples=[[]])
    document: DocumentView | None = Field(None, examples=[None])


class Stopped(BaseModel):
    stopped: bool = Field(description="False when nothing was running.")

"""Define the settings of [bots.telegram]."""

import json
import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from bots.conversing.allow_list import NAMED, ONE_OR_MORE
from bots.conversing.proxy import DESCRIPTION, ProxySetting

Everybody = Literal["*"]


class TelegramConfig(BaseModel, extra="forbid", frozen=True):
    FORMER: ClassVar = ("host", "port")  # went to [bots.web]

    token: SecretStr = Field(description="From @BotFather.")
    allow: Annotated[tuple[int | Everybody, ...], ONE_OR_MORE] = Field(
        default=(),
        description='Ids of users and chats that may ask; "*" means everybody. The bot tells strangers their id.',
    )
    admins: Annotated[tuple[int, ...], ONE_OR_MORE, NAMED] = Field(
        default=(), description="Ids of users who may always ask, see /stats, and /allow or /block others."
    )
    mode: Literal["polling", "webhook"] = Field(
        default="polling",
        description="Polling needs no open port; a webhook needs [bots.web], reached by https.",
    )
    webhook_url: str = Field(
        default="",
        description="The public address of [bots.web], https://bot.example.org/telegram for example.",
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Telegram sends it along: 16 to 256 letters, digits, _ and -."
    )
    api_url: str = Field(default="https://api.telegram.org", description="Or a Bot API server of your own.")
    file_url: str = Field(default="", description="Where files are downloaded from; by default api_url.")
    proxy: ProxySetting = Field(default=None, description=DESCRIPTION)
    interval_seconds: float = Field(
        default=1.5, ge=1, le=60, description="Seconds between two edits of a growing answer."
    )
    draft_preview: bool = Field(
        default=False,
        description="Show growing answers as Telegram's own draft in private chats, without a Stop button.",
    )
    receipt: bool = Field(default=True, description="One small line under an answer: which pictures, which size.")
    reactions: bool = Field(default=True, description="Mark a question with 👀 until it is answered.")
    bots: bool = Field(
        default=False, description="Answer other bots that mention it, 5 times in a row and hour in a chat."
    )
    channels: bool = Field(
        default=False,
        description="Answer posts of channels that mention it, as often as bots, and members who write as a channel.",
    )
    timeout_seconds: float = Field(default=20, gt=0, description="Seconds to wait for Telegram before trying again.")

    @field_validator("token")
    @classmethod
    def _like_telegrams(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"\d+:[A-Za-z0-9_-]+", token.get_secret_value()):
            raise ValueError("a bot's token is a number, a colon and letters; @BotFather shows it")
        return token

    @model_validator(mode="before")
    @classmethod
    def _served_by_the_page(cls, values: object) -> object:
        if isinstance(values, dict) and (old := [name for name in cls.FORMER if name in values]):
            raise ValueError(
                f"{' and '.join(old)} went to [bots.web], whose server takes Telegram's updates too: write there "
                f"{' and '.join(f'{name} = {json.dumps(values[name])}' for name in old)}, and take it out here"
            )
        return values

    @property
    def needs_web(self) -> str:
        """Why [bots.web] must be configured as well, or "" if it need not."""
        return 'mode = "webhook" needs the web page' if self.mode == "webhook" else ""

    @model_validator(mode="after")
    def _webhook_is_complete(self) -> Self:
        if self.mode == "webhook":
            if not self.webhook_url.startswith("https://"):
                raise ValueError('mode = "webhook" needs webhook_url, which begins with https://')
            secret = self.webhook_secret.get_secret_value()
            if not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", secret):
                raise ValueError('mode = "webhook" needs webhook_secret: 16 to 256 letters, digits, _ and -')
        return self

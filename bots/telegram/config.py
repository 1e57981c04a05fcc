"""The settings of [bots.telegram]."""

import re
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

Everyone = Literal["*"]


class Config(BaseModel, extra="forbid", frozen=True):
    token: SecretStr = Field(description="From @BotFather.")
    allow: tuple[int, ...] | Everyone = Field(
        default=(),
        description='Ids of users and chats that may ask; "*" means everybody. The bot tells strangers their id.',
    )
    admins: tuple[int, ...] = Field(
        default=(), description="Ids of users who may always ask, see /stats and /block others."
    )
    mode: Literal["polling", "webhook"] = Field(
        default="polling", description="Polling needs no open port; a webhook needs a public https address."
    )
    webhook_url: str = Field(
        default="", description="The public address, https://bot.example.org/telegram for example."
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Telegram sends it along: 16 to 256 letters, digits, _ and -."
    )
    host: str = Field(default="127.0.0.1", description="Where the webhook listens, behind your https proxy.")
    port: int = Field(default=8443, ge=1, le=65535, description="The port there.")
    api_url: str = Field(default="https://api.telegram.org", description="Or a Bot API server of your own.")
    file_url: str = Field(default="", description="Where files are downloaded from; by default api_url.")
    interval: float = Field(default=1.5, ge=1, le=60, description="Seconds between two edits of a growing answer.")
    draft_preview: bool = Field(
        default=False,
        description="Show growing answers as Telegram's own draft in private chats, without a Stop button.",
    )
    receipt: bool = Field(default=True, description="One small line under an answer: which pictures, which size.")
    timeout: float = Field(default=20, gt=0, description="Seconds to wait for Telegram before trying again.")

    @field_validator("allow", mode="before")
    @classmethod
    def _star_in_a_list(cls, value: object) -> object:
        return "*" if value in (["*"], ("*",)) else value

    @model_validator(mode="after")
    def _webhook_is_complete(self) -> Self:
        if self.mode == "webhook":
            if not self.webhook_url.startswith("https://"):
                raise ValueError('mode = "webhook" needs webhook_url, which begins with https://')
            secret = self.webhook_secret.get_secret_value()
            if not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", secret):
                raise ValueError('mode = "webhook" needs webhook_secret: 16 to 256 letters, digits, _ and -')
        return self

    def allows(self, user_id: int, chat_id: int) -> bool:
        return self.allow == "*" or not {user_id, chat_id}.isdisjoint({*self.allow, *self.admins})

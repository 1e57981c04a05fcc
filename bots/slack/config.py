"""Define the settings of [bots.slack]."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from bots.conversing.allow_list import EVERYBODY, NAMED, ONE_OR_MORE
from bots.conversing.proxy import DESCRIPTION, ProxySetting

_ID = re.compile(r"[TECGDUWB][A-Z0-9]+")


class SlackConfig(BaseModel, extra="forbid", frozen=True):
    """Settings of the Slack app.

    bots/slack_manifest.yaml makes one: api.slack.com/apps, Create New App, From a manifest.
    """

    bot_token: SecretStr = Field(description="OAuth & Permissions, Bot User OAuth Token; begins with xoxb-.")
    app_token: SecretStr | None = Field(
        None,
        description="Basic Information, App-Level Tokens, scope connections:write; begins with xapp-. Socket Mode.",
    )
    signing_secret: SecretStr | None = Field(
        None,
        description="Instead of app_token: Slack sends to /slack/events of [bots.web], whose hosts must name yours.",
    )
    allow: Annotated[tuple[str, ...], ONE_OR_MORE] = Field(
        (),
        description='Ids of people and apps (U…, B…), channels (C…) and workspaces (T…); "*" is everybody.',
    )
    admins: Annotated[tuple[str, ...], ONE_OR_MORE, NAMED] = Field(
        (), description="Ids of people (U…) who may always ask, see stats, and allow or block others."
    )
    threads: Literal["mention", "follow"] = Field(
        "mention", description='"follow" also answers without a mention in threads where the bot was asked before.'
    )
    streaming: Literal["native", "edit"] = Field(
        "native", description='"edit" posts and edits messages, also where Slack could stream.'
    )
    interval_seconds: float = Field(1.2, gt=0, description="Seconds between two updates of a growing answer.")
    pace_seconds: float = Field(
        1.0, ge=0, description="Seconds between two new messages in a channel; Slack asks for one. 0: no limits at all."
    )
    receipt: bool = Field(True, description="One small line under an answer: which pictures, which size.")
    reactions: bool = Field(True, description="Mark a question with 👀 until it is answered.")
    bots: bool = Field(
        False,
        description="Answer other apps and workflows that mention it, 5 times in a row and hour in a channel.",
    )
    api_url: str = Field("https://slack.com/api/", description="Where Slack's Web API is; GovSlack has another.")
    proxy: ProxySetting = Field(None, description=DESCRIPTION)

    @field_validator("allow", "admins")
    @classmethod
    def _check_ids(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        for entry in ids:
            if entry != EVERYBODY and not _ID.fullmatch(entry):
                raise ValueError(f"{entry} is no id of Slack's: a person's begins with U, a channel's with C; or \"*\"")
        return ids

    @model_validator(mode="after")
    def _check_way_in(self) -> "SlackConfig":
        if (self.app_token is None) == (self.signing_secret is None):
            raise ValueError("give either app_token (Socket Mode) or signing_secret (HTTP)")
        if not self.bot_token.get_secret_value().startswith("xoxb-"):
            raise ValueError("bot_token begins with xoxb-; it is under OAuth & Permissions")
        if self.app_token and not self.app_token.get_secret_value().startswith("xapp-"):
            raise ValueError("app_token begins with xapp-; it is under Basic Information, App-Level Tokens")
        return self

    @property
    def needs_web(self) -> str:
        """Why [bots.web] must be configured as well, or "" if it need not."""
        return "signing_secret needs the web page" if self.signing_secret else ""

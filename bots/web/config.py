"""Define the settings of [bots.web]. Imports no FastAPI, so that checking a config stays quick."""

import ipaddress
import re
from typing import Annotated, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from bots.web.access.address import network_of
from core.units import MEGABYTE

LEAST_SECRET_CHARACTERS = 8
KEY_NAMES = re.compile(r"[A-Za-z0-9_-]{1,40}")
ORIGINS = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")
TAKEN_HEADERS = ("authorization", "cookie", "host", "x-forwarded-for", "x-forwarded-proto")
HEADER = re.compile(r"[A-Za-z0-9-]{0,100}")
PATH = re.compile(r"(/[A-Za-z0-9_~-]+)+")


class WebConfig(BaseModel, extra="forbid", frozen=True):
    """The settings of the web page and the REST API."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every network card.")
    port: int = Field(5000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    token: SecretStr | None = Field(
        None,
        description="Needed to open the page or call the API; without one, everybody who can connect is let in.",
    )
    keys: Annotated[
        dict[str, SecretStr],
        Field(
            description="Keys of programs that may use /v1, by name; each has a quota of its own: "
            '{karakeep = "env:KARAKEEP_KEY"}.'
        ),
    ] = {}
    origins: Annotated[
        list[str], Field(description="Other web pages whose scripts may use /v1, such as https://chat.example.org.")
    ] = []
    hosts: Annotated[
        list[str], Field(description="Names the page may be opened under, apart from localhost and addresses.")
    ] = []
    upload_limit_mb: int = Field(
        64, ge=1, le=1024, description="Largest request in megabytes, all its pictures together."
    )
    pictures: int = Field(8, ge=1, le=100, description="Most pictures in one question.")
    receipt: bool = Field(True, description="One small line under an answer: which pictures, which size.")
    path: Annotated[
        str, Field(description='Path that your proxy shows the page below, as "/pictures"; "" where it is at the top.')
    ] = ""
    connections: int = Field(1000, ge=10, description="Most connections at the same time.")
    connections_per_address: int = Field(100, ge=1, description="Most of them from one address.")
    trusted_proxies: Annotated[
        list[str],
        Field(description="Addresses or networks of your proxies: what they say about who asks is believed."),
    ] = []
    person_header: Annotated[
        str,
        Field(
            description="Header in which your proxy names the person it signed in, such as Remote-User; believed from "
            "trusted_proxies only."
        ),
    ] = ""
    shared_list: bool = Field(
        False, description="Show everybody one list of all new conversations; otherwise each browser or person has one."
    )
    body_timeout_seconds: float = Field(
        20.0, gt=0, description="Seconds a request may stand still before it is given up."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: list[str]) -> list[str]:
        return [network_of(proxy) for proxy in proxies]

    @field_validator("path")
    @classmethod
    def _rooted(cls, path: str) -> str:
        path = path.rstrip("/")
        if path and not PATH.fullmatch(path):
            raise ValueError('it has to be like "/pictures": a stroke, then letters, digits, "-", "_" and "~"')
        return path

    @field_validator("person_header")
    @classmethod
    def _is_header(cls, header: str) -> str:
        if not HEADER.fullmatch(header) or header.lower() in TAKEN_HEADERS:
            raise ValueError("it has to be the name of a header that your proxy sets, such as Remote-User")
        return header

    @model_validator(mode="after")
    def _has_a_proxy(self) -> Self:
        if self.person_header and not self.trusted_proxies:
            raise ValueError("person_header needs trusted_proxies: anybody else could call themselves somebody")
        return self

    @field_validator("token")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < LEAST_SECRET_CHARACTERS:
            raise ValueError("a token needs at least 8 characters; `openssl rand -hex 16` makes a good one")
        return token

    @field_validator("keys")
    @classmethod
    def _told_apart(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, key in keys.items():
            if not KEY_NAMES.fullmatch(name):
                raise ValueError(f"{name!r} is no name for a key: 1 to 40 letters, digits, _ and -")
            if len(key.get_secret_value()) < LEAST_SECRET_CHARACTERS:
                raise ValueError(f"{name} needs at least 8 characters; `openssl rand -hex 16` makes a good key")
        if len({key.get_secret_value() for key in keys.values()}) < len(keys):
            raise ValueError("two names have the same key")
        return keys

    @field_validator("origins")
    @classmethod
    def _whole_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not ORIGINS.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin: https://chat.example.org or http://localhost:3000 are")
        return origins

    @property
    def upload_bytes(self) -> int:
        return self.upload_limit_mb * MEGABYTE

    @property
    def open_to(self) -> str:
        """A sentence that others can use the page without a token, and what to do; "" if they cannot."""
        if self.token is not None:
            return ""
        mend = "set token in [bots.web]; `openssl rand -hex 16` makes one"
        if not self.loopback:
            return f"OPEN TO EVERYBODY who reaches {self.host}:{self.port}: {mend}"
        if self.hosts or self.trusted_proxies:
            return f"open to everybody whom your proxy lets in: {mend}"
        return ""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

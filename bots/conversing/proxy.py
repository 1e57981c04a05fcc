"""Choose the proxy for an address: the setting's for all of a platform, else the environment's, as curl does."""

import os
import re
from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from pydantic import AfterValidator, SecretStr

from core.errors import OperatorError

PORTS = {"socks5": 1080, "socks5h": 1080, "http": 80, "https": 443}  # where none is named
HTTP_SCHEMES = {"ws": "http", "wss": "https"}  # a WebSocket begins as a request of HTTP
DESCRIPTION = "socks5://…, http://… or https://…; by default the environment's (HTTPS_PROXY, ALL_PROXY, NO_PROXY)."


class Proxies:
    """The way to every address. Raises `OperatorError` for a variable that names no proxy."""

    def __init__(self, setting: SecretStr | None = None) -> None:
        self._setting = setting.get_secret_value() if setting else ""
        self._environments = {} if setting else _read_environment()

    def proxy_for(self, url: str) -> str | None:
        """Return the URL of the proxy that leads to an address, or None if it is reached directly."""
        if self._setting:
            return self._setting
        parts = urlsplit(url)
        host = parts.hostname or ""
        place = f"{host}:{parts.port}" if parts.port else host
        if proxy_bypass_environment(place, self._environments) or _is_in(host, self._environments.get("no", "")):
            return None
        scheme = HTTP_SCHEMES.get(parts.scheme, parts.scheme)
        return self._environments.get(scheme) or self._environments.get("all")


def parse(text: str) -> str:
    """Return the URL of a proxy with its port. Raises `ValueError`, which quotes nothing: it may be a password."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError("it is no address; a password's special characters are written as %40 and the like") from None
    if parts.scheme not in PORTS:
        raise ValueError("it has to begin with socks5://, http:// or https://")
    if not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("it has to be like socks5://host:port or http://name:password@host:port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    user, at, _ = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{user}{at}{host}:{port or PORTS[parts.scheme]}"


def without_password(proxy: str) -> str:
    """Return what of a proxy's URL may be shown."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def without_passwords(text: str) -> str:
    """Return a text in which no URL has a name and a password."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)


def _check(setting: SecretStr | None) -> SecretStr | None:
    text = setting.get_secret_value() if setting else ""
    return SecretStr(parse(text)) if text else None


ProxySetting = Annotated[SecretStr | None, AfterValidator(_check)]


def _read_environment() -> dict[str, str]:
    """Return the proxies by scheme, "all" among them, and as "no" the hosts that are reached directly."""
    found = getproxies_environment()
    for scheme in {"http", "https", "all"} & found.keys():
        text = found[scheme]
        try:
            found[scheme] = parse(text if "://" in text else f"http://{text}")
        except ValueError as reason:
            name = f"{scheme}_proxy"
            variable = name if name in os.environ else name.upper()
            raise OperatorError(
                "The environment variable {variable} names no proxy: {reason}.", variable=variable, reason=str(reason)
            ) from None
    return found


def _is_in(host: str, networks: str) -> bool:
    """Return whether an address is in one of the networks among names with commas. Python's own check knows none."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    for name in networks.split(","):
        try:
            if address in ip_network(name.strip(), strict=False):
                return True
        except ValueError:  # a name of a host
            continue
    return False

"""Who may come in: the configured token, as a Bearer header or as a session cookie made from it. Nothing is stored."""

import hashlib
import hmac
import time
from collections.abc import Mapping

COOKIE = "session"
LASTS_S = 30 * 24 * 3600


class Door:
    """Open to everybody without a token. Comparisons take the same time whatever is presented."""

    def __init__(self, token: str | None) -> None:
        self._key = None if token is None else hashlib.sha256(f"picture-answers:{token}".encode()).digest()
        self._token = None if token is None else hashlib.sha256(token.encode()).digest()

    @property
    def open(self) -> bool:
        return self._token is None

    def knows(self, token: str) -> bool:
        presented = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        return self._token is None or hmac.compare_digest(presented, self._token)

    def admits(self, authorization: str, cookies: Mapping[str, str]) -> bool:
        if self.open:
            return True
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self.knows(token.strip())
        return self._valid(cookies.get(COOKIE, ""))

    def new_session(self) -> str:
        """A cookie's value: until when it is good, signed with the token; another token ends every session."""
        until = str(int(time.time()) + LASTS_S)
        return f"{until}.{self._sign(until)}"

    def _valid(self, session: str) -> bool:
        until, _, signature = session.partition(".")
        if not until.isascii() or not until.isdigit() or len(until) > 12:
            return False
        genuine = hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(until).encode())
        return genuine and int(until) > time.time()

    def _sign(self, until: str) -> str:
        return hmac.new(self._key or b"", until.encode(), hashlib.sha256).hexdigest()

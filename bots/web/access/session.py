"""Decide who may come in: by the token, as a Bearer header or at the login page, or by a session from that login.

A session is a cookie signed with the token. Only sessions that were ended early are stored.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Mapping
from enum import Enum, auto
from typing import Protocol

from itsdangerous import BadData, URLSafeSerializer

from bots.web.access.token_guesses import REMEMBERED_ADDRESSES, TokenGuesses
from core.bounded_dict import BoundedDict
from core.errors import StoreDown
from core.tally import Tallies
from core.trace import log_event

log = logging.getLogger(__name__)
COOKIE = "session"
LASTS_S = 30 * 24 * 3600
WRONG_AGAIN_SECONDS = 1.0  # delay of the answer to a wrong token that is checked although there were many


class Memory(Tallies, Protocol):
    """Where ids of ended sessions and wrong tries are stored. Each method raises `StoreDown`."""

    async def end_session(self, session: str, until: float) -> None:
        """Remember that a session ended, at least until `until`, in seconds since 1970."""
        ...

    async def is_ended(self, session: str) -> bool: ...


class TokenCheck(Enum):
    RIGHT = auto()
    WRONG = auto()
    TOO_MANY = auto()  # too many wrong ones, so this one was not checked, or should not have been


class Authentication:
    """Checks tokens, sessions and programs' keys, by name. Without a token the page is open to everyone.

    Comparisons take constant time.
    """

    def __init__(self, token: str | None, memory: Memory, keys: Mapping[str, str] = {}) -> None:
        self._signer = URLSafeSerializer(token or "", salt="session", signer_kwargs={"digest_method": hashlib.sha256})
        self._token = None if token is None else _digest(token)
        self._keys = {name: _digest(key) for name, key in keys.items()}
        self._memory = memory
        self._guesses = TokenGuesses(memory)
        self._checking: BoundedDict[str, asyncio.Lock] = BoundedDict(REMEMBERED_ADDRESSES)

    @property
    def open(self) -> bool:
        return self._token is None

    @property
    def open_to_programs(self) -> bool:
        return self.open and not self._keys

    def name_of(self, key: str) -> str | None:
        """Return the name of a program's key."""
        presented = _digest(key)
        return next((name for name, known in self._keys.items() if hmac.compare_digest(presented, known)), None)

    async def try_token(
        self, token: str, address: str, cookies: Mapping[str, str], of_program: bool = False
    ) -> TokenCheck:
        """Check a token, or a program's key, unless too many wrong ones came from there.

        Other people's tries do not keep out a person with a session, or at an address with a right token within the
        last day.
        """
        async with self._checking.setdefault(address, asyncio.Lock()):  # what is right lets in who waits here
            is_known = self._guesses.is_known(address) or await self._has_session(cookies)
            if is_known and self._knows(token, of_program):
                self._guesses.note_right(address)
                return TokenCheck.RIGHT
            # It counts before it is checked: of tries at the same time, at all replicas, only so many are checked.
            enough = await self._guesses.count(address, is_checked=is_known)
            if enough and not is_known:
                return TokenCheck.TOO_MANY
            if self._knows(token, of_program):
                self._guesses.note_right(address)
                await self._guesses.uncount(address)
                return TokenCheck.RIGHT
        log_event(log, "wrong_token", logging.WARNING, platform="web", address=address)
        if not enough:
            return TokenCheck.WRONG
        await asyncio.sleep(WRONG_AGAIN_SECONDS)
        return TokenCheck.TOO_MANY

    async def _has_session(self, cookies: Mapping[str, str]) -> bool:
        try:
            return await self.is_session(cookies)
        except StoreDown:
            return False

    async def is_session(self, cookies: Mapping[str, str]) -> bool:
        """Return whether there is a session that is valid and was not ended. Raises `StoreDown`."""
        session = None if self.open else self._session(cookies)
        return session is not None and not await self._memory.is_ended(session)

    def new_session(self) -> str:
        """Return a signed cookie value with an id and an expiry time. Changing the token ends every session."""
        return str(self._signer.dumps([secrets.token_hex(16), int(time.time()) + LASTS_S]))

    async def end_session(self, cookies: Mapping[str, str]) -> None:
        """End a session, so that every copy of its cookie is worthless."""
        if (session := self._session(cookies)) is not None:
            await self._memory.end_session(session, time.time() + LASTS_S)

    def _knows(self, token: str, of_program: bool) -> bool:
        if of_program and self.name_of(token) is not None:
            return True
        if self._token is None:
            return not of_program or self.open_to_programs
        return hmac.compare_digest(_digest(token), self._token)

    def _session(self, cookies: Mapping[str, str]) -> str | None:
        """Return the id of a session whose signature and time are valid."""
        try:
            session, until = self._signer.loads(cookies.get(COOKIE, "").encode("utf-8", "replace"))
        except BadData:
            return None
        return str(session) if until > time.time() else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

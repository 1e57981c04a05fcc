"""Tell in whose list a conversation is. Its id says so, from its beginning on and for good.

    web:OWNER:RANDOM  in the list of one browser, or of one person whom a proxy signed in
    web:-:RANDOM      in no list: begun by a program. As everywhere, the id cannot be guessed; who has it may use it.
    web:RANDOM        in everybody's list: where one list is shared, or begun before each had their own

A browser's cookie is a random secret and carries no signature. Only a hash of it is in ids, so that neither the
database nor the log nor a link lets anybody in, and there is no key whose loss would take everybody's list away.
"""

import re
import secrets

from fastapi import Request
from starlette.responses import Response

from bots.web.access.address import SIGNED_IN, person_of
from core.errors import ConversationGone
from core.pseudonym import pseudonym

COOKIE = "browser"
COOKIE_SECONDS = 400 * 24 * 3600  # the longest that browsers keep one; each visit renews it
NO_ONE = "-"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def owner_of(request: Request) -> str:
    """Return whose conversations a request may use; `NO_ONE` for a program, and a browser that keeps no cookies."""
    if SIGNED_IN in request.scope:
        return pseudonym(person_of(request.scope))
    secret = request.cookies.get(COOKIE, "")
    return pseudonym(f"browser:{secret}") if _SECRET.fullmatch(secret) else NO_ONE


def list_of(request: Request) -> str:
    """Return the owner of the conversations that a request begins; "" if they are everybody's."""
    return "" if request.app.state.config.shared_list else owner_of(request)


def check_owner(request: Request, conversation_id: str) -> None:
    """Raise `ConversationGone` for a conversation in somebody else's list, as for one that does not exist."""
    if conversation_id.split(":")[1:-1] not in ([], [NO_ONE], [owner_of(request)]):
        raise ConversationGone


async def check_path(request: Request) -> None:
    """Check the owner of the conversation in a request's path, if there is one."""
    check_owner(request, request.path_params.get("conversation_id", ""))


def keep_owner(request: Request, response: Response, path: str) -> None:
    """Give a browser that opens the page its cookie, or keep the one that it has for longer."""
    known = request.cookies.get(COOKIE, "")
    if SIGNED_IN in request.scope or (request.app.state.config.shared_list and not known):
        return
    response.set_cookie(
        COOKIE,
        known if _SECRET.fullmatch(known) else secrets.token_urlsafe(32),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="lax",  # with "strict", who follows a link from elsewhere would come without it, and get another one
        secure=request.url.scheme == "https",
        path=path,
    )

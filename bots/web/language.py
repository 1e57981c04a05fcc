"""Choose the language that a page, or an answer to a request, is written in."""

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser

from core.i18n import LANGUAGES, Translator

LANGUAGE_COOKIE = "language"


def translator_of(headers: Headers) -> Translator:
    """Return a translator for the language chosen on the page, or for the first of Accept-Language that we speak."""
    chosen = cookie_parser(headers.get("cookie", "")).get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return Translator(chosen)
    preferred = []
    for index, entry in enumerate(headers.get("accept-language", "").split(",")[:20]):
        code, _, weight = entry.partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        preferred.append((-quality, index, code.strip().replace("_", "-").split("-")[0].lower()))
    return Translator(next((code for _, _, code in sorted(preferred) if code in LANGUAGES), "en"))


def translator_for(request: Request) -> Translator:
    """Return a translator for the question's language, if it is clear, or else as `translator_of`."""
    return translator_of(request.headers).for_question(getattr(request.state, "question", ""))

"""Serve the pages for people: the page itself, the login and the documentation, in the browser's language."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

import core
from bots.web.access.address import client_of
from bots.web.access.owner import keep_owner
from bots.web.access.session import COOKIE, LASTS_S, TokenCheck
from bots.web.api.openapi import REFUSALS
from bots.web.language import translator_of
from bots.web.page.api_docs import endpoints
from bots.web.page.first_questions import offered
from core.errors import BadQuestion, BotError, NotFound, TooLarge
from core.i18n import LANGUAGES, Translator
from core.pictures.file_types import SUFFIXES
from core.settings import INSTRUCTION_CHARACTERS, LANGUAGE_CHARACTERS


@dataclass(frozen=True, slots=True)
class Scene:
    """A sample: its title, a first question about it, and the picture for each language."""

    label: BotError
    question: BotError
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Theme:
    """The page's colours: their name for people, and that of the paper, as base.css has it."""

    label: BotError
    paper: str


TEMPLATES = Path(__file__).parents[1] / "templates"
SAMPLES = Path(core.__file__).parent / "demo" / "samples"
SCENES = (
    Scene(BotError("An invoice"), BotError("What is the total?"), {"en": "invoice-en.png", "zh": "invoice.png"}),
    Scene(
        BotError("A bar chart"), BotError("Which quarter is the highest?"), {"en": "chart-en.png", "zh": "chart.png"}
    ),
    Scene(
        BotError("A product page"),
        BotError("What are the selling points?"),
        {"en": "product.png", "zh": "product-zh.png"},
    ),
)
ACCEPT = ",".join(("image/*", "application/pdf", *SUFFIXES))  # some systems know no type for the newer ones
SAID = re.compile(r'\bsay\("((?:[^"\\]|\\.)*)"')  # sentences in the page's modules
FORM_BYTES = 4096
THEME_COOKIE = "theme"
THEMES = {"light": Theme(BotError("light"), "#faf9f7"), "dark": Theme(BotError("dark"), "#151618")}

router = APIRouter(include_in_schema=False)


class Pages:
    """Templates and sentences. `static` has the page's modules, whose sentences are sent with the page."""

    def __init__(self, static: Path) -> None:
        self._jinja = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )
        self._sentences = sorted({s for path in static.glob("*.js") for s in SAID.findall(path.read_text("utf-8"))})
        self.samples = {name: SAMPLES / name for scene in SCENES for name in scene.files.values()}

    def show(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        translator = translator_of(request.headers)
        theme = request.cookies.get(THEME_COOKIE, "")
        html = self._jinja.get_template(template).render(
            say=translator.say,
            explain=translator.explain,
            language=translator.language,
            scheme=theme if theme in THEMES else " ".join(THEMES),  # the system chooses
            words=self._words(translator),
            **values,
        )
        headers = {"Vary": "Accept-Language, Cookie", "Content-Language": translator.language}
        return HTMLResponse(html, status, headers=headers)

    def scenes(self, translator: Translator) -> list[dict[str, str]]:
        """Return the samples in the visitor's language, each with a first question that needs one click."""
        return [
            {
                "file": scene.files.get(translator.language, scene.files["en"]),
                "label": translator.explain(scene.label),
                "question": translator.explain(scene.question),
            }
            for scene in SCENES
        ]

    def _words(self, translator: Translator) -> str:
        """Return JSON for a <script> element, where nothing may look like its end."""
        words = {sentence: translator.say(sentence) for sentence in self._sentences}
        return json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")


@router.get("/")
async def page(request: Request) -> Response:
    state = request.app.state
    translator = translator_of(request.headers)
    response: Response = _pages(request).show(
        request,
        "page.html",
        introduction=_introduction(request, translator),
        elsewhere=state.receiver.model.elsewhere,
        default_question=translator.explain(state.receiver.model.default_question),
        samples=state.pages.scenes(translator),
        first_questions=offered(state.receiver.model, translator),
        accept=ACCEPT,
        auth=not state.auth.open,
        themes=THEMES,
        languages={code: Translator(code).say("English") for code in LANGUAGES},  # each language names itself there
        limit=state.config.pictures,
        upload_mb=state.config.upload_limit_mb,
        ratings=state.receiver.store.ratings,
        instruction_limit=INSTRUCTION_CHARACTERS,
        language_limit=LANGUAGE_CHARACTERS,
    )
    keep_owner(request, response, home_of(request))
    return response


@router.get("/samples/{name}")
async def sample(request: Request, name: str) -> Response:
    path = _pages(request).samples.get(name)  # from our own list, never a path from the address
    if path is None:
        raise NotFound("There is nothing at this address.")
    return FileResponse(path, headers={"Cache-Control": "private, max-age=86400"})


@router.get("/login")
async def login_page(request: Request) -> Response:
    if request.app.state.auth.open:
        return RedirectResponse(home_of(request), 303)
    return _pages(request).show(request, "login.html", error="")


@router.post("/login")
async def login(request: Request) -> Response:
    state, translator = request.app.state, translator_of(request.headers)
    token = (await fields_of(request)).get("token", "")
    verdict = await state.auth.try_token(token, client_of(request.scope), request.cookies)
    if verdict is TokenCheck.TOO_MANY:
        error = translator.say("Too many tries. Please wait a minute.")
        return _pages(request).show(request, "login.html", 429, error=error)
    if verdict is TokenCheck.WRONG:
        return _pages(request).show(request, "login.html", 401, error=translator.say("This is not the token."))
    response = RedirectResponse(home_of(request), 303)
    response.set_cookie(
        COOKIE, state.auth.new_session(), max_age=LASTS_S, httponly=True, samesite="strict",
        secure=request.url.scheme == "https", path=home_of(request),
    )  # fmt: skip
    return response


@router.post("/logout")
async def logout(request: Request) -> Response:
    await request.app.state.auth.end_session(request.cookies)
    response = RedirectResponse(f"{home_of(request)}login", 303)
    response.delete_cookie(COOKIE, path=home_of(request), httponly=True, samesite="strict")
    return response


@router.get("/docs")
async def docs(request: Request) -> Response:
    refusals = [(status, response["description"]) for status, response in REFUSALS.items()]
    address = f"{str(request.base_url).rstrip('/')}{request.app.state.config.path}"
    described = endpoints(request.app.openapi(), address)
    introduction = _introduction(request, Translator("en"))
    return _pages(request).show(request, "docs.html", endpoints=described, refusals=refusals, introduction=introduction)


def home_of(request: Request) -> str:
    """Return the path of the page itself, as browsers know it."""
    return f"{request.app.state.config.path}/"


def show(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """Return a page in the browser's language."""
    return _pages(request).show(request, template, status, **values)


def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


def _introduction(request: Request, translator: Translator) -> str:
    """Return what people have to know of the model; "" if there is nothing."""
    note = request.app.state.receiver.model.introduction
    return translator.explain(note) if note else ""


async def fields_of(request: Request) -> dict[str, str]:
    """Return the fields of a small form."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise TooLarge("This request could not be understood.")
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        raise BadQuestion("This request could not be understood.") from None
    return {name: values[0] for name, values in fields.items()}

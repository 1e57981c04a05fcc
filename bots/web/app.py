"""Build the FastAPI application: routes, errors and the guard in front of them. Only its routes are global."""

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Router

from bots.conversing.webhook import Webhooks
from bots.web.access.guard import Guard
from bots.web.access.limiter import Limiter
from bots.web.access.origins import OpenToOrigins
from bots.web.access.owner import check_path
from bots.web.access.session import Authentication
from bots.web.api import conversations, document, links, listing, pictures, questions, settings, turns
from bots.web.config import WebConfig
from bots.web.errors import on_bot_error, on_bug, on_http_error, on_hung_up, on_invalid
from bots.web.head import HeadLikeGet
from bots.web.openai import routes as openai
from bots.web.operations import admin, health
from bots.web.operations.metrics import Counting, Metrics
from bots.web.operations.status import Operation
from bots.web.page import pages, shared
from bots.web.path_prefix import PathPrefix
from bots.web.receiver import Receiver
from bots.web.static_files import static_files
from core.errors import BotError
from core.pictures.images import ImagesConfig

STATIC = Path(__file__).parent / "static"
TITLE = "Picture answers"
WHOLE_AT_ONCE, WHOLE_PER_ADDRESS = 24, 4  # places for answers of megabytes that cannot be made in pieces
LISTS_AT_ONCE, LISTS_PER_PERSON = 8, 4  # places for reading and searching lists
BODIES_AT_ONCE, BODIES_PER_PERSON = 8, 4  # places for questions of megabytes that are parsed as a whole


def make_app(
    config: WebConfig,
    receiver: Receiver,
    images: ImagesConfig,
    operation: Operation,
    extra_routes: Router | None = None,
) -> FastAPI:
    """Make the application. `extra_routes` are carried below /slack, and its webhooks at their own paths."""
    app = FastAPI(
        title=TITLE,
        version="1",
        description="Answers questions about pictures.",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": config.path}] if config.path else None,
    )
    keys = {name: key.get_secret_value() for name, key in config.keys.items()}
    auth = Authentication(config.token.get_secret_value() if config.token else None, receiver.store, keys=keys)
    app.state.config = config
    app.state.receiver = receiver
    app.state.images = images
    app.state.auth = auth
    app.state.whole_in_memory = Limiter(WHOLE_AT_ONCE, WHOLE_PER_ADDRESS, config.body_timeout_seconds)
    app.state.bodies = Limiter(BODIES_AT_ONCE, BODIES_PER_PERSON, config.body_timeout_seconds)
    app.state.lists = Limiter(LISTS_AT_ONCE, LISTS_PER_PERSON, config.body_timeout_seconds)
    app.state.operation = operation
    app.state.metrics = Metrics(operation)
    app.state.pages = pages.Pages(STATIC)
    app.router.routes.extend(_routes(auth.open))
    webhooks = Webhooks(extra_routes, config.path)
    app.router.routes.insert(0, webhooks)
    app.mount("/static", static_files(STATIC))
    if extra_routes is not None:
        app.mount("/slack", extra_routes)
    app.add_exception_handler(BotError, on_bot_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(ClientDisconnect, on_hung_up)
    app.add_exception_handler(Exception, on_bug)
    app.add_middleware(HeadLikeGet)
    app.add_middleware(Guard, config=config, auth=auth, webhooks=webhooks)
    if config.origins:
        app.add_middleware(OpenToOrigins, origins=config.origins)
    app.add_middleware(Counting, metrics=app.state.metrics)
    app.add_middleware(PathPrefix, prefix=config.path)
    return app


@cache
def _routes(is_open: bool) -> tuple[BaseRoute, ...]:
    """Return the routes of every application: FastAPI needs a fifth of a second for them, at the first request."""
    needed = [] if is_open else [Depends(HTTPBearer(auto_error=False))]  # for /docs; `Guard` checks it
    root = APIRouter()
    for router in (
        questions.router,
        pictures.router,
        conversations.router,
        document.router,
        listing.router,
        links.router,
        turns.router,
        settings.router,
    ):
        root.include_router(router, dependencies=[*needed, Depends(check_path)])
    root.include_router(openai.router, dependencies=needed)
    for router in (health.router, pages.router, shared.router, admin.router):
        root.include_router(router)
    return tuple(root.routes)

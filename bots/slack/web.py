"""Events over HTTP: one route that the web adapter's server carries. Bolt checks Slack's signature."""

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.async_app import AsyncApp
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PREFIX = "/slack"  # where the web adapter carries our router
PATH = "/events"
LIMIT = 1 << 20  # bytes; Slack's own are some kilobytes, and nothing is known of the sender before it is read


def route(app: AsyncApp) -> Route:
    """For `POST`; events, buttons, shortcuts and windows all come here."""

    async def receive(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LIMIT:
                return PlainTextResponse("too large", status_code=413)
        try:
            bolt_request = to_async_bolt_request(request, bytes(body))
        except UnicodeDecodeError:
            return PlainTextResponse("not UTF-8", status_code=400)
        return to_starlette_response(await app.async_dispatch(bolt_request))

    return Route(PATH, receive, methods=["POST"])

"""Describe in OpenAPI what the nouns do not say: refusals, answers that are no JSON, and forms."""

from typing import Any

from bots.web.api.schema import LARGEST_NUMBER, MOST_PAGES, NUMBERS, Problem
from core.conversation import MOST_PICTURES

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "Something is missing, or the request cannot be read"},
    401: {"model": Problem, "description": "The token is missing or wrong"},
    403: {"model": Problem, "description": "Another web page sent the request, or this is switched off"},
    404: {"model": Problem, "description": "There is no such conversation or picture"},
    408: {"model": Problem, "description": "The upload stood still"},
    413: {"model": Problem, "description": "Too large, or too many pictures"},
    415: {"model": Problem, "description": "A file is not a picture that can be read"},
    422: {
        "model": Problem,
        "description": "A parameter is not what it should be, or a key belongs to another question",
    },
    429: {"model": Problem, "description": "Too much to do right now; Retry-After says when to come back"},
    503: {"model": Problem, "description": "The service cannot answer right now"},
    507: {"model": Problem, "description": "There is no room for more"},
}
EVENT_STREAM = {
    "schema": {
        "type": "object",
        "properties": {"event": {"type": "string"}, "data": {"type": "string", "description": "JSON"}},
    },
    "example": 'event: piece\ndata: {"text": "The total"}\n\n',
}
ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer, or with `stream` its events", "content": {"text/event-stream": EVENT_STREAM}}
}
PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "The picture"}
}
IMAGES = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "One file for each picture."}
ENCODED = {
    "type": "array",
    "items": {"type": "string", "contentEncoding": "base64"},
    "description": "Files in base64, or as data URLs. One alone may stand without the list.",
}
REGION = (
    "Ask about a part of the one picture in `pictures`: left, top, right and bottom, in thousandths of it. The part is "
    "cut out at full pixels and becomes the conversation's next picture."
)
PAGES = "Numbers of pages, instead of those that the question names: of the file, or of the conversation's document."
SETTINGS = {
    "type": "string",
    "contentMediaType": "application/json",
    "description": "How a new conversation is answered: JSON with the fields of its settings.",
    "example": '{"language": "German"}',
}
ASK_FORM = {
    "type": "object",
    "required": ["query"],
    "properties": {
        "image": IMAGES,
        "query": {"type": "string", "minLength": 1, "maxLength": 8000, "description": "The question."},
        "conversation": {"type": "string", "description": "Ask on in this conversation; pictures are then optional."},
        "pictures": {
            "type": "string",
            "pattern": NUMBERS,
            "description": "Ask again about these numbers.",
        },
        "alone": {
            "type": "boolean",
            "default": False,
            "description": "Leave pictures that were added ahead, and are not in `pictures`, for a later question.",
        },
        "region": {
            "type": "string",
            "description": REGION,
            "example": "500,0,1000,250",
        },
        "pages": {
            "type": "string",
            "pattern": NUMBERS,
            "description": PAGES,
            "example": "5,6",
        },
        "document": {
            "type": "string",
            "description": "The `id` of the document that `pages` are of. If another took its place, they are ignored.",
        },
        "settings": SETTINGS,
        "stream": {"type": "boolean", "default": False, "description": "Answer as server-sent events."},
        "html": {"type": "boolean", "default": False, "description": "Events also carry the rendered text so far."},
        "keep": {
            "type": "boolean",
            "default": True,
            "description": "false: nothing is stored. Then there is no conversation to ask on in, and no key.",
        },
    },
    "example": {"query": "What is the total?"},
}
ADD_FORM = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": IMAGES,
        "conversation": {"type": "string", "description": "Add them to this one."},
        "pages": {
            "type": "string",
            "pattern": NUMBERS,
            "description": "Numbers of pages of the file, instead of its first ones.",
        },
        "settings": SETTINGS,
    },
}
_AS_JSON = {
    "image": ENCODED,
    "settings": {
        "allOf": [{"$ref": "#/components/schemas/SettingsView"}],
        "description": "How a new conversation is answered.",
    },
    "region": {
        "type": "array",
        "items": {"type": "number", "minimum": 0, "maximum": 1000},
        "minItems": 4,
        "maxItems": 4,
        "description": REGION,
    },
    "pictures": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER},
        "maxItems": MOST_PICTURES,
        "description": "Ask again about these numbers.",
    },
    "pages": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER},
        "maxItems": MOST_PAGES,
        "description": PAGES,
    },
}


def form(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a form, and the same as JSON."""
    fields = {name: _AS_JSON.get(name, field) for name, field in schema["properties"].items()}
    as_json = {**schema, "properties": fields, "additionalProperties": False}
    content = {"multipart/form-data": {"schema": schema}, "application/json": {"schema": as_json}}
    return {"requestBody": {"required": True, "content": content}}

"""Describe /v1 for /docs: the body as OpenAI's schema has it, and what is answered instead of an answer."""

from typing import Any

from bots.web.openai.replies import EXAMPLE_ID, EXAMPLE_MODEL, EXAMPLE_TIME, NOTES, ErrorReply

_NUMBER = {"type": ["number", "null"]}
_WHOLE = {"type": ["integer", "null"]}
_TEXT_PART = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
}
_PICTURE_PART = {
    "type": "object",
    "required": ["type", "image_url"],
    "properties": {
        "type": {"const": "image_url"},
        "image_url": {
            "type": "object",
            "required": ["url"],
            "properties": {
                "url": {"type": "string", "description": "data:image/png;base64,… and nothing else."},
                "detail": {"enum": ["low", "high", "auto"], "description": "How closely it is looked at."},
            },
        },
    },
}
_FILE_PART = {
    "type": "object",
    "required": ["type", "file"],
    "properties": {
        "type": {"const": "file"},
        "file": {
            "type": "object",
            "required": ["file_data"],
            "properties": {"file_data": {"type": "string", "description": "data:application/pdf;base64,…"}},
        },
    },
}
_FLAG = {"type": ["boolean", "null"]}
_TOOL = {
    "type": "object",
    "required": ["type", "function"],
    "properties": {
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string", "maxLength": 64}, "parameters": {"type": "object"}},
        },
    },
}
_CHOICE = {
    "type": "object",
    "required": ["type", "function"],
    "properties": {
        "type": {"const": "function"},
        "function": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    },
}
_MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant"]},
        "content": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"anyOf": [_TEXT_PART, _PICTURE_PART, _FILE_PART]}},
                {"type": "null"},
            ]
        },
    },
}
_PROPERTIES = {
    "model": {"type": ["string", "null"], "description": "What /v1/models lists; may be left out."},
    "messages": {
        "type": "array",
        "minItems": 1,
        "items": _MESSAGE,
        "description": "The conversation so far, with the question last.",
    },
    "stream": {"type": ["boolean", "null"], "description": "Answer as server-sent events."},
    "stream_options": {
        "type": ["object", "null"],
        "properties": {"include_usage": {"type": ["boolean", "null"]}},
        "description": "With include_usage a last chunk says the tokens.",
    },
    "max_tokens": {**_WHOLE, "minimum": 1, "description": "Longest answer; never more than the operator allows."},
    "max_completion_tokens": {**_WHOLE, "minimum": 1, "description": "The same, by its newer name."},
    "temperature": {**_NUMBER, "minimum": 0, "maximum": 2, "description": "0: always the likeliest word."},
    "top_p": {**_NUMBER, "minimum": 0, "maximum": 1, "description": "Share of the likeliest tokens to sample from."},
    "top_k": {**_WHOLE, "minimum": -1, "description": "How many of the likeliest tokens to sample from; 0: all."},
    "stop": {
        "anyOf": [
            {"type": "string", "maxLength": 500},
            {"type": "array", "items": {"type": "string", "maxLength": 500}, "maxItems": 4},
            {"type": "null"},
        ],
        "description": "The answer ends before any of these texts.",
    },
    "seed": {**_WHOLE, "description": "The same seed gives the same question the same answer."},
    "n": {"enum": [1, None], "description": "Only one answer at a time."},
    "presence_penalty": {**_NUMBER, "minimum": -2, "maximum": 2, "description": "Against tokens in the answer."},
    "frequency_penalty": {**_NUMBER, "minimum": -2, "maximum": 2, "description": "The same, for each time."},
    "repetition_penalty": {**_NUMBER, "exclusiveMinimum": 0, "maximum": 2, "description": "Also counts the prompt."},
    "response_format": {
        "type": ["object", "null"],
        "required": ["type"],
        "properties": {
            "type": {"enum": ["text", "json_object", "json_schema"]},
            "json_schema": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "schema": {"type": "object"}, "strict": _FLAG},
            },
        },
        "description": "JSON that always obeys the schema; what a schema may not use is refused by name.",
    },
    "tools": {"type": ["array", "null"], "items": _TOOL, "description": "Used only where tool_choice forces a call."},
    "tool_choice": {
        "anyOf": [{"enum": ["none", "auto", "required", None]}, _CHOICE],
        "description": "Forces the call of one function: its name, or required if it is the only one.",
    },
}
_EXAMPLE = {"messages": [{"role": "user", "content": "What is the total?"}]}
CHAT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["messages"],
                    "properties": _PROPERTIES,
                    "example": _EXAMPLE,
                    "description": "As OpenAI's chat API has it. Other fields are ignored.",
                }
            }
        },
    }
}
_CHUNK = (
    f'data: {{"id": "{EXAMPLE_ID}", "object": "chat.completion.chunk", "created": {EXAMPLE_TIME}, '
    f'"model": "{EXAMPLE_MODEL}", "choices": [{{"index": 0, "delta": {{"content": "The total"}}, '
    '"logprobs": null, "finish_reason": null}]}\n\n'
)
_EVENT = {"type": "object", "properties": {"data": {"type": "string", "description": "A chunk in JSON, or [DONE]."}}}
_NOTES = {
    "description": "What was left out, such as pages of a document: a JSON list of sentences, in ASCII.",
    "schema": {"type": "string"},
    "example": '["Pages looked at: 1-4 of 9. For others, ask about \\u201cpage 5\\u201d, for example."]',
}
COMPLETED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer, or with `stream` its chunks",
        "content": {"text/event-stream": {"schema": _EVENT, "example": _CHUNK}},
        "headers": {NOTES: _NOTES},
    }
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorReply, "description": "The request cannot be read or done; `param` names the field"},
    401: {"model": ErrorReply, "description": "The key is missing or wrong"},
    403: {"model": ErrorReply, "description": "Another web page sent the request"},
    404: {"model": ErrorReply, "description": "There is no such model"},
    408: {"model": ErrorReply, "description": "The upload stood still"},
    413: {"model": ErrorReply, "description": "Too large, or too many pictures"},
    429: {"model": ErrorReply, "description": "Too much to do right now; Retry-After says when to come back"},
    503: {"model": ErrorReply, "description": "The service cannot answer right now"},
}

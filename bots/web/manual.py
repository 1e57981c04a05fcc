"""The OpenAPI document as something to read: what /docs shows, since nothing may be loaded from elsewhere."""

import json
from collections.abc import Iterator
from typing import Any

EXAMPLE_FILES = {"/api/v1/analyze": "-F image=@invoice.png -F query='What is the total?'"}


def endpoints(document: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry for each path and method, in the document's order."""
    return [
        _endpoint(document, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _endpoint(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    return {
        "anchor": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", path),
        "description": operation.get("description", ""),
        "fields": list(_fields(operation)),
        "curl": _curl(path, method, operation),
        "example": _answer(document, operation),
    }


def _fields(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for parameter in operation.get("parameters", ()):
        yield {
            "name": parameter["name"],
            "where": parameter["in"],
            "required": parameter.get("required", False),
            "description": parameter.get("description", ""),
        }
    schema = _form(operation)
    for name, field in schema.get("properties", {}).items():
        description = field.get("description", "")
        yield {
            "name": name,
            "where": "form",
            "required": name in schema.get("required", ()),
            "description": description,
        }


def _form(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    form: dict[str, Any] = next(iter(content.values()))["schema"] if content else {}
    return form


def _curl(path: str, method: str, operation: dict[str, Any]) -> str:
    verb = "" if method == "get" or _form(operation) else f"-X {method.upper()} "
    form = EXAMPLE_FILES.get(path, "-F image=@photo.jpg") + " " if _form(operation) else ""
    address = path.replace("{conversation_id}", "$ID").replace("{number}", "1")
    return f"curl {verb}{form}http://127.0.0.1:5000{address}"


def _answer(document: dict[str, Any], operation: dict[str, Any]) -> str:
    schema = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    return json.dumps(_example(document, schema), indent=2, ensure_ascii=False) if schema else ""


def _example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """What a schema's own examples say, put together."""
    if "$ref" in schema:
        return _example(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        return _example(document, schema["anyOf"][0])
    if schema.get("type") == "array":
        return [_example(document, schema["items"])]
    if schema.get("type") == "object":
        return {name: _example(document, field) for name, field in schema.get("properties", {}).items()}
    if schema.get("type") == "string":
        return "2026-11-22T09:48:58Z" if schema.get("format") == "date-time" else "…"
    return True if schema.get("type") == "boolean" else 0

"""Turn the OpenAPI document into a readable page: /docs must not load anything from elsewhere."""

import json
from collections.abc import Iterator
from typing import Any

EXAMPLES = {"image": "@photo.jpg", "query": "'What is the total?'"}  # all other fields are numbers
JSON = "application/json"
VALUES = {"{model}": "Qwen/Qwen3-VL-2B-Instruct", "{conversation_id}": "$ID", "{turn}": "1", "{number}": "1"}


def endpoints(document: dict[str, Any], address: str) -> list[dict[str, Any]]:
    """Return one entry for each path and method, in the document's order. `address` is the page's."""
    return [
        _endpoint(document, path, method, operation, address)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _endpoint(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any], address: str
) -> dict[str, Any]:
    return {
        "anchor": operation["operationId"],
        "method": method.upper(),
        "path": path.replace(":path}", "}"),
        "summary": operation.get("summary", path),
        "description": operation.get("description", ""),
        "fields": list(_fields(document, operation)),
        "curl": _curl(document, path, method, operation, address),
        "example": _answer(document, operation),
    }


def _fields(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for parameter in operation.get("parameters", ()):
        yield {
            "name": parameter["name"],
            "where": parameter["in"],
            "required": parameter.get("required", False),
            "description": parameter.get("description", ""),
        }
    where, schema = _body(document, operation)
    for name, field in schema.get("properties", {}).items():
        description = field.get("description", "")
        yield {
            "name": name,
            "where": where,
            "required": name in schema.get("required", ()),
            "description": description,
        }


def _body(document: dict[str, Any], operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return how a body is sent, "form" or "json", and its schema; an empty one if there is no body."""
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return "form", {}
    kind, described = next(iter(content.items()))
    return "json" if kind == JSON else "form", _resolved(document, described["schema"])


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _curl(document: dict[str, Any], path: str, method: str, operation: dict[str, Any], address: str) -> str:
    where, schema = _body(document, operation)
    names = [name for name in schema.get("properties", ()) if name in EXAMPLES or name in schema.get("required", ())]
    fields = "".join(f"-F {name}={EXAMPLES.get(name, 1)} " for name in names)
    if where == "json":
        fields = f"--json '{json.dumps(schema.get('example', {}))}' "
    verb = "" if method == "get" or fields else f"-X {method.upper()} "
    for name, value in VALUES.items():
        path = path.replace(name, value)
    return f"curl {verb}{fields}{address}{path}"


def _answer(document: dict[str, Any], operation: dict[str, Any]) -> str:
    schema = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    return json.dumps(_example(document, schema), indent=2, ensure_ascii=False) if schema else ""


def _example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Return an example made from the schema's own examples."""
    schema = _resolved(document, schema)
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

"""What the OpenAPI document says beyond what FastAPI finds out: problems, keys, tickets, limits and headers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from atelier.api.access import Mode
from atelier.api.deps import Call, Keyed, Reader
from atelier.api.routing import call_of

SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, made with `python main.py keys create OWNER`.",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "A read-only token for one thing, for clients that cannot send headers.",
    },
}
REFUSALS = {
    "401": "The key or the ticket is missing, wrong, or not valid any more.",
    "429": "Too many requests or open streams, or the day's cost is used up; `Retry-After` says when to come back.",
}
SENT = {
    "Location": "Where what was made or is watched can be read.",
    "X-Job-Id": "Its id.",
    "ETag": "Of this state of it, for `If-None-Match`.",
    "Retry-After": "In how many seconds to come again.",
    "Preference-Applied": "That it was waited, and how long it would have been.",
    "Idempotency-Replayed": "`true`: the same key and body had been sent before.",
    "WWW-Authenticate": "How to say who asks.",
}
"""The headers that answers may have, and what they say."""

ASKED_BY: dict[str, dict[str, tuple[str, ...]]] = {
    "prefer": {"200": ("Preference-Applied",)},
    "idempotency-key": {"200": ("Idempotency-Replayed",)},
    "if-none-match": {"200": ("ETag", "Retry-After"), "304": ("ETag", "Retry-After")},
}
"""Which headers of an answer go with one of the request, by status."""

REFUSED_WITH = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}

ENDED = {"/jobs/": "job", "/batches/": "batch", "/generated-content/": "story", "/storyboards/": "storyboard"}
"""What the refusal to cancel what has ended shows besides, by what is in the address."""


def sends(*names: str) -> dict[str, Any]:
    """Return how a route's `responses` say which headers an answer may have."""
    return {"headers": {name: {"schema": {"type": "string"}, "description": SENT[name]} for name in names}}


def describe(app: FastAPI, mode: Mode) -> None:
    """Complete the document `app` makes of itself, once it is made."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        if "securitySchemes" not in document.setdefault("components", {}):
            _complete(document, app, mode)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any], app: FastAPI, mode: Mode) -> None:
    document["components"]["securitySchemes"] = SCHEMES
    for operation, dependant in _operations(app, document):
        if (asked := call_of(dependant)) is not None:
            operation["security"] = _security(asked, mode)
            for code, sentence in REFUSALS.items():
                operation["responses"].setdefault(code, _problem(sentence))
        _problems_only(operation["responses"])
        _events_only(operation["responses"].get("200", {}))
        _tell_headers(operation)
    for path, operations in document["paths"].items():
        _tell_what_cannot_be(path, operations)
        _tell_what_has_ended(path, operations)


def _operations(app: FastAPI, document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Dependant]]:
    """Yield every documented operation with what its route depends on."""
    for route in iter_route_contexts(app.routes):
        operations = document["paths"].get(route.path_format, {})
        for method in route.methods or ():
            if method.lower() in operations:
                yield operations[method.lower()], route.dependant


def _security(asked: type[Call], mode: Mode) -> list[dict[str, list[str]]]:
    """Return the alternatives: any one of them is enough."""
    without = mode == "open" or (mode == "anonymous" and not issubclass(asked, Keyed))
    names = ["key", "ticket"] if issubclass(asked, Reader) else ["key"]
    ways: list[dict[str, list[str]]] = [{name: []} for name in names]
    return [{}, *ways] if without else ways


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def _problems_only(responses: dict[str, Any]) -> None:
    """Let errors come as problem documents, and as nothing else."""
    for code, response in responses.items():
        content = response.get("content", {})
        if code >= "400" and "application/problem+json" in content:
            content["application/problem+json"] = content.pop("application/json", content["application/problem+json"])


def _events_only(response: dict[str, Any]) -> None:
    """Let a stream be nothing else where nothing else has a shape."""
    content = response.get("content", {})
    if "text/event-stream" in content and content.get("application/json") == {"schema": {}}:
        del content["application/json"]


def _tell_headers(operation: dict[str, Any]) -> None:
    """Name the headers that go with those of the request, with streams, and with refusals."""
    responses = operation["responses"]
    for asked in operation.get("parameters", ()):
        for code, names in ASKED_BY.get(asked["name"].lower(), {}).items():
            _add_headers(responses.get(code), *names)
    if "text/event-stream" in responses.get("200", {}).get("content", {}):
        _add_headers(responses["200"], "Location", "X-Job-Id")
    for code, name in REFUSED_WITH.items():
        if "application/problem+json" in responses.get(code, {}).get("content", {}):
            _add_headers(responses[code], name)


def _add_headers(response: dict[str, Any] | None, *names: str) -> None:
    if response is not None:
        response["headers"] = sends(*names)["headers"] | response.get("headers", {})


def _tell_what_cannot_be(path: str, operations: dict[str, Any]) -> None:
    """Take back that something is not there where the address names nothing."""
    if "{" not in path and "get" in operations:
        operations["get"]["responses"].pop("404", None)


def _tell_what_has_ended(path: str, operations: dict[str, Any]) -> None:
    """Say that the refusal to cancel what has ended shows it."""
    name = next((name for part, name in ENDED.items() if part in path), None)
    if not path.rstrip("/").endswith("/cancel") or name is None:
        return
    responses = operations["post"]["responses"]
    shown = {"type": "object", "properties": {name: responses["200"]["content"]["application/json"]["schema"]}}
    content = responses["409"]["content"]["application/problem+json"]
    content["schema"] = {"allOf": [content["schema"], shown]}

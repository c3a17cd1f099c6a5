"""What the OpenAPI document says beyond what FastAPI finds out: problems, keys, tickets and limits."""

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


def describe(app: FastAPI, mode: Mode) -> None:
    """Complete the document `app` makes of itself, each time it is made."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        document.setdefault("components", {})["securitySchemes"] = SCHEMES
        for operation, dependant in _operations(app, document):
            if (asked := call_of(dependant)) is not None:
                operation["security"] = _security(asked, mode)
                for code, sentence in REFUSALS.items():
                    operation["responses"].setdefault(code, _problem(sentence))
            _problems_only(operation["responses"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]


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

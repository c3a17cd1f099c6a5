"""Every address the app answers, with what it takes: read from the app itself, so that a new route is tested unasked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

UNKNOWN = "nope"
"""Stands for every id of a path."""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one address: its parameters, a small body that it accepts, the answers it documents."""

    method: str
    path: str
    parameters: tuple[Json, ...] = ()
    body: Json | None = None
    properties: dict[str, Json] = field(default_factory=dict)
    documented: dict[str, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def url(self, **values: str) -> str:
        """Return the address, its ids and numbers filled in."""
        types = {each["name"]: each.get("schema", {}).get("type") for each in self.parameters}
        usual = {name: "1" for name, kind in types.items() if kind == "integer"}
        return re.sub(r"{(\w+)(:\w+)?}", lambda found: {**usual, **values}.get(found.group(1), UNKNOWN), self.path)

    def of(self, place: str) -> Iterator[str]:
        return (each["name"] for each in self.parameters if each["in"] == place)


def operations(app: FastAPI) -> list[Operation]:
    """List the documented operations and, after them, those that are not in the document."""
    document = app.openapi()
    known = [
        _documented(document, method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return known + list(_undocumented(app, {(each.method, each.path) for each in known}))


def _undocumented(app: FastAPI, known: set[tuple[str, str]]) -> Iterator[Operation]:
    for route in iter_route_contexts(app.routes):
        path = getattr(route, "path", None)
        for method in sorted(getattr(route, "methods", None) or ()):
            if path is not None and (method, path) not in known:
                yield Operation(method=method, path=path, body={} if method == "POST" else None)
    for mounted in app.routes:
        if type(mounted).__name__ == "Mount":
            yield Operation(method="GET", path=f"{mounted.path}/{{file}}")  # type: ignore[attr-defined]


def _documented(document: Json, method: str, path: str, operation: Json) -> Operation:
    found = Operation(
        method=method,
        path=path,
        parameters=tuple(operation.get("parameters", ())),
        documented={code: list(answer.get("content", {})) for code, answer in operation["responses"].items()},
    )
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return found
    schema = _resolved(document, content["schema"])
    return replace(found, body=sample(document, schema), properties=schema.get("properties", {}))


def sample(document: Json, schema: Json) -> Any:
    """Return a small value of a schema; of a request with a sandbox, one that draws nothing."""
    schema = _resolved(document, schema)
    if schema.get("examples"):
        return _cheap(schema, dict(schema["examples"][0]) if schema.get("type") == "object" else schema["examples"][0])
    given = [schema[name] for name in ("default", "const") if schema.get(name) is not None] + schema.get("enum", [])
    choices = [sample(document, each) for name in ("anyOf", "oneOf", "allOf") for each in schema.get(name, ())[:1]]
    if given or choices:
        return (given + choices)[0]
    if schema.get("type") == "object":
        required = {name: sample(document, schema["properties"][name]) for name in schema.get("required", ())}
        return _cheap(schema, required)
    if schema.get("type") == "array":
        return [sample(document, schema["items"])] * max(1, schema.get("minItems", 0))
    return {"integer": 1, "number": 1, "boolean": False, "null": None}.get(schema.get("type", ""), "x")


def _cheap(schema: Json, value: Any) -> Any:
    return {**value, "sandbox": {"scenario": "noop"}} if "sandbox" in schema.get("properties", {}) else value


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema

"""Every answer of the tests' servers is what the OpenAPI document says: the service itself checks none on its way out."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

import httpx
import jsonschema_rs
from fastapi import FastAPI

from atelier.api.openapi import SENT

Validator = jsonschema_rs.Draft202012Validator


class Document:
    """What is answered where, and how that looks."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._known: dict[tuple[str, str, int], Validator | None] = {}

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str]]:
        """Paths as patterns, those without parameters first."""
        paths = sorted(self._document["paths"], key=lambda path: path.count("{"))
        return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]

    def check(self, response: httpx.Response) -> None:
        """Hold an answer against what is documented for its address, method and status, if anything is."""
        asked = response.request
        path = next((path for pattern, path in self._paths if pattern.fullmatch(asked.url.path)), "")
        key = (path, asked.method.lower(), response.status_code)
        if key not in self._known:
            self._known[key] = self._validator(*key)
        validator, answer = self._known[key], self._answer(*key)
        told = {name.lower() for name in answer.get("headers", ())}
        sent = {name.lower() for name in SENT} & response.headers.keys()
        assert not answer or sent <= told, f"{key} does not document {sent - told}"
        for error in validator.iter_errors(response.json()) if validator is not None else ():
            raise AssertionError(f"{key}: {error.message}, at {error.instance_path}")

    def _validator(self, path: str, method: str, status: int) -> Validator | None:
        content = self._answer(path, method, status).get("content", {})
        schema = next((kind["schema"] for name, kind in content.items() if "json" in name), None)
        return Validator({**schema, "components": self._document["components"]}) if schema is not None else None

    def _answer(self, path: str, method: str, status: int) -> dict[str, Any]:
        """Return what is documented of an answer; empty where nothing is."""
        operation = self._document["paths"].get(path, {}).get(method, {})
        found: dict[str, Any] = operation.get("responses", {}).get(str(status), {})
        return found


_DOCUMENTS: dict[str, Document] = {}
"""By version: apps of one version document the same, and a document takes a second to make."""


def checked(app: FastAPI) -> Callable[[httpx.Response], Awaitable[None]]:
    """Return a client's hook that checks JSON answers which are here whole."""

    async def check(response: httpx.Response) -> None:
        kind = response.headers.get("content-type", "")
        if "json" not in kind or "content-length" not in response.headers or response.request.method == "HEAD":
            return
        await response.aread()
        if app.version not in _DOCUMENTS:
            _DOCUMENTS[app.version] = Document(app.openapi())
        _DOCUMENTS[app.version].check(response)

    return check

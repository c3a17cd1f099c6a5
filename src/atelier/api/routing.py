"""Routes that let their callers in first, and look for nothing that a request does not have."""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, get_type_hints

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from atelier.api.deps import Call, JsonRequest
from atelier.frozen import frozen

CONTENT_TYPE = b"content-type"


class JsonRoute(APIRoute):
    """A route that lets callers in before it reads anything of their body, and reads that through JsonRequest."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **how: Any) -> None:  # noqa: ANN401 - FastAPI's own
        super().__init__(path, endpoint, **{**how, "strict_content_type": False})
        self._begins = self.path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Look at the whole address only where it begins as this route's do: a request passes many that are not its own."""
        if scope["type"] == "http" and not scope.get("root_path") and not scope["path"].startswith(self._begins):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler; where nothing that may be left out was sent, that of the same route without it."""
        kind, options = call_of(self.dependant) or JsonRequest, options_of(self.dependant)
        whole = super().get_route_handler()
        plain = whole if options is None else APIRoute.get_route_handler(_plain(self))

        async def handle(request: Request) -> Response:
            scope = request.scope
            scope["headers"] = [field for field in scope["headers"] if field[0] != CONTENT_TYPE]
            own = kind(scope, request.receive)
            if isinstance(own, Call):
                await own.let_in()
            return await (plain if options is not None and options.left_out(scope) else whole)(own)

        return handle


@frozen
class Options:
    """What may be left out of a request beside its body; `headers` by their names as they come."""

    headers: frozenset[bytes]

    def left_out(self, scope: Scope) -> bool:
        """Whether a request has none of it."""
        return not scope["query_string"] and self.headers.isdisjoint([name for name, _ in scope["headers"]])


def options_of(dependant: Dependant) -> Options | None:
    """Return what a route's requests may leave out; None where something of its query or headers is required, or nothing is there."""
    fields = [*dependant.query_params, *dependant.header_params]
    if not fields or any(field.field_info.is_required() for field in fields):
        return None
    names = [field.alias.replace("_", "-").lower().encode() for field in dependant.header_params]
    return Options(headers=frozenset(names))


def _plain(route: APIRoute) -> APIRoute:
    """Return the route as it is for who leaves all of it out: FastAPI looks for each, and that is a tenth of a request.

    So is what it does to the texts of a path, which are handed over as they are.
    """
    plain, dependant = copy.copy(route), replace(route.dependant, query_params=[], header_params=[])
    name = dependant.request_param_name
    if name is not None and _has_plain_path(dependant):
        dependant = replace(dependant, path_params=[], call=_with_path(route.endpoint, name))
    plain.dependant = dependant
    return plain


def _has_plain_path(dependant: Dependant) -> bool:
    """Whether something is named in the path, for which any text will do."""
    fields = dependant.path_params
    return bool(fields) and all(
        one.field_info.annotation is str and not one.field_info.metadata and one.alias == one.name for one in fields
    )


def _with_path(endpoint: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return the endpoint, to be called without the texts of its path: they are taken from the request of this name."""

    async def call(**values: Any) -> Any:  # noqa: ANN401 - what the endpoint takes and returns
        request: Request = values[name]
        return await endpoint(**request.path_params, **values)

    return call


def call_of(dependant: Dependant) -> type[Call] | None:
    """Return the kind of Call that a route asks for; None where it does not want to know who asks."""
    name = dependant.request_param_name
    asked = get_type_hints(dependant.call).get(name) if dependant.call is not None and name is not None else None
    return asked if isinstance(asked, type) and issubclass(asked, Call) else None

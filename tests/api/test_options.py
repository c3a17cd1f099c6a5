"""What may be left out of a request is what it would be if it had been looked for."""

from __future__ import annotations

import inspect

from fastapi.routing import iter_route_contexts
from tests.live import Live

from atelier.api.routing import JsonRoute, options_of


async def test_defaults_stand_in_the_signatures(live: Live) -> None:
    """A request without query and headers takes the endpoint's own defaults; they have to be those of the document."""
    seen = 0
    for context in iter_route_contexts(live.app.routes):
        route = context.original_route
        if not isinstance(route, JsonRoute) or options_of(route.dependant) is None:
            continue
        signature = inspect.signature(route.endpoint).parameters
        for field in (*route.dependant.query_params, *route.dependant.header_params):
            seen += 1
            assert signature[field.name].default == field.get_default(), f"{route.path}: {field.name}"
    assert seen > 20

"""Around every request: its id, its line in the log, and the refusal of foreign pages that write."""

from __future__ import annotations

import itertools
import re
import secrets
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atelier import logs, metrics
from atelier.api.errors import problem
from atelier.api.origins import Origins

READING = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestContext:
    """Middleware: sets `X-Request-Id`, checks `Origin`, logs and counts method, route and status.

    The path itself is the caller's text, and a picture's is its only key: the log has the route's template instead.
    """

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app, self._origins = app, origins
        self._process, self._numbers = secrets.token_hex(4), itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"{self._process}-{next(self._numbers):x}"
        logs.request_id.set(request_id)
        began, status = time.monotonic(), 0

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await (_refusal() if self._foreign(scope) else self._app)(scope, receive, with_id)
        finally:
            took = round((time.monotonic() - began) * 1000, 1)
            route = route_of(scope)
            metrics.requested(scope["method"], route, status)
            fields = {"job_id": job} if (job := _job_of(scope)) else {}
            logs.info("request", method=scope["method"], route=route, status=status, milliseconds=took, **fields)

    def _foreign(self, scope: Scope) -> bool:
        """Whether a page we do not know tries to write. A plain-text body needs no preflight: CORS alone is no guard."""
        if scope["method"] in READING:
            return False
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        return origin is not None and not self._origins.allow(origin, headers.get("host", ""))


def route_of(scope: Scope) -> str:
    """Return the template of the route that answers, as the OpenAPI document writes it; `other` where there is none."""
    return getattr(scope.get("route"), "path", "other")


def _job_of(scope: Scope) -> str | None:
    """Return the job in the path, if it looks like an id of ours."""
    job_id = scope.get("path_params", {}).get("job_id", "")
    return job_id if re.fullmatch(r"[0-9a-f]{32}", job_id) else None


def _refusal() -> ASGIApp:
    return problem("origin_refused", "Pages of this origin may not use the service; see ATELIER_CORS_ORIGINS.")

"""Around every request: its id, its line in the log, and the refusal of what must not reach a route."""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atelier import logs
from atelier.api.errors import problem
from atelier.api.origins import Origins

READING = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestContext:
    """Middleware: sets `X-Request-Id`, logs method, path and status (never the query), checks `Origin` and size."""

    def __init__(self, app: ASGIApp, origins: Origins, body_bytes: int) -> None:
        self._app, self._origins, self._body_bytes = app, origins, body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        logs.request_id.set(request_id)
        began, status = time.monotonic(), 0

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await (self._refusal(Headers(scope=scope), scope["method"]) or self._app)(scope, receive, with_id)
        finally:
            took = round((time.monotonic() - began) * 1000, 1)
            logs.info("request", method=scope["method"], path=scope["path"], status=status, milliseconds=took)

    def _refusal(self, headers: Headers, method: str) -> ASGIApp | None:
        """Return the answer to a request that goes no further; None lets it through."""
        if method in READING:
            return None
        if self._foreign(headers):
            return problem("origin_refused", "Pages of this origin may not use the service; see ATELIER_CORS_ORIGINS.")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._body_bytes:
            return problem("body_too_large", f"The request's body may have {self._body_bytes} bytes at most.")
        return None

    def _foreign(self, headers: Headers) -> bool:
        """Whether a page we do not know asks. A plain-text body needs no preflight, so CORS alone is no guard."""
        origin = headers.get("origin")
        return origin is not None and not self._origins.allow(origin, headers.get("host", ""))

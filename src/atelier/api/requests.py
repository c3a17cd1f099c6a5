"""Around every request: its id, its line in the log, and the refusal of what no route shall see."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atelier import logs, metrics
from atelier.api.errors import ProblemResponse, problem, problem_of
from atelier.api.origins import Origins

READING = frozenset({"GET", "HEAD", "OPTIONS"})
HOST = re.compile(r"([A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")
"""A name or address and a port. Addresses in answers are made of it, again and again: no room for anything else."""

BAD_HOST = "The Host header is not one name or address with an optional port."
FOREIGN = "Pages of this origin may not use the service; see ATELIER_CORS_ORIGINS."


class RequestContext:
    """Middleware: sets `X-Request-Id`, checks `Host` and `Origin`, logs and counts method, route and status.

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
        answer = _Answer(f"{self._process}-{next(self._numbers):x}", scope["method"], send)
        logs.request_id.set(answer.request_id)
        began = time.monotonic()
        try:
            await (self._refusal(scope) or self._app)(scope, receive, answer.send)
        except Exception:
            answer.status = HTTPStatus.INTERNAL_SERVER_ERROR.value
            raise
        finally:
            took = round((time.monotonic() - began) * 1000, 1)
            route = route_of(scope)
            metrics.requested(scope["method"], route, answer.status)
            fields = {"job_id": job} if (job := _job_of(scope)) else {}
            logs.info("request", method=scope["method"], route=route, status=answer.status, milliseconds=took, **fields)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Return what refuses the request: its Host is none, or a page we do not know tries to write.

        A plain-text body needs no preflight: CORS alone is no guard.
        """
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) > 1 or not all(HOST.fullmatch(host) for host in hosts):
            return problem("validation_error", BAD_HOST, status=HTTPStatus.BAD_REQUEST)
        origin = headers.get("origin")
        if scope["method"] in READING or origin is None or self._origins.allow(origin, "".join(hosts)):
            return None
        return problem("origin_refused", FOREIGN)


class _Answer:
    """An answer on its way out: it gets its id, and is a problem where a library made an error of plain text."""

    def __init__(self, request_id: str, method: str, send: Send) -> None:
        self.status = 0
        self.request_id = request_id
        self._method, self._send = method, send
        self._instead: ProblemResponse | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self.request_id.encode())]
            if self.status >= HTTPStatus.BAD_REQUEST:
                self._correct(MutableHeaders(raw=message["headers"]))
        elif self._instead is not None and message.get("more_body"):
            return
        elif self._instead is not None:
            message = {"type": "http.response.body", "body": self._instead.body}
        await self._send(message)

    def _correct(self, headers: MutableHeaders) -> None:
        if headers.get("content-type", "").startswith("text/plain"):
            self._instead = self._problem()
            headers.update(self._instead.headers)

    def _problem(self) -> ProblemResponse:
        status = HTTPStatus(self.status)
        if self._method == "OPTIONS" and status is HTTPStatus.BAD_REQUEST:
            return problem("origin_refused", FOREIGN, status=status)
        return problem_of(status)


def route_of(scope: Scope) -> str:
    """Return the template of the route that answers, as the OpenAPI document writes it; `other` where there is none."""
    return getattr(scope.get("route"), "path", "other")


def _job_of(scope: Scope) -> str | None:
    """Return the job in the path, if it looks like an id of ours."""
    job_id = scope.get("path_params", {}).get("job_id", "")
    return job_id if re.fullmatch(r"[0-9a-f]{32}", job_id) else None

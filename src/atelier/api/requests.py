"""Around every request: its id, its line in the log, and the refusal of what no route shall see."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atelier import logs, metrics
from atelier.api.errors import ProblemResponse, problem, problem_of
from atelier.api.origins import Origins

JUDGED = frozenset({b"host", b"origin"})
FOR_ANY_HOST = frozenset({"/health", "/ready"})
"""What monitors ask, by whatever name they have; nothing of an owner's is in it."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})
HOST = re.compile(r"([A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")
"""A name or address and a port. Addresses in answers are made of it, again and again: no room for anything else."""

JOB_ID = re.compile(r"[0-9a-f]{32}")

VARIES = (b"vary", b"Origin")
BAD_HOST = "The Host header is not one name or address with an optional port."
UNKNOWN_HOST = "The service is not known by this name; set ATELIER_PUBLIC_URL to the address that callers use."
UNKNOWN_TO_PAGES = (
    "Pages of other origins may ask with these methods: {methods}; and send these header fields: {fields}."
)
FOREIGN = "Pages of this origin may not use the service; see ATELIER_CORS_ORIGINS."


class RequestContext:
    """Middleware: sets `X-Request-Id`, checks `Host` and `Origin`, logs and counts method, route and status.

    Who is no page is told that one may be answered otherwise: pages' rules are told to pages alone.

    The path itself is the caller's text, and a picture's is its only key: the log has the route's template instead.
    """

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app, self._origins = app, origins
        self._process, self._numbers = secrets.token_hex(4), itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"{self._process}-{next(self._numbers):x}"
        logs.request_id.set(request_id)
        answer = _Answer(request_id, scope, send)
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

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one WebSocket: its line tells the code it was closed with, or the status it was refused with."""
        logs.request_id.set(f"{self._process}-{next(self._numbers):x}")
        began, course = time.monotonic(), _Course(receive, send)
        try:
            await (self._refusal(scope) or self._app)(scope, course.receive, course.send)
        finally:
            took, route = round((time.monotonic() - began) * 1000, 1), route_of(scope)
            metrics.requested("GET", route, course.status)
            logs.info("socket", route=route, status=course.status, code=course.code, milliseconds=took)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Return what refuses the request: its Host is none or not ours, or an unknown page writes or opens a WebSocket.

        A plain-text body needs no preflight, and a WebSocket none at all: CORS alone is no guard.
        """
        judged = [field for field in scope["headers"] if field[0] in JUDGED]
        hosts = [value.decode("latin-1") for name, value in judged if name == b"host"]
        if len(hosts) > 1 or not all(map(HOST.fullmatch, hosts)):
            return problem("validation_error", BAD_HOST, status=HTTPStatus.BAD_REQUEST)
        if hosts and not self._origins.reached_as(hosts[0]) and scope["path"] not in FOR_ANY_HOST:
            return problem("origin_refused", UNKNOWN_HOST)
        origins = [value.decode("latin-1") for name, value in judged if name == b"origin"]
        if scope.get("method") in READING or not origins or self._origins.allow(origins[0], "".join(hosts)):
            return None
        return problem("origin_refused", FOREIGN)


class _Course:
    """How a WebSocket goes: the status it is opened or refused with, and the code of whoever closes it first."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.status = 0
        self.code: int | None = None
        self._receive, self._send = receive, send

    async def receive(self) -> Message:
        """Hand on what comes."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self.code is None:
            self.code = message.get("code")
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        match message["type"]:
            case "websocket.accept":
                self.status = HTTPStatus.SWITCHING_PROTOCOLS.value
            case "websocket.close" if self.status == 0:
                self.status = HTTPStatus.NOT_FOUND.value
            case "websocket.close":
                self.code = self.code or message.get("code")
            case "websocket.http.response.start":
                self.status = message["status"]
        await self._send(message)


class _Answer:
    """An answer on its way out: it gets its id, and is a problem where a library made an error of plain text."""

    def __init__(self, request_id: str, scope: Scope, send: Send) -> None:
        self.status = 0
        self._method, self._send = scope["method"], send
        page = b"origin" in dict(scope["headers"])
        self._more = [(b"x-request-id", request_id.encode()), *(() if page else (VARIES,))]
        self._instead: ProblemResponse | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._more]
            if self.status >= HTTPStatus.BAD_REQUEST:
                self._correct(MutableHeaders(raw=message["headers"]))
        elif self._instead is not None and message.get("more_body"):
            return
        elif self._instead is not None:
            message = {"type": "http.response.body", "body": self._instead.body}
        await self._send(message)

    def _correct(self, headers: MutableHeaders) -> None:
        if headers.get("content-type", "").startswith("text/plain"):
            self._instead = self._problem(headers)
            headers.update(self._instead.headers)

    def _problem(self, headers: MutableHeaders) -> ProblemResponse:
        status = HTTPStatus(self.status)
        if self._method != "OPTIONS" or status is not HTTPStatus.BAD_REQUEST:
            return problem_of(status)
        if "access-control-allow-origin" not in headers:
            return problem("origin_refused", FOREIGN, status=status)
        methods, fields = (headers.get(f"access-control-allow-{what}", "") for what in ("methods", "headers"))
        return problem("validation_error", UNKNOWN_TO_PAGES.format(methods=methods, fields=fields), status=status)


def route_of(scope: Scope) -> str:
    """Return the template of the route that answers, as the OpenAPI document writes it; `other` where there is none."""
    return getattr(scope.get("route"), "path", "other")


def _job_of(scope: Scope) -> str | None:
    """Return the job in the path, if it looks like an id of ours."""
    job_id = scope.get("path_params", {}).get("job_id", "")
    return job_id if JOB_ID.fullmatch(job_id) else None

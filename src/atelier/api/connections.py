"""What one connection may cost: bytes of a request's head, time until a request is here, and how many there may be."""

from __future__ import annotations

import asyncio
import resource
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from atelier import logs
from atelier.api.errors import ProblemResponse, problem
from atelier.api.outgoing import Together, whole
from atelier.api.socket_connections import SocketConnection
from atelier.api.upgrades import fresh_parser, head_without_upgrade, wants_socket

HEAD_BYTES = 65_536
"""Most bytes in a row that belong to no body: a head, a chunk's extensions, trailers. Browsers send a few thousand."""

HEAD_SECONDS = 10
"""From the connection, or a later request's first byte, until the head is whole."""

BODY_SECONDS = 20
BODY_BYTES_A_SECOND = 4096
"""A body has 20 seconds, and one more for each 4 KiB that have come: slow lines pass, a trickle does not."""

SEND_SECONDS = 30
"""A client that leaves its answer's bytes where they are for this long is let go."""

KEEP_ALIVE_SECONDS = 20
"""Between two requests: longer than most clients keep a connection, so that they let go of it first."""

REFUSE_SECONDS = 1
"""How long a connection too many may take to ask, to be told so."""

MOST_CONNECTIONS = 10_000
FILES_KEPT = 512
"""Open files that are not connections: the store, pictures, pipes; and connections too many while they are told."""

PIPELINED = 16
"""Most requests that wait on one connection behind the one being answered."""

TOO_MANY = problem(
    "too_many_connections",
    "There are too many connections; try again in a moment.",
    retryable=True,
    status=HTTPStatus.SERVICE_UNAVAILABLE,
)
TOO_LARGE = problem(
    "body_too_large", "The request's header is too large.", status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
)
TOO_SLOW = problem("timeout", "The request took too long to arrive.", retryable=True, status=HTTPStatus.REQUEST_TIMEOUT)
NO_HTTP = problem("validation_error", "This is not a proper HTTP request.", status=HTTPStatus.BAD_REQUEST)


def most_connections() -> int:
    """Raise this process's limit of open files as far as that helps and may be; how many connections it leaves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + FILES_KEPT
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, max(soft - FILES_KEPT, 64))


class _Stop(Exception):
    """Ends the parser's work on what has come."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with an end to every wait and to every buffer.

    A request that comes in one piece costs a few comparisons; only one that does not is watched by a timer.
    """

    _surplus = False
    _arriving = False  # the first byte of a request is here, its last is not
    _in_body = False
    _outside = 0  # bytes since the last part of a body or the end of a request
    _body = 0
    _began = 0.0
    _refusal: ProblemResponse | None = None
    _watch: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None
    _upgraded = False
    _answering: RequestResponseCycle | None = None  # with `cycle` behind it in the pipeline, or the same

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Take over `limit_concurrency`: here it counts connections, and what was let in is served to its end."""
        super().__init__(config, server_state, app_state, _loop)
        self._most, self.limit_concurrency = config.limit_concurrency or MOST_CONNECTIONS, None
        self.ws_protocol_class = SocketConnection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch; drop it where not even a refusal can be afforded."""
        super().connection_made(transport)
        self._surplus = len(self.connections) > self._most
        if len(self.connections) > self._most + FILES_KEPT // 2:
            transport.abort()
        else:
            self._watch_from_now()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers and what waits; tell whoever answers now: the library tells the last request alone."""
        self._unwatch()
        self.resume_writing()
        self.pipeline.clear()
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come and look at what is still missing."""
        self._outside += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            self._refuse(self._refusal or NO_HTTP)
        except HttpParserUpgrade as asked:
            self._go_on_behind_upgrade(data[asked.args[0] :])
        if self._upgraded or self.transport.is_closing():
            return
        if self._outside > HEAD_BYTES:
            self._refuse(TOO_LARGE)
        elif not self._arriving:
            self._unwatch()
            self._keep_alive_again()
        elif self._watch is None:
            self._watch_from_now()

    def _go_on_behind_upgrade(self, rest: bytes) -> None:
        """Make the request just read a WebSocket, or read it again as one that asks for no other protocol."""
        done = self.cycle is None or self.cycle.response_complete  # else an answer would run into the frames
        if done and self._stuck is None and not rest and wants_socket(self.parser, self.headers):
            self.handle_websocket_upgrade()
        elif self.parser.get_method() == b"CONNECT":
            self._refuse(NO_HTTP)
        else:
            head = head_without_upgrade(self.parser, self.url, self.headers)
            self.parser = fresh_parser(self)
            self.data_received(head + rest)

    def _should_upgrade(self) -> bool:
        """Begin no answer to a request that asks for another protocol: see what follows its head."""
        return True

    def _keep_alive_again(self) -> None:
        """Set the keep-alive timer where an answer was whole before its request: what came since has stopped it."""
        done = self.cycle is not None and self.cycle.response_complete and not self.pipeline
        if done and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        self._arriving, self._in_body, self._body = True, False, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Let the request in, or stop here."""
        if self._surplus:
            self._stop(TOO_MANY)
        if self._outside > HEAD_BYTES and self._head_size() > HEAD_BYTES:
            self._stop(TOO_LARGE)
        if len(self.pipeline) >= PIPELINED:
            self._stop(NO_HTTP)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # it is no WebSocket's
            self.cycle.transport = Together(self.cycle)  # type: ignore[assignment]
        self._in_body = True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Note whose turn it is."""
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Count a part of a body."""
        self._outside = 0
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._outside, self._arriving, self._in_body = 0, False, False
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the WebSocket's protocol."""
        self._unwatch()
        self._upgraded = True
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """Watch a client that does not take what it is sent."""
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(SEND_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop watching: it took some."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def timeout_keep_alive_handler(self) -> None:
        """Close; without waiting for a client that has not even taken its last answer."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Let a request that is still arriving go elsewhere; end the others as they should."""
        if self._in_body:
            self._refuse(TOO_SLOW)
        super().shutdown()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _stop(self, refusal: ProblemResponse) -> None:
        self._refusal = refusal
        raise _Stop

    def _refuse(self, refusal: ProblemResponse) -> None:
        """Close, with an answer where the client still waits for the one to this request."""
        if self.transport.is_closing():
            return
        logs.info("connection_refused", status=refusal.status_code)
        before = self.cycle is None or self.cycle.response_complete
        if before or (self._in_body and not self.cycle.response_started and not self.pipeline):
            self.transport.write(whole(refusal))
        self.transport.close()

    def _watch_from_now(self) -> None:
        self._began = self.loop.time()
        self._watch = self.loop.call_at(self._due(), self._look)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _due(self) -> float:
        """Return when what is awaited must be here."""
        if not self._in_body:
            return self._began + (REFUSE_SECONDS if self._surplus else HEAD_SECONDS)
        earned = 0 if self.cycle.response_complete else self._body / BODY_BYTES_A_SECOND
        return self._began + BODY_SECONDS + earned

    def _look(self) -> None:
        """Refuse a request that is late; wait on where it may take longer, or where we are who does not read."""
        if self.flow.read_paused:
            self._began = self.loop.time()
        if self._due() > self.loop.time():
            self._watch = self.loop.call_at(self._due(), self._look)
        elif self._arriving:
            self._refuse(TOO_SLOW)
        else:
            self.transport.close()

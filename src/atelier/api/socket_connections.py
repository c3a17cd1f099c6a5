"""What one WebSocket's connection may cost: bytes of a frame, frames in a while, and time to end."""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.typing import StatusLike

from atelier import logs
from atelier.api.errors import problem_of

FRAME_BYTES = 4096
"""Most bytes of a message that comes in. Nothing that callers say is listened to."""

FRAMES, FRAMES_SECONDS = 60, 10.0
"""So many frames may come in so many seconds, pings and pongs included."""

END_SECONDS = 10.0
"""How long the end of a connection may take, the answer to our close included."""

QUIET = logging.getLogger("uvicorn.sockets")
"""The libraries' own log would have addresses, and with them tickets; what is worth a line has one of ours."""
QUIET.setLevel(logging.WARNING)


class Handshake(ServerProtocol):
    """The library's protocol, whose refusals are problems."""

    def reject(self, status: StatusLike, text: str) -> Response:  # noqa: ARG002 - it may hold what was sent
        """Return the refusal. The app's plain no means that there is nothing at this address."""
        found = problem_of(HTTPStatus.NOT_FOUND if status == HTTPStatus.FORBIDDEN else HTTPStatus(status))
        fields = [(name.decode(), value.decode()) for name, value in found.raw_headers]
        headers = Headers([("Date", formatdate(usegmt=True)), ("Connection", "close"), *fields])
        return Response(found.status_code, HTTPStatus(found.status_code).phrase, headers, bytes(found.body))


class SocketConnection(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with an end to every wait and to every buffer. It compresses nothing: messages are short."""

    _ending: asyncio.TimerHandle | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Take over what messages may be like."""
        super().__init__(config, server_state, app_state, _loop)
        self.logger = QUIET
        self.conn = Handshake(max_size=FRAME_BYTES, logger=QUIET)
        self._frames, self._counted_since = 0, self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Parse what has come; a request that cannot be read is refused here, for nobody else does."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if not self.handshake_initiated:
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        if self._ending is not None:
            self._ending.cancel()
        super().connection_lost(exc)

    def handle_text(self, event: Frame) -> None:
        """Count it."""
        if self._few():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Count it."""
        if self._few():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Count a part of a message."""
        if self._few():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Count it; an answer is sent."""
        if self._few():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Count it."""
        if self._few():
            super().handle_pong(event)

    def handle_parser_exception(self) -> None:
        """Close on what is no frame, or too large a one; refuse it where the connection is no WebSocket yet."""
        if self.conn.close_sent is None:
            self._refuse()
            return
        super().handle_parser_exception()
        self.disconnected = True
        self._end_soon()

    def keepalive_timeout(self) -> None:
        """Let go of who answers no ping."""
        super().keepalive_timeout()
        self.disconnected = self.close_sent
        self._end_soon()

    def shutdown(self) -> None:
        """Say that the service restarts."""
        super().shutdown()
        self._end_soon()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """See to it that the connection ends, whatever the client does."""
        super().on_task_complete(task)
        self._end_soon()

    async def send(self, message: ASGISendEvent) -> None:
        """Send; a refusal that was sent whole is an end like any other, and no fault of the app."""
        await super().send(message)
        self.handshake_complete = self.handshake_complete or self.close_sent

    def send_receive_event_to_app(self) -> None:
        """Hand a message on; close on a text that is none: the client's fault, and no error of ours."""
        if self.curr_msg_data_type == "text" and not _is_text(b"".join(self.frames)) and not self.close_sent:
            logs.info("socket_not_text")
            self.conn.fail(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def _few(self) -> bool:
        """Whether no more frames have come than may; else the connection is closed."""
        now = self.loop.time()
        if now - self._counted_since > FRAMES_SECONDS:
            self._frames, self._counted_since = 0, now
        self._frames += 1
        if self._frames > FRAMES and not self.close_sent:
            logs.warning("socket_flooded", frames=self._frames)
            self.conn.fail(CloseCode.POLICY_VIOLATION, "too many frames")
            self.handle_parser_exception()
        return self._frames <= FRAMES

    def _refuse(self) -> None:
        """Answer what can be nothing but a mistake, and close."""
        self.transport.write(self.conn.reject(HTTPStatus.BAD_REQUEST, "").serialize())
        self.close_sent = self.handshake_complete = self.disconnected = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        self.transport.close()
        self._end_soon()

    def _end_soon(self) -> None:
        """End the connection for good in a while: what is left to be sent may never be taken."""
        if self._ending is None:
            self._ending = self.loop.call_later(END_SECONDS, self.transport.abort)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
